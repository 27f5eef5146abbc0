#!/usr/bin/env bash
# TensorFlow 2.21.0, Python 3.11: the outputs of a signature of a loaded SavedModel are in another order in each process,
# also if PYTHONHASHSEED is fixed.
#
# The function that is saved returns a dictionary with five outputs. After tf.saved_model.load, both the result of the
# signature and its structured_outputs are dictionaries of the same five names, but their order differs from process to
# process. One expects the order of the function, or the alphabetical order. A program that takes "the first output" of a
# signature, or stacks its values, gets other features in each run, without a message. Take outputs by name.
#
# Observed in four processes with PYTHONHASHSEED=0 (first two names): layer_1 layer_2; layer_2 layer_1; pre layer_1; ...
#
# Exit code 0: eight processes show at least two orders of the same names. Other exit codes: it has changed, or the package
# cannot be installed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check tensorflow==2.21.0
export TF_CPP_MIN_LOG_LEVEL=3 PYTHONHASHSEED=0
"$place/venv/bin/python" - "$place/model" <<'PY' 2>/dev/null
import sys

import tensorflow as tf

module = tf.Module()


@tf.function(input_signature=[tf.TensorSpec((None, 3))])
def features(x):
    return {"pre": x, "logits": x + 1, "triplets": x + 2, "layer_1": x * 3, "layer_2": x * 4}


module.features = features
tf.saved_model.save(module, sys.argv[1], signatures={"serving_default": features})
PY
for _ in 1 2 3 4 5 6 7 8; do
  "$place/venv/bin/python" - "$place/model" <<'PY' 2>/dev/null
import sys

import tensorflow as tf

print(*tf.saved_model.load(sys.argv[1]).signatures["serving_default"](tf.zeros((1, 3))))
PY
done | tee "$place/orders"
[ "$(sort -u "$place/orders" | wc -l)" -gt 1 ] && [ "$(tr ' ' '\n' <"$place/orders" | sort | uniq -c | awk '{print $1}' | sort -u)" = 8 ]
