#!/usr/bin/env bash
# numba 0.68.1, NumPy 2.4.6, SciPy 1.17.1, Python 3.11: the first call of any compiled function imports scipy.linalg, and with it
# numpy.f2py, where SciPy is installed. The function needs no linear algebra.
#
# One expects SciPy to be loaded only by functions that use numpy.linalg. But the first compilation sets up the whole list of
# helper functions of the run-time library, among them those of BLAS, and asks scipy.linalg for their addresses. In a
# short program this import can take longer than the compiled work. If scipy.linalg cannot be imported,
# the same function compiles and runs.
#
# Observed: modules before the call: scipy, but neither of the two; after it: scipy.linalg and numpy.f2py. The call takes .23 to .28 s with the
# import and .10 s without (two cores; the function returns its argument).
#
# Exit code 0: the first call still imports scipy.linalg, and does without. Other exit codes: it has changed, or the packages
# cannot be installed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check numba==0.68.1 scipy==1.17.1 numpy==2.4.6
cat >"$place/call.py" <<'PY'
import sys
import time

import numba

if sys.argv[1] == "without":
    sys.modules["scipy.linalg"] = None  # its import raises ModuleNotFoundError
before = [name for name in ("scipy.linalg", "numpy.f2py") if name in sys.modules]
start = time.perf_counter()
result = numba.njit(lambda x: x)(1)
seconds = time.perf_counter() - start
after = [name for name in ("scipy.linalg", "numpy.f2py") if sys.modules.get(name)]
print(f"{sys.argv[1]}: before {before}, after {after}, result {result}, {seconds:.2f} s")
expected = ["scipy.linalg", "numpy.f2py"] if sys.argv[1] == "with" else []
raise SystemExit(not (before == [] and after == expected and result == 1))
PY
"$place/venv/bin/python" "$place/call.py" with
"$place/venv/bin/python" "$place/call.py" without
