#!/usr/bin/env bash
# OpenVINO 2026.4.1, Python 3.11, Linux x86-64: the first compile_model of a Core replaces the alternate signal stack of
# the calling thread, also one that faulthandler has set, by a smaller one. The Core puts the earlier one back when it is
# destroyed.
#
# Python's handlers of signals run on the alternate signal stack, if there is one. So the lifetime of an OpenVINO object
# decides where the handlers of the whole program run. With several Cores, the order in which they are destroyed matters:
# in one order, the thread keeps a stack whose memory has been freed, and the next signal (Ctrl-C, SIGTERM) ended the
# process by a segmentation fault, without a message from faulthandler. One Core that lasts as long as the process avoids
# this. This script uses one Core only, and sends no signal.
#
# Observed: without OpenVINO 16,880 bytes (faulthandler); after compile_model 11,568 bytes at another address; after the
# Core is destroyed the stack of faulthandler again. The sizes depend on the processor.
#
# Exit code 0: the stack is still replaced, by a smaller one, and put back. Other exit codes: it has changed, or the
# packages cannot be installed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check openvino==2026.4.1 numpy==2.4.6
"$place/venv/bin/python" - <<'PY'
import ctypes
import faulthandler
import gc
import sys

# Without this, the import reports itself over the network.
sys.modules["openvino_telemetry"] = None
import numpy as np
import openvino


class Stack(ctypes.Structure):
    _fields_ = [("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


def stack():
    found = Stack()
    ctypes.CDLL(None).sigaltstack(None, ctypes.byref(found))
    return found.address, found.size


faulthandler.enable()
first = stack()
images = openvino.opset13.parameter([1, 3], np.float32)
model = openvino.Model([openvino.opset13.relu(images)], [images])
compiled = openvino.Core().compile_model(model, "CPU")
second = stack()
del compiled
gc.collect()
third = stack()
print(f"bytes of the signal stack: {first[1]:,} of faulthandler, {second[1]:,} after compile_model, {third[1]:,} at last")
raise SystemExit(not (first[0] != second[0] and second[1] < first[1] and third == first))
PY
