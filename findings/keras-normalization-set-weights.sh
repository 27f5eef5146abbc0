#!/usr/bin/env bash
# keras 3.15.1 (JAX backend, jax 0.10.2), Python 3.11: set_weights() has no effect on a Normalization layer.
#
# Normalization has three weights (mean, variance, count). set_weights() and assign() change the result of
# get_weights(), but not the output of the layer. The layer uses copies of the weights, which only finalize_state()
# updates. Loading a .keras or .weights.h5 file calls finalize_state(); copying weights to another network with
# set_weights() does not. For example, an EfficientNet of keras.applications that gets its weights by set_weights()
# runs without normalisation.
#
# Expected: (3 - 1) / sqrt(4) = 1.
# Observed:
#   weights:              [1.0, 4.0, 0]
#   after set_weights:    3.0
#   after finalize_state: 1.0
#
# Exit code 0: the behaviour is unchanged. Other exit codes: it has changed, or the packages cannot be installed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check keras==3.15.1 jax==0.10.2 jaxlib==0.10.2
cat > "$place/check.py" <<'PY'
import keras
import numpy as np

layer = keras.layers.Normalization(axis=-1)
layer.build((None, 1))
layer.set_weights([np.array([1.0]), np.array([4.0]), np.array(0)])
value = np.array([[3.0]], np.float32)
print("weights:             ", [weight.item() for weight in layer.get_weights()])
before = float(layer(value)[0, 0])
print("after set_weights:   ", before)
layer.finalize_state()
after = float(layer(value)[0, 0])
print("after finalize_state:", after)
raise SystemExit(0 if (before, after) == (3.0, 1.0) else 1)
PY
KERAS_BACKEND=jax "$place/venv/bin/python" "$place/check.py"
