#!/usr/bin/env bash
# A real study in one script: do pixels, colors and principal components predict which birds people find similar?
#
#   bash examples/birds16.sh FOLDER
#   bash examples/birds16.sh FOLDER CUB_200_2011.tgz JUDGMENTS PHOTOGRAPHS [CATALOG]
#
# FOLDER gets all files; open FOLDER/page.html at the end. The first form downloads the photographs of CUB-200-2011
# (1.15 GB) and the birds-16 judgments of Roads & Mozer (2019) with their 208 photographs (20 MB). The second form takes
# copies: JUDGMENTS is birds16_rank2019.zip, or psiz's HDF5 file with its CATALOG; PHOTOGRAPHS is birds16_stimuli.zip or
# its folder of images.
#
# NETWORK=keras:ResNet50 adds a network with ImageNet's weights, which the first run downloads.
# SIMTOOL names the command if it is not in your path, for example SIMTOOL=.venv/bin/simtool.
#
# Run the script again to resume: tables that exist are not made again. The photographs are for research, and so is the
# page, which shows them.
set -euo pipefail
folder=${1:?the first argument is the folder for all files} cub=${2:-} judgments=${3:-} photographs=${4:-} catalog=${5:-}
if [ $# -gt 1 ] && [ -z "$photographs" ]; then
  echo "copies are: CUB_200_2011.tgz JUDGMENTS PHOTOGRAPHS [CATALOG]" >&2
  exit 2
fi
simtool() { command "${SIMTOOL:-simtool}" "$@"; }
new() { [ ! -e "$1" ]; }

# 1. The data: photographs to fit models to, the photographs that people saw, and their judgments.
cubs=$folder/cub birds=$folder/birds16
simtool fetch-cub "$cubs" ${cub:+--archive "$cub"}
if [ -z "$catalog" ]; then
  simtool fetch-judgments "$birds" ${judgments:+--archive "$judgments" --archive "$photographs"}
elif new "$birds/trials.parquet"; then
  mkdir -p "$birds"
  simtool index-images "$photographs" --layout group/class --out "$birds/images.parquet"
  simtool import-trials "$judgments" --catalog "$catalog" --images "$birds/images.parquet" --observers human \
    --out "$birds/trials.parquet"
fi

# 2. The models: a table of vectors for each, one vector for each photograph that people saw.
embed() { if new "$folder/$1.parquet"; then simtool embed "$birds/images.parquet" --out "$folder/$1.parquet" "${@:2}"; fi; }
embed pixels --model pixels
embed color --model colour --window 0.5
if new "$folder/pca/model.json"; then simtool fit-pca "$cubs/images.parquet" --out "$folder/pca"; fi
embed pca-100 --model "$folder/pca" --components 100
tables=("$folder"/{pixels,color,pca-100}.parquet)
if [ -n "${NETWORK:-}" ]; then
  embed network --model "$NETWORK"
  tables+=("$folder/network.parquet")
fi

# 3. The result: every judgment predicted by every model, and the page.
simtool score "${tables[@]}" --trials "$birds/trials.parquet" --images "$birds/images.parquet" \
  --out "$folder/outcomes.parquet" >/dev/null
simtool report "$folder/outcomes.parquet" --html "$folder/page.html" --images "$birds/images.parquet" \
  --figure "$folder/accuracy.png"
echo "Open $folder/page.html"
