#!/usr/bin/env bash
# numba 0.68.1, NumPy 2.4.6, Python 3.11: a cached function that takes a compiled function as an argument is compiled
# again in every process, and every process adds a file to the cache.
#
# With cache=True, numba saves the machine code, and the next process loads it. Numba's pull request 6373 (2020) added
# functions with callable arguments. They are saved, but the saved code is never found: the next process reports a cache
# miss, compiles again, and saves one more file. A loop that takes an integer instead of a function, to
# choose the operation, is loaded from the cache.
#
# Observed in three processes, one after the other:
#   argument is a function: misses 1 1 1, files of machine code 1 2 3
#   argument is an integer: misses 1 0 0, files of machine code 1 1 1
#
# Exit code 0: the behaviour is unchanged. Other exit codes: it has changed, or the package cannot be installed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check numba==0.68.1 numpy==2.4.6
cat > "$place/loops.py" <<'PY'
import sys
from pathlib import Path

import numba
import numpy as np


@numba.njit(cache=True)
def difference(x, y):
    return abs(x - y)


@numba.njit(cache=True)
def by_function(operation, a, b):
    total = 0.0
    for i in range(a.size):
        total += operation(a[i], b[i])
    return total


@numba.njit(cache=True)
def by_integer(operation, a, b):
    total = 0.0
    for i in range(a.size):
        total += abs(a[i] - b[i]) if operation == 0 else a[i] * b[i]
    return total


a, b = np.arange(4.0), np.ones(4)
loop, argument = {"function": (by_function, difference), "integer": (by_integer, 0)}[sys.argv[1]]
assert loop(argument, a, b) == 4.0
files = len(list(Path(__file__).with_name("__pycache__").glob(f"loops.{loop.__name__}-*.nbc")))
print(sum(loop.stats.cache_misses.values()), files)
PY
declare -A misses files
for kind in function integer; do
  for _ in 1 2 3; do
    read -r missed saved < <("$place/venv/bin/python" "$place/loops.py" "$kind")
    misses[$kind]+=" $missed"
    files[$kind]+=" $saved"
  done
done
echo "argument is a function: misses${misses[function]}, files of machine code${files[function]}"
echo "argument is an integer: misses${misses[integer]}, files of machine code${files[integer]}"
[ "${misses[function]}/${files[function]}" = " 1 1 1/ 1 2 3" ] && [ "${misses[integer]}/${files[integer]}" = " 1 0 0/ 1 1 1" ]
