#!/usr/bin/env bash
# Train ResNet50 on one GPU. With --nodes=2 --gres=gpu:4 it uses eight GPUs, with one task per node.
#SBATCH --job-name=train-resnet
#SBATCH --output=logs/%x-%j.out
#SBATCH --open-mode=append
#SBATCH --time=24:00:00
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --mem-per-cpu=4G
#SBATCH --gres=gpu:1
#SBATCH --requeue
#SBATCH --signal=USR1@300
set -euo pipefail
# shellcheck source=common.sh
source "${JOBSCRIPTS:-${SLURM_SUBMIT_DIR:-.}/jobscripts}/common.sh"

if [ $# -eq 0 ]; then
  stage_in
  # shellcheck disable=SC2086 # several options
  set -- "$IMAGES" --device "$DEVICE" --out "$STUDY/resnet" $RESNET
fi
train simtool train-resnet "$@"
