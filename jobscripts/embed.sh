#!/usr/bin/env bash
# Embed images; each array task writes one part of each table. To repeat a failed part: sbatch --array=3 ...
#SBATCH --job-name=embed
#SBATCH --output=logs/%x-%A_%a.out
#SBATCH --open-mode=append
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

# Every task of srun writes one part: SHARDS parts, or four times as many with --ntasks=4. simtool reads the part from
# the numbers of the array. They must be the numbers of the whole array, even if only some tasks run again.
export SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=$((SHARDS - 1)) SLURM_ARRAY_TASK_STEP=1 SLURM_ARRAY_TASK_COUNT=$SHARDS
if [ $# -gt 0 ]; then
  run simtool embed "$@"
else
  cd "$STUDY"
  for table in "${EMBED[@]}"; do
    # shellcheck disable=SC2086 # several options
    run simtool embed "$STIMULI" --model $table
  done
fi
