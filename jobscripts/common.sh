# shellcheck shell=bash
# The start of every job, and how a training survives its time limit. All stages source this file.
set -euo pipefail

stop() { echo "$1" >&2; exit 1; }

jobscripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ -f "$jobscripts/site.env" ]; then
  # shellcheck source=sites/generic.env
  source "$jobscripts/site.env"
fi
# shellcheck source=study.env
source "$jobscripts/study.env"
# The tables that score writes and report reads.
# shellcheck disable=SC2034 # for these scripts
OUTCOMES=(outcomes.parquet ${SEGMENTED:+outcomes-by-segment.parquet})
STUDY=$(cd "$jobscripts/.." && mkdir -p "$STUDY" && cd "$STUDY" && pwd -P)

if [ -n "${MODULES:-}" ]; then
  set +u # the functions behind module use variables that are not set
  module purge
  # shellcheck disable=SC2086 # several names
  module load $MODULES
  set -u
fi
# simtool runs in the image CONTAINER, or without one in the environment VENV.
if [ -n "${CONTAINER:-}" ]; then
  read -ra container_command <<<"${CONTAINER_COMMAND:-apptainer exec --nv}"
  program=${container_command[0]}
  container_command[0]=$(type -P "$program") ||
    stop "no $program here to run the image $CONTAINER: name its module in MODULES, or set CONTAINER_COMMAND in jobscripts/site.env"
  case ${program##*/}:$CONTAINER in
    *://*) ;; # in a registry
    apptainer:* | singularity:*)
      CONTAINER=$(cd "$jobscripts/.." && realpath -m -- "$CONTAINER")
      [ -r "$CONTAINER" ] || stop "no image $CONTAINER: build it (docs/containers.md), or change CONTAINER in jobscripts/site.env" ;;
  esac
else
  VENV=${VENV:-$jobscripts/../.venv}
  PATH=$VENV/bin:$PATH
  command -v simtool >/dev/null || stop "no simtool in $VENV: make setup, or set VENV in jobscripts/site.env"
fi

# Use as many threads as the job has cores. srun does not inherit -c from sbatch.
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-${OMP_NUM_THREADS:-$(nproc)}}
export TF_NUM_INTRAOP_THREADS=$OMP_NUM_THREADS
export SRUN_CPUS_PER_TASK=$OMP_NUM_THREADS

# Whether this is the script of a job, which starts its tasks. A script that srun has started is a task itself.
in_job() { [ -n "${SLURM_JOB_ID:-}" ] && [ -z "${SLURM_STEP_ID:-}" ]; }

[ -z "${SLURM_HET_SIZE:-}" ] ||
  stop "a heterogeneous job would use its first component only: submit one job for all nodes, without the colon"

# Set `inside` to the words that run a command in the image, with the folders that it needs; without an image, to none.
# srun stays outside: it starts one container for each task.
enter() {
  inside=()
  [ -n "${CONTAINER:-}" ] || return 0
  local folder seen=:
  for folder in "$STUDY" "$PWD" "${TMPDIR:-/tmp}"; do
    case $seen in *":$folder:"*) continue ;; esac
    case $folder in *,*) stop "a container cannot use $folder: --mount takes the comma for the end of the path" ;; esac
    [ ! -d "$folder" ] || inside+=(--mount "type=bind,source=$folder,destination=$folder")
    seen+=$folder:
  done
  inside=("${container_command[@]}" "${inside[@]}" "$CONTAINER")
}

# Run a command in every task of the job; in a task or without SLURM, run it once. A job that was preempted is requeued.
run() {
  enter
  in_job || { "${inside[@]}" "$@"; return; }
  local code=0 before
  before=$(preempted_at)
  srun "${inside[@]}" "$@" || code=$?
  [ "$code" -eq 0 ] || [ "$(preempted_at)" = "$before" ] || requeue
  return "$code"
}

# The id of the job. For a task of an array, the plain id can also mean the whole array.
job_id() { if [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then echo "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"; else echo "$SLURM_JOB_ID"; fi; }

# When the job was preempted; None if it was not. Where a partition has a GraceTime, SLURM first sends TERM to every
# task. It does not requeue a job that ends within this time, so the script does.
preempted_at() { scontrol show job "$(job_id)" | grep -o 'PreemptTime=[^ ]*' || true; }

# Requeue the job, up to MOST_RESTARTS times. A job that was canceled or reached its limit is no longer RUNNING, and is
# not requeued.
requeue() {
  [ "$(squeue -h -j "$(job_id)" -o %T)" = RUNNING ] && [ "${SLURM_RESTART_COUNT:-0}" -lt "${MOST_RESTARTS:-100}" ] || return 0
  scontrol requeue "$(job_id)" || return 0
  sleep 600 # wait until SLURM ends the script; if the script ended first, the job would count as failed
}

# Copy the folder of IMAGES to the local disks of the nodes (if the site has them), change to the disk, and let IMAGES
# name the copy. Tables name their images by relative paths, so they find the copies.
stage_in() {
  cd "$STUDY"
  [ -n "${SLURM_JOB_ID:-}" ] && [ -n "${LOCAL:-}" ] || return 0
  local place=$LOCAL/simtool-$SLURM_JOB_ID each_node=() folder within
  folder=$(realpath "$(dirname "$IMAGES")")
  within=${folder#"$STUDY"/} # a folder elsewhere keeps its whole path
  within=${within#/}
  ! in_job || each_node=(srun ${SLURM_NNODES:+--ntasks="$SLURM_NNODES"} --ntasks-per-node=1)
  "${each_node[@]}" mkdir -p "$place/$(dirname "$within")"
  "${each_node[@]}" cp -r "$folder" "$place/$(dirname "$within")"
  cd "$place"
  IMAGES=$within/$(basename "$IMAGES")
}

# Run a training that may take longer than its job. SLURM sends USR1 to every task before the time limit (#SBATCH
# --signal). The training saves its state and ends with code 85. The job is requeued and resumes the training. If a task
# was killed, the job is requeued too, provided that there is a new checkpoint.
# --wait: if one task fails, the other tasks cannot continue. SLURM ends them half a minute later.
train() {
  in_job || { run "$@"; return; }
  enter
  local code=0 before preempted
  before=$(newest_checkpoint "$@") preempted=$(preempted_at)
  srun --wait=30 "${inside[@]}" "$@" || code=$?
  case $code in
    85) ;;          # saved: requeue
    75) # simtool has already waited for the other process
      echo "another process uses the model folder (see above): the job is not requeued" >&2
      return "$code" ;;
    138) code=85 ;; # USR1 ended it before it started: there was nothing to save
    69 | 1[3-9]?)   # a task was killed, or its node was lost
      if [ "$(newest_checkpoint "$@")" = "$before" ] && [ "$(preempted_at)" = "$preempted" ]; then
        echo "a task was lost (code $code) before this run saved a checkpoint: the job is not requeued" >&2
        return "$code"
      fi ;;
    *) return "$code" ;;
  esac
  requeue
  return "$code"
}

# The newest checkpoint of a training. Arguments: the words of its command.
newest_checkpoint() { find "$(after_out "$@")/training/checkpoints" -name 'step-*.npz' 2>/dev/null | sort | tail -n 1 || true; }

# The words that follow --out, one per line.
after_out() {
  local word before=
  for word in "$@"; do
    [ "$before" != --out ] || echo "$word"
    before=$word
  done
}

# The tables of vectors that the lines of EMBED write, one per line.
outputs() {
  local line
  for line in "$@"; do
    # shellcheck disable=SC2086 # several words
    after_out $line
  done
}
