#!/usr/bin/env bash
# Report how well each model predicts: in the log and in $STUDY/report.{html,png,csv,json}.
#SBATCH --job-name=report
#SBATCH --output=logs/%x-%j.out
#SBATCH --open-mode=append
#SBATCH --time=01:00:00
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem-per-cpu=4G
set -euo pipefail
# shellcheck source=common.sh
source "${JOBSCRIPTS:-${SLURM_SUBMIT_DIR:-.}/jobscripts}/common.sh"

if [ $# -eq 0 ]; then
  cd "$STUDY"
  set -- "${OUTCOMES[@]}" --figure report.png --html report.html --csv report.csv --json report.json
fi
run simtool report "$@"
