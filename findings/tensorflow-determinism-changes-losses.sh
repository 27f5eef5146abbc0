#!/usr/bin/env bash
# TensorFlow 2.21.0, Python 3.11, on a CPU: enable_op_determinism() changes the gradients of cross-entropy, and the values
# of the sparse one, although all were the same in every run before.
#
# One expects that deterministic operations give one of the results that the usual operations can give; on a CPU, where
# repeated runs agree to the last bit, that would be the same result. But with determinism, the gradient of
# softmax_cross_entropy_with_logits, and value and gradient of sparse_softmax_cross_entropy_with_logits, are computed by
# other operations, whose rounding differs. Convolutions keep their bits. A training on a CPU with determinism therefore
# ends with other weights than without it, and a program that switches it on when it resumes a training does not continue
# the same training.
#
# Observed: two processes without determinism print equal hashes, two processes with it print equal hashes; between the
# two, the hashes of the sparse loss and of both gradients differ, and those of the convolution and of the dense loss
# are equal. The values differ by less than 1e-6.
#
# Exit code 0: as observed. Other exit codes: it has changed, or the package cannot be installed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check tensorflow==2.21.0
export TF_CPP_MIN_LOG_LEVEL=3
for mode in usual usual deterministic deterministic; do
  "$place/venv/bin/python" - "$mode" "$place/$mode.npz" <<'PY' 2>/dev/null
import hashlib
import sys

import numpy as np
import tensorflow as tf

if sys.argv[1] == "deterministic":
    tf.config.experimental.enable_op_determinism()
random = np.random.default_rng(0)
images = tf.constant(random.normal(size=(8, 16, 16, 4)).astype("float32"))
kernel = tf.constant(random.normal(size=(3, 3, 4, 8)).astype("float32"))
logits = tf.constant(random.normal(size=(64, 10)).astype("float32"))
labels = tf.constant(random.integers(0, 10, 64))
found = {"convolution": tf.nn.conv2d(images, kernel, 1, "SAME")}
for name, loss in (
    ("sparse", lambda: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)),
    ("dense", lambda: tf.nn.softmax_cross_entropy_with_logits(labels=tf.one_hot(labels, 10), logits=logits)),
):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        found[name] = loss()
    found[f"{name} gradient"] = tape.gradient(found[name], logits)
values = {name: tensor.numpy() for name, tensor in found.items()}
np.savez(sys.argv[2], **values)
print(sys.argv[1], *(f"{name}={hashlib.sha256(value).hexdigest()[:8]}" for name, value in values.items()))
PY
done | tee "$place/hashes"
[ "$(sort -u "$place/hashes" | wc -l)" = 2 ]
"$place/venv/bin/python" - "$place" <<'PY'
import sys

import numpy as np

usual, deterministic = (np.load(f"{sys.argv[1]}/{mode}.npz") for mode in ("usual", "deterministic"))
for name in ("convolution", "dense"):
    assert np.array_equal(usual[name], deterministic[name]), name
for name in ("sparse", "sparse gradient", "dense gradient"):
    assert not np.array_equal(usual[name], deterministic[name]), name
    assert np.abs(usual[name] - deterministic[name]).max() < 1e-6, name
PY
