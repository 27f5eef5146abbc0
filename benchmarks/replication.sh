#!/usr/bin/env bash
# The study's rows beside those of simtool, and rows that the study did not have: from the data to the numbers in
# docs/replication.md.
#
#   benchmarks/replication.sh FOLDER BIRDS16 CUB [LITE2]
#
# FOLDER   gets all models, tables and reports
# BIRDS16  holds images/, catalog_v0.6.0.hdf5 and obs_v0.6.0.hdf5 of the study of Roads & Mozer (2019)
# CUB      the archive of CUB-200-2011, or a part of it in the same layout
# LITE2    holds lite2.onnx and lite2-untrained-0.onnx to -2.onnx of benchmarks/lite2.py; without it, its rows are left out
#
# Run it again to resume. Files that exist are not made again. Trainings on one core: four of Glow (each 18 to 25
# minutes), one of ResNet50 (55 minutes). At the end, tables.md holds all tables, and the SHA-256 of the weights
# of all models.
set -euo pipefail
shopt -s nullglob
folder=$1 birds=$(realpath "$2") cub=$(realpath "$3") lite2=${4:+$(realpath "$4")}
here=$(cd "$(dirname "$0")" && pwd)
simtool=${SIMTOOL:-simtool} python=${PYTHON:-python}
mkdir -p "$folder" && cd "$folder"

seeds="0 1 2"
half="pool=mean+std,window=0.5" # the rule that was fixed beforehand; all other windows are for comparison
whole="pool=mean+std"
# The vectors that learn from judgments, by name.
declare -A reweighted=(
  [ResNet50]=classifier-penultimate.parquet
  [Glow]=glow-0-activations-level-1-pool-mean-std-window-0.5.parquet
  [Lite2]=lite2-pooled.parquet
)

# words LAYER: "level 1, mean+std, window 0.5" for activations/level-1:pool=mean+std,window=0.5.
words() { sed -E 's#activations/##; s#(pool|window|level)[-=]#\1 #g; s#pool ##; s#[:,]#, #g' <<<"$1"; }

# vectors FILES LABEL "LAYER..." OPTION...: a table for each layer that has none.
vectors() {
  local files=$1 label=$2 layer file arguments=()
  for layer in $3; do
    file=$files-$(tr ':/=,+' '-' <<<"$layer").parquet
    [ -e "$file" ] || arguments+=(--layer "$layer" --out "$file" --name "$label, $(words "$layer")")
  done
  [ ${#arguments[@]} = 0 ] || "$simtool" embed images.parquet "${@:4}" "${arguments[@]}"
}

# table FILE OPTION...: a table of embeddings from a model without layers.
table() { [ -e "$1" ] || "$simtool" embed images.parquet --out "$1" "${@:2}"; }

data() {
  sha256sum --check --quiet <<EOF
a660f57c8bd5b0deb54be09d6e71690d298fd6478aa1152c05f259aee1faa67b  $birds/obs_v0.6.0.hdf5
59d0fd22b479ef83a6b5a00ba5d9779fd1e205db1412c5111c558f2626d17457  $birds/catalog_v0.6.0.hdf5
EOF
  [ -e images.parquet ] || "$simtool" index-images "$birds/images" --out images.parquet
  [ -e trials.parquet ] || "$simtool" import-trials "$birds/obs_v0.6.0.hdf5" \
    --catalog "$birds/catalog_v0.6.0.hdf5" --out trials.parquet
  [ -e cub/images.parquet ] || "$simtool" fetch-cub cub --archive "$cub" --sha256 "$(sha256sum "$cub" | cut -d' ' -f1)"
}

# glow NAME OPTION...: the flow of all rows of Glow.
glow() {
  [ -e "$1/model.json" ] || "$simtool" train-glow cub/images.parquet --out "$1" --preset small --size 32 --levels 3 \
    --validation 0.1 --epochs 30 "${@:2}"
}

models() {
  for seed in $seeds; do glow "glow-$seed" --recipe antialiased --seed "$seed"; done
  glow glow-class --recipe antialiased --seed 0 --class-conditional
  [ -e pca/model.json ] || "$simtool" fit-pca cub/images.parquet --out pca
  [ -e resnet64/model.json ] || "$simtool" train-resnet cub/images.parquet --out resnet64 --preset study --recipe caffe \
    --size 64 --decode-scale 1.15 --augmentation field --validation 0.1 --epochs 40 --precision bfloat16 \
    --label-smoothing 0.1 --set optimizer=adamw --set learning-rate=1e-3 --set weight-decay=0.05 \
    --set schedule=cosine --set warmup-steps=300 --set clip-norm=1 --set keep-every=3
}

# The study's rows. The classifier of every third epoch shows when it agrees best with people.
studied() {
  local count seed folder epoch
  for count in 10 100 1000; do
    table "pca-$count.parquet" --model pca --components "$count" --name "PCA $count"
  done
  vectors classifier "ResNet50" "penultimate logits final" --model resnet64
  for folder in resnet64/training/epochs/*/; do
    epoch=$(basename "$folder")
    vectors "epoch-$epoch" "ResNet50 epoch $epoch" "penultimate final" --model "$folder"
  done
  for seed in $seeds; do vectors "glow-$seed" "Glow $seed" pooled --model "glow-$seed"; done
}

# A flow whose prior knows the species.
conditional() {
  vectors glow-class "class-conditional Glow" \
    "latent posterior class-latent class-posterior activations/level-1:$half" --model glow-class
}

simple() {
  table pixels.parquet --model pixels --name "pixels"
  table pixels-antialiased.parquet --model pixels --recipe antialiased --name "pixels antialiased"
  for window in 1 0.75 0.5 0.375 0.25; do
    table "colour-$window.parquet" --model colour --window $window --name "colour, window $window"
    table "colour-32-$window.parquet" --model colour --recipe antialiased --size 32 --window $window \
      --name "colour as Glow sees it, window $window"
  done
  for window in 1 0.5; do
    table "histogram-$window.parquet" --model histogram --window $window --name "histogram, window $window"
    table "gabor-$window.parquet" --model gabor --window $window --name "gabor, window $window"
  done
}

# Does antialiasing change what the study found about pixels and principal components?
antialiasing() {
  local size
  for size in 128 64 32; do
    table "aliased-$size.parquet" --model pixels --size $size --name study
    table "antialiased-$size.parquet" --model pixels --size $size --recipe antialiased --name antialiased
  done
  [ -e pca-antialiased/model.json ] || "$simtool" fit-pca cub/images.parquet --recipe antialiased --out pca-antialiased
  table aliased-PCA.parquet --model pca --components 100 --name study
  table antialiased-PCA.parquet --model pca-antialiased --components 100 --name antialiased
  for size in 128 64 32 PCA; do
    "$simtool" score "aliased-$size.parquet" "antialiased-$size.parquet" --trials trials.parquet \
      --distance mse --distance cosine --out "outcomes-antialiasing-$size.parquet" > /dev/null
    "$simtool" report "outcomes-antialiasing-$size.parquet" --baseline study --json "report-antialiasing-$size.json" > /dev/null
  done
}

flows() {
  local layers="latent activations activations/all:$whole" level window
  for level in 1 2 3; do layers+=" activations/level-$level:$whole activations/level-$level:$half"; done
  layers+=" activations/level-1:pool=surprise"
  for window in 0.75 0.375 0.25; do layers+=" activations/level-1:pool=mean+std,window=$window"; done
  for seed in $seeds; do
    vectors "glow-$seed" "Glow $seed" "$layers" --model "glow-$seed"
    vectors "untrained-glow-$seed" "untrained Glow $seed" "$layers" --model glow-0 --untrained --seed "$seed"
  done
}

# Fewer dimensions, and measured noise: two hypotheses of the study about the latents, with controls.
hypotheses() {
  local seed flow label count
  for seed in $seeds; do
    vectors "glow-$seed" "Glow $seed" posterior --model "glow-$seed"
    vectors "untrained-glow-$seed" "untrained Glow $seed" posterior --model glow-0 --untrained --seed "$seed"
    for flow in glow untrained-glow; do
      label=$([ $flow = glow ] && echo "Glow $seed" || echo "untrained Glow $seed")
      for count in 10 100; do
        [ -e "compressed-$count-$flow-$seed.parquet" ] || "$simtool" compress "$flow-$seed-latent.parquet" \
          --components $count --name "$label, latent, PCA $count" --out "compressed-$count-$flow-$seed.parquet"
      done
    done
  done
}

# Windows of the maps of each stage of a network, and of its untrained controls.
networks() {
  local layers="" block
  for block in conv2_block3_out conv3_block4_out conv4_block6_out conv5_block3_out; do
    layers+=" $block $block:window=0.5 $block:$half"
  done
  vectors resnet64 ResNet50 "$layers" --model resnet64
  for seed in $seeds; do
    vectors "untrained-resnet64-$seed" "untrained ResNet50 $seed" "$layers" --model resnet64 --untrained --seed "$seed"
  done
  [ -n "$lite2" ] || return 0
  layers="features features:window=0.5 features:$half"
  vectors lite2 Lite2 "pooled softmax $layers" --model "$lite2/lite2.onnx"
  for seed in $seeds; do
    vectors "untrained-lite2-$seed" "untrained Lite2 $seed" "$layers" --model "$lite2/lite2-untrained-$seed.onnx"
  done
}

# Does the flow add to colour? Both see the same part of the image. Dimensions are standardized: those of colour have
# different units.
sums() {
  local window seed flow colour table
  for window in 0.5 0.375; do
    colour=colour-32-$window.parquet
    [ -e "standardized-$window-colour.parquet" ] || "$simtool" combine "$colour" --standardize \
      --out "standardized-$window-colour.parquet" --name "standardized colour"
    for seed in $seeds; do
      for flow in "glow-$seed" "untrained-glow-$seed"; do
        table=$flow-activations-level-1-pool-mean-std-window-$window.parquet
        [ -e "standardized-$window-$flow.parquet" ] || "$simtool" combine "$table" --standardize \
          --out "standardized-$window-$flow.parquet" --name "standardized $flow"
        [ -e "sum-$window-$flow-cosine.parquet" ] || "$simtool" combine "$colour" "$table" --standardize \
          --name "colour + $flow" --distance mse --out "sum-$window-$flow-mse.parquet" \
          --name "colour + $flow" --distance cosine --out "sum-$window-$flow-cosine.parquet"
      done
    done
  done
}

# Transforms that learn from judgments, tested on what --hold-out leaves out, and coordinates from judgments alone.
learned() {
  local unit name
  for unit in trial session query image class; do
    for name in "${!reweighted[@]}"; do
      [ -e "${reweighted[$name]}" ] || continue
      [ -e "learned-$name-$unit.parquet" ] || "$simtool" reweight "${reweighted[$name]}" --trials trials.parquet \
        --images images.parquet --hold-out $unit --name "$name" --out "learned-$name-$unit.parquet" > /dev/null
      "$simtool" report "learned-$name-$unit.parquet" --baseline "$name, identity by $unit" \
        --json "report-learned-$name-$unit.json" > /dev/null
    done
  done
  [ -e outcomes-psych.parquet ] || "$simtool" fit-psych trials.parquet --dimensions 8 --out psych.parquet \
    --outcomes outcomes-psych.parquet --name "psychological embedding, 8 dimensions" > /dev/null
}

# Would a softmax over the species explain the judgments? A readout of a good network.
readout() {
  [ -n "$lite2" ] || return 0
  [ -e cub-lite2.parquet ] || "$simtool" embed cub/images.parquet --model "$lite2/lite2.onnx" --layer pooled \
    --out cub-lite2.parquet
  [ -e lite2-species.parquet ] || "$python" "$here/species_readout.py" lite2-pooled.parquet \
    --training cub-lite2.parquet --images cub/images.parquet --name "Lite2, species" --out lite2-species.parquet \
    > readout.txt
}

# judged NAME BASELINE TABLE...: outcomes and reports. The baseline sees the same part of the image as the flow.
judged() {
  "$simtool" score "${@:3}" --trials trials.parquet --images images.parquet --out "outcomes-$1.parquet" > /dev/null
  "$simtool" report "outcomes-$1.parquet" --baseline "$2" --json "report-$1.json" --markdown "report-$1.md" \
    --html "report-$1.html" > /dev/null
}

# Every row of the study's Figure 1, and the rows that it did not have.
figure() {
  local labels="class and group labels:same" rows="" seed
  rows="pixels.parquet pca-10.parquet pca-100.parquet pca-1000.parquet classifier-*.parquet"
  for seed in $seeds; do
    rows+=" glow-$seed-latent.parquet glow-$seed-posterior.parquet glow-$seed-pooled.parquet"
    rows+=" compressed-10-glow-$seed.parquet compressed-100-glow-$seed.parquet"
    rows+=" glow-$seed-activations-level-1-pool-mean-std-window-0.5.parquet untrained-glow-$seed-latent.parquet"
    rows+=" untrained-glow-$seed-activations-level-1-pool-mean-std-window-0.5.parquet"
  done
  rows+=" glow-class-*.parquet colour-1.parquet colour-0.5.parquet colour-32-0.5.parquet histogram-0.5.parquet"
  rows+=" gabor-1.parquet resnet64-conv3_block4_out-pool-mean-std-window-0.5.parquet"
  rows+=" untrained-resnet64-*-conv5_block3_out.parquet"
  [ -z "$lite2" ] || rows+=" lite2-pooled.parquet lite2-softmax.parquet lite2-species.parquet"
  # shellcheck disable=SC2086 # rows are patterns of names
  "$simtool" score $rows --trials trials.parquet --images images.parquet --out outcomes-rows.parquet > /dev/null
  "$simtool" score glow-[0-9]-latent.parquet glow-class-latent.parquet --distance mse/segments --distance cosine/segments \
    --trials trials.parquet --images images.parquet --out outcomes-segments.parquet > /dev/null
  "$simtool" score pixels.parquet --distance cosine/segments --trials trials.parquet --images images.parquet \
    --out outcomes-by-pixel.parquet > /dev/null
  "$simtool" score epoch-*.parquet --trials trials.parquet --images images.parquet --out outcomes-epochs.parquet > /dev/null
  "$python" "$here/choosing.py" outcomes-epochs.parquet --family "ResNet50 best on people, penultimate=*, penultimate" \
    --family "ResNet50 best on people, final=*, final" --out outcomes-chosen-epochs.parquet > epochs.txt
  "$simtool" report outcomes-rows.parquet outcomes-segments.parquet outcomes-by-pixel.parquet outcomes-chosen-epochs.parquet \
    outcomes-psych.parquet --baseline "$labels" --json report-figure.json --sort given > /dev/null
  "$simtool" report outcomes-rows.parquet --baseline pixels --json report-over-pixels.json > /dev/null
  "$simtool" score glow-0-latent.parquet glow-class-latent.parquet --trials trials.parquet --images images.parquet \
    --out outcomes-conditional.parquet > /dev/null
  "$simtool" report outcomes-conditional.parquet --baseline "Glow 0, latent" --json report-conditional.json > /dev/null
  [ -e trials-known.parquet ] || "$python" "$here/known_classes.py" trials.parquet --images images.parquet \
    --training cub/images.parquet --out trials-known.parquet
  rows="pixels.parquet classifier-penultimate.parquet classifier-final.parquet"
  [ -z "$lite2" ] || rows+=" lite2-pooled.parquet lite2-species.parquet"
  # shellcheck disable=SC2086
  "$simtool" score $rows --trials trials-known.parquet --images images.parquet --out outcomes-known.parquet > /dev/null
  "$simtool" report outcomes-known.parquet --by trained_species --baseline "$labels" --json report-known.json > /dev/null
  "$simtool" report outcomes-epochs.parquet --json report-epochs.json > /dev/null
}

reports() {
  local colour="colour as Glow sees it, window 0.5" window
  judged simple pixels pixels*.parquet colour-*.parquet histogram-*.parquet gabor-*.parquet
  judged flow "$colour" colour-32-0.5.parquet pixels.parquet glow-[0-9]-*.parquet untrained-glow-*.parquet \
    compressed-*.parquet
  for window in 0.5 0.375; do
    judged "sum-$window" "standardized colour" "standardized-$window"-*.parquet "sum-$window"-*.parquet
  done
  judged networks "$colour" colour-32-0.5.parquet resnet64*.parquet untrained-resnet64*.parquet ./*lite2-*.parquet
  local families=(--family "colour=colour as Glow*") seed
  for seed in $seeds; do
    families+=(--family "Glow $seed=Glow $seed, level 1, mean+std*")
    families+=(--family "untrained Glow $seed=untrained Glow $seed, level 1, mean+std*")
  done
  "$simtool" score colour-32-*.parquet ./*glow-[0-9]-activations-level-1-pool-mean-std*.parquet --trials trials.parquet \
    --images images.parquet --out outcomes-windows.parquet > /dev/null
  "$python" "$here/choosing.py" outcomes-windows.parquet "${families[@]}" --splits 5 --out chosen-5.parquet > windows.txt
  "$python" "$here/choosing.py" outcomes-windows.parquet "${families[@]}" --out outcomes-chosen.parquet > /dev/null
  "$simtool" report outcomes-chosen.parquet --baseline colour --json report-chosen.json --markdown report-chosen.md > /dev/null
  figure
  "$python" "$here/replication_tables.py" . > tables.md
}

data
models
simple
studied
antialiasing
flows
hypotheses
conditional
networks
sums
learned
readout
reports
