#!/usr/bin/env bash
# Download the photographs of CUB-200-2011 to $STUDY/cub. On a login or transfer node: bash jobscripts/fetch-cub.sh
#SBATCH --job-name=fetch-cub
#SBATCH --output=logs/%x-%j.out
#SBATCH --open-mode=append
#SBATCH --time=02:00:00
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem-per-cpu=2G
set -euo pipefail
# shellcheck source=common.sh
source "${JOBSCRIPTS:-${SLURM_SUBMIT_DIR:-.}/jobscripts}/common.sh"

[ $# -gt 0 ] || set -- "$STUDY/cub"
run simtool fetch-cub "$@"
