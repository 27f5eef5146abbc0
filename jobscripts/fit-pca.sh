#!/usr/bin/env bash
# Fit principal components to the images.
#SBATCH --job-name=fit-pca
#SBATCH --output=logs/%x-%j.out
#SBATCH --open-mode=append
#SBATCH --time=02:00:00
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --mem-per-cpu=2G
set -euo pipefail
# shellcheck source=common.sh
source "${JOBSCRIPTS:-${SLURM_SUBMIT_DIR:-.}/jobscripts}/common.sh"

if [ $# -eq 0 ]; then
  cd "$STUDY"
  # shellcheck disable=SC2086 # several options
  set -- "$IMAGES" --out pca $PCA
fi
run simtool fit-pca "$@"
