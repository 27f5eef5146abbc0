# shellcheck shell=bash
# What every job does first, and how a training survives its time limit. The stages beside this file source it.
set -euo pipefail

jobscripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ -f "$jobscripts/site.env" ]; then
  # shellcheck source=sites/generic.env
  source "$jobscripts/site.env"
fi
# shellcheck source=study.env
source "$jobscripts/study.env"
STUDY=$(cd "$jobscripts/.." && mkdir -p "$STUDY" && cd "$STUDY" && pwd -P)

if [ -n "${MODULES:-}" ]; then
  set +u # the functions behind module use variables that are not set
  module purge
  # shellcheck disable=SC2086 # several names
  module load $MODULES
  set -u
fi
VENV=${VENV:-$jobscripts/../.venv}
PATH=$VENV/bin:$PATH
command -v simtool >/dev/null || { echo "no simtool in $VENV: make setup, or set VENV in jobscripts/site.env" >&2; exit 1; }

# As many threads as the job has cores, whatever else the node has. srun does not take -c over from sbatch by itself.
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-$(nproc)}
export TF_NUM_INTRAOP_THREADS=$OMP_NUM_THREADS
export SRUN_CPUS_PER_TASK=$OMP_NUM_THREADS

in_job() { [ -n "${SLURM_JOB_ID:-}" ]; }

# Run a command on every task of the job; without SLURM, just run it.
run() { if in_job; then srun "$@"; else "$@"; fi; }

# Copy a folder of the study to the nodes' own disks where the site has some, and go to where it lies.
# Tables name their photographs relative to themselves, so that they find the copies.
stage_in() {
  cd "$STUDY"
  in_job && [ -n "${LOCAL:-}" ] || return 0
  local place=$LOCAL/simtool-$SLURM_JOB_ID
  local each_node=(srun --ntasks="$SLURM_NNODES" --ntasks-per-node=1)
  "${each_node[@]}" mkdir -p "$place"
  "${each_node[@]}" cp -r "$STUDY/$1" "$place"
  cd "$place"
}

# Run a training so that it outlives its job. SLURM sends USR1 to every task ahead of the time limit (#SBATCH --signal);
# the training saves and ends with code 85, and the job goes back into the queue to go on from there. So it does if a
# task was killed, provided that there is a new checkpoint to go on from.
# --wait: when one task fails, the others, which cannot go on without it, are ended a minute later.
train() {
  in_job || { "$@"; return; }
  local code=0 job=$SLURM_JOB_ID before
  # The bare id of one task of an array is the id of the whole array, too.
  [ -z "${SLURM_ARRAY_TASK_ID:-}" ] || job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
  before=$(newest_checkpoint "$@")
  srun --wait=60 "$@" || code=$?
  case $code in
    85) ;;          # saved: run me again
    75) # simtool has waited for it already
      echo "another process is at work in the model's folder (see above): this job is not run again" >&2
      return "$code" ;;
    138) code=85 ;; # ended by USR1 before it had begun: there was nothing to save
    1[3-9]?)        # a task was killed
      if [ "$(newest_checkpoint "$@")" = "$before" ]; then
        echo "a task was killed (code $code) before this run had saved anything: it is not run again" >&2
        return "$code"
      fi ;;
    *) return "$code" ;;
  esac
  # A job that was canceled or has met its limit is not RUNNING any more, and shall not rise again.
  if [ "$(squeue -h -j "$job" -o %T)" = RUNNING ] && [ "${SLURM_RESTART_COUNT:-0}" -lt "${MOST_RESTARTS:-100}" ]; then
    scontrol requeue "$job"
    sleep 600 # SLURM ends the script; if the script ended first, the job would count as failed
  fi
  return "$code"
}

# The newest checkpoint of a training, given the words of its command.
newest_checkpoint() { find "$(after_out "$@")/training/checkpoints" -name 'step-*.npz' 2>/dev/null | sort | tail -n 1 || true; }

# The words that follow --out, one a line.
after_out() {
  local word before=
  for word in "$@"; do
    [ "$before" != --out ] || echo "$word"
    before=$word
  done
}

# The tables of vectors that lines of EMBED write, one a line.
outputs() {
  local line
  for line in "$@"; do
    # shellcheck disable=SC2086 # several words
    after_out $line
  done
}
