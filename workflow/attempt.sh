#!/usr/bin/env bash
# One attempt of a training:  attempt.sh MODEL NUMBER FILE
# Snakemake runs a job again if it fails. This script fails only if the training can be resumed: it saved its state (code
# 85), or it was killed, or lost another worker, after it had saved a new checkpoint. Otherwise the script writes the exit code to FILE.
set -euo pipefail
# shellcheck source=../jobscripts/common.sh disable=SC2153 # JOBSCRIPTS is a variable of the environment
source "$JOBSCRIPTS/common.sh"

model=$1 number=$2 file=$3
start=logs/train-$model.start # the newest checkpoint at the start of an attempt
now() { newest_checkpoint --out "$STUDY/$model"; }

code=137
if [ "$number" -eq 1 ] || [ ! -e "$start" ] || [ "$(now)" != "$(cat "$start")" ]; then
  now >"$start"
  code=0
  bash "$JOBSCRIPTS/train-$model.sh" || code=$?
fi
case $code in
  85) # saved
    rm "$start"
    exit 85 ;;
  69 | 1[3-9]?) # killed, or another worker was lost
    [ "$(now)" = "$(cat "$start")" ] || exit "$code"
    echo "the training was stopped before it saved a checkpoint: it is not started again" >&2 ;;
esac
rm -f "$start"
echo "$code" >"$file"
