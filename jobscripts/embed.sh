#!/usr/bin/env bash
# Turn images into vectors, one part of each table per array task. A part that failed is run alone: sbatch --array=3 ...
#SBATCH --job-name=embed
#SBATCH --output=logs/%x-%A_%a.out
#SBATCH --array=0-3
#SBATCH --time=02:00:00
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem-per-cpu=4G
#SBATCH --gres=gpu:1
#SBATCH --requeue
set -euo pipefail
# shellcheck source=common.sh
source "${JOBSCRIPTS:-${SLURM_SUBMIT_DIR:-.}/jobscripts}/common.sh"

# The number of parts is not SLURM_ARRAY_TASK_COUNT where only some of them are run again.
part=(--shard "${SLURM_ARRAY_TASK_ID:-0}/$SHARDS")
if [ $# -gt 0 ]; then
  run simtool embed "$@" "${part[@]}"
else
  cd "$STUDY"
  for table in "${EMBED[@]}"; do
    # shellcheck disable=SC2086 # several options
    run simtool embed "$STIMULI" --model $table "${part[@]}"
  done
fi
