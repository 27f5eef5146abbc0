#!/usr/bin/env bash
# NumPy 2.4.6, Python 3.11: np.unique of distinct integers takes many times as long as np.sort of the same integers,
# even if they already ascend.
#
# Since NumPy 2.3, np.unique puts the values into a hash table. If most values repeat, that is fast. If all values are
# distinct, as in a column of identifiers, the table grows with the values and does not fit the caches. A sort and a
# comparison of neighbors give the same result. np.unique itself sorts if it also returns indices, and is then faster,
# although it returns more.
#
# Observed on an AMD EPYC with AVX-512, 1,000,000 ascending int64, relative to np.sort (5 ms):
#   np.unique(x) 100 to 130, np.unique(x, return_index=True) 1 to 17, sort and comparison of neighbors 1 to 2
#
# Exit code 0: np.unique still takes more than 5 times as long as the sort and comparison, and returning indices as well
# is faster. Other exit codes: it has changed, or the package cannot be installed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6
"$place/venv/bin/python" - <<'PY'
import statistics
import time

import numpy as np


def sorted_distinct(values):
    ordered = np.sort(values)
    first = np.ones(ordered.size, bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]


def seconds(function, values):
    times = []
    for _ in range(7):
        start = time.perf_counter()
        function(values)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


values = np.arange(1_000_000)
assert np.array_equal(np.unique(values), sorted_distinct(values))
base = seconds(np.sort, values)
unique = seconds(np.unique, values)
indices = seconds(lambda x: np.unique(x, return_index=True), values)
neighbors = seconds(sorted_distinct, values)
print(f"np.sort {base * 1e3:.1f} ms; relative to it: np.unique {unique / base:.0f}, "
      f"np.unique with indices {indices / base:.0f}, sort and comparison {neighbors / base:.1f}")
raise SystemExit(not (unique > 5 * neighbors and indices < unique))
PY
