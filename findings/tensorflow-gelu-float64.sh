#!/usr/bin/env bash
# TensorFlow 2.21.0, Python 3.11: tf.nn.gelu of float64 has the precision of float32, in both of its forms.
#
# The constants of the formulas, sqrt(2) and 0.044715, become float32 tensors before they are cast to the type of the
# input. One expects float64 results to be right to about 1e-16. A float64 run, which people make to measure the rounding
# of float32, then differs from NumPy and JAX by 1e-9 to 1e-8, which looks like an error of the program.
#
# Observed largest errors for 1,001 values from -5 to 5, relative to max(1, |value|):
#   exact form (erf): 5.0e-09; approximation (tanh): 9.0e-10
#
# Exit code 0: both forms differ from NumPy in float64 by more than 1e-10. Other exit codes: it has changed, or the package
# cannot be installed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check tensorflow==2.21.0
export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=
"$place/venv/bin/python" - <<'PY' 2>/dev/null
import math
import sys

import numpy as np
import tensorflow as tf

x = np.linspace(-5, 5, 1001)
exact = np.array([0.5 * each * (1 + math.erf(each / math.sqrt(2))) for each in x])
tanh = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
worst = []
for approximate, expected in ((False, exact), (True, tanh)):
    found = tf.nn.gelu(tf.constant(x, tf.float64), approximate=approximate).numpy()
    assert found.dtype == np.float64
    worst.append(float(np.max(np.abs(found - expected) / np.maximum(1, np.abs(expected)))))
print("largest errors: exact form %.1e, approximation %.1e" % tuple(worst))
sys.exit(not all(error > 1e-10 for error in worst))
PY
