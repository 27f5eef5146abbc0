#!/usr/bin/env bash
# TensorFlow 2.21.0, Python 3.11, on a processor: tf.random.stateless_uniform and stateless_normal give other numbers in a
# function with jit_compile=True than outside it, for the same seed and the same device. With alg="philox" they agree.
#
# The functions are documented as deterministic: the same seed and shape give the same numbers. One expects jit_compile
# to change no numbers but the last bits of sums. With the default alg="auto_select", XLA on a processor uses another
# generator. A training that is compiled, or resumes compiled, draws other noise, without a message.
#
# Observed, seed (1, 2), stateless_uniform of four values: 0.844 0.192 0.996 0.160 outside, 0.258 0.405 0.922 0.086 with
# jit_compile. Outside, eager execution and tf.function agree.
#
# Exit code 0: the default differs by jit_compile, and philox does not. Other exit codes: it has changed, or the package
# cannot be installed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check tensorflow==2.21.0
export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=
"$place/venv/bin/python" - <<'PY' 2>/dev/null
import sys

import tensorflow as tf


def same(alg):
    def draw():
        return tf.random.stateless_uniform((4,), [1, 2], alg=alg)

    eager, graph, compiled = (f().numpy() for f in (draw, tf.function(draw), tf.function(draw, jit_compile=True)))
    print(alg, "outside", eager, "with jit_compile", compiled)
    assert (eager == graph).all()
    return bool((eager == compiled).all())


sys.exit((same("auto_select"), same("philox")) != (False, True))
PY
