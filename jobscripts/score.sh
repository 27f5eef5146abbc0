#!/usr/bin/env bash
# Predict every judgment with every table of vectors.
#SBATCH --job-name=score
#SBATCH --output=logs/%x-%j.out
#SBATCH --open-mode=append
#SBATCH --time=01:00:00
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem-per-cpu=4G
set -euo pipefail
# shellcheck source=common.sh
source "${JOBSCRIPTS:-${SLURM_SUBMIT_DIR:-.}/jobscripts}/common.sh"

if [ $# -gt 0 ]; then
  run simtool score "$@"
else
  cd "$STUDY"
  judgments=(--trials "$TRIALS" --images "$STIMULI")
  # shellcheck disable=SC2046,SC2086 # several tables and options
  {
    run simtool score $(outputs "${EMBED[@]}") "${judgments[@]}" $DISTANCES --out outcomes.parquet
    [ -z "$SEGMENTED" ] || run simtool score $SEGMENTED "${judgments[@]}" $SEGMENT_DISTANCES --out outcomes-by-segment.parquet
  }
fi
