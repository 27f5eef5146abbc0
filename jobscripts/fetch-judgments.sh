#!/usr/bin/env bash
# Download the birds-16 judgments and photographs to $STUDY/birds16.
# On a login or transfer node: bash jobscripts/fetch-judgments.sh
#SBATCH --job-name=fetch-judgments
#SBATCH --output=logs/%x-%j.out
#SBATCH --open-mode=append
#SBATCH --time=01:00:00
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem-per-cpu=2G
set -euo pipefail
# shellcheck source=common.sh
source "${JOBSCRIPTS:-${SLURM_SUBMIT_DIR:-.}/jobscripts}/common.sh"

[ $# -gt 0 ] || set -- "$STUDY/birds16"
run simtool fetch-judgments "$@"
