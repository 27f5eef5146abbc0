#!/usr/bin/env bash
# Submit the whole study: every stage that is not complete. Each stage starts after the stages that it needs.
#   jobscripts/study.sh [--dry-run] [options of sbatch, for every job]
# You can run it again at any time: complete stages are skipped, queued stages stay, failed stages are submitted.
set -euo pipefail
JOBSCRIPTS=$(cd "$(dirname "$0")" && pwd)
export JOBSCRIPTS
declare -A OPTIONS=() # options of single stages, from site.env
# shellcheck source=common.sh
source "$JOBSCRIPTS/common.sh"

dry_run=
[ "${1:-}" != --dry-run ] || { dry_run=yes; shift; }
export STUDY
mkdir -p "$STUDY/logs"
options=("$@")
exec 3>&2
[ -z "$dry_run" ] || exec 3>/dev/null # a dry run needs no SLURM
queue=$(squeue --me -h -o '%F|%j|%Z' 2>&3) || [ -n "$dry_run" ]

declare -A job=() # job id of each stage that is not complete; in a dry run its name

say() { printf '%-28s %-10s %s\n' "$@"; }

# due NAME "STAGES IT NEEDS" FILE...: a stage must run if one of its files is missing, or if a stage that it needs runs.
due() {
  local name=$1 stage file
  for stage in $2; do [ -z "${job[$stage]:-}" ] || return 0; done
  for file in "${@:3}"; do (cd "$STUDY" && [ -e "$file" ]) || return 0; done
  say "$name" - "finished"
  return 1
}

# submit NAME "STAGES IT NEEDS" SCRIPT [OPTION...] [-- ARGUMENT...]
submit() {
  local name=$1 script=$3 command stage ids="" names=""
  for stage in $2; do
    [ -z "${job[$stage]:-}" ] || { ids+=:${job[$stage]}; names+=" $stage"; }
  done
  job[$name]=$(awk -F'|' -v name="$name" -v study="$STUDY" '$2 == name && $3 == study { print $1; exit }' <<<"$queue")
  if [ -n "${job[$name]}" ]; then
    say "$name" "${job[$name]}" "in the queue already"
    return
  fi
  command=(sbatch --parsable --chdir="$STUDY" --job-name="$name")
  [ -z "$ids" ] || command+=(--dependency="afterok$ids" --kill-on-invalid-dep=yes)
  shift 3
  while [ $# -gt 0 ] && [ "$1" != -- ]; do command+=("$1") && shift; done
  # shellcheck disable=SC2206 # several options
  command+=(${OPTIONS[$script]:-} "${options[@]}" "$JOBSCRIPTS/$script.sh" "${@:2}")
  if [ -n "$dry_run" ]; then
    job[$name]=$name
    say "$name" - "${names:+after$names}"
    echo "   $(printf ' %q' "${command[@]}")"
  else
    job[$name]=$("${command[@]}")
    job[$name]=${job[$name]%%;*} # with several clusters, the name of the cluster follows
    say "$name" "${job[$name]}" "${names:+after$names}"
  fi
}

fetch() {
  due "$1" "" "$2" || return 0
  if [ "${FETCH:-here}" = job ]; then
    submit "$1" "" "$1"
  elif [ -n "$dry_run" ]; then
    say "$1" here "bash $(printf %q "$JOBSCRIPTS/$1.sh")"
  else
    say "$1" here ""
    bash "$JOBSCRIPTS/$1.sh"
  fi
}

stage() { if due "$1" "$2" "${@:3}"; then submit "$1" "$2" "$1"; fi; }

# The missing parts of tables of vectors, as a value of --array.
missing_parts() {
  local part table name found=""
  for ((part = 0; part < SHARDS; part++)); do
    printf -v name 'part-%05d-of-%05d.parquet' "$part" "$SHARDS"
    for table in "$@"; do
      [ -e "$STUDY/$table/$name" ] || { found+=,$part && break; }
    done
  done
  echo "${found#,}"
}

# embed "LINE OF EMBED": only the missing parts, unless the model is trained again.
embed() {
  local needs=fetch-judgments made_by="" parts written name
  case $1 in
    pca\ *) made_by=fit-pca ;;
    resnet\ *) made_by=train-resnet ;;
    glow\ *) made_by=train-glow ;;
  esac
  needs+=" $made_by"
  mapfile -t written < <(outputs "$1")
  name=embed-$(basename "${written[0]}")
  parts=$(missing_parts "${written[@]}")
  [ -n "$parts" ] || due "$name" "$needs" || return 0
  [ -n "$parts" ] && [ -z "${job[${made_by:-none}]:-}" ] || parts=0-$((SHARDS - 1))
  # shellcheck disable=SC2086 # several options
  submit "$name" "$needs" embed --array="$parts" -- "$STIMULI" --model $1
  embedded+=" $name"
}

uses() { printf '%s\n' "${EMBED[@]}" | grep -q "^$1 "; }

embedded=""
fetch fetch-cub "$IMAGES"
fetch fetch-judgments "$TRIALS"
if uses glow; then stage train-glow fetch-cub glow/model.json; fi
if uses resnet; then stage train-resnet fetch-cub resnet/model.json; fi
if uses pca; then stage fit-pca fetch-cub pca/model.json; fi
for line in "${EMBED[@]}"; do embed "$line"; done
stage score "fetch-judgments$embedded" "${OUTCOMES[@]}"
stage report score report.html report.csv report.json
[ -n "${job[report]:-}" ] || say "" "" "The report is in $STUDY/report.html"
