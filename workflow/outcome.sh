#!/usr/bin/env bash
# Report how a training ended:  outcome.sh MODEL FILE
# FILE holds its exit code. It is deleted if the training failed, so that Snakemake trains the next time.
set -euo pipefail

code=$(cat "$2")
if [ "$code" -ne 0 ]; then
  tail -n 3 "logs/train-$1.log" >&2
  rm "$2"
  exit "$code"
fi
