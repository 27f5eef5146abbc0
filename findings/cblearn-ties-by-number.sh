#!/usr/bin/env bash
# cblearn 0.4.0, NumPy 1.26.4, scikit-learn 1.7.2, Python 3.11: what triplet_response answers for two equal distances depends on the
# numbers of the two objects, and not on their columns.
#
# One expects a tie to go to a certain column, to be undecided, or to be random. But triplet_response first sorts columns
# 2 and 3 of the queries by the number of the object, and then asks whether the difference of the distances is negative.
# So a tie always says that the object with the larger number is nearer, also after the two columns are exchanged.
# A model with equal vectors for all objects then agrees with people as often as people chose the larger number: in data
# whose objects are numbered by name, by class or by frequency, that is not one half.
#
# Observed, 4 objects with equal vectors:
#   query (0, 1, 2): "1 is nearer" False; query (0, 2, 1): "2 is nearer" True; with distances 1 and 2 both agree
#
# Exit code 0: the answers for ties still follow the numbers. Other exit codes: it has changed, or the packages cannot be
# installed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check cblearn==0.4.0 scikit-learn==1.7.2 numpy==1.26.4
"$place/venv/bin/python" - <<'PY'
import numpy as np
from cblearn.datasets import triplet_response

given, exchanged = np.array([[0, 1, 2]]), np.array([[0, 2, 1]])


def answers(vectors):
    found = []
    for queries in (given, exchanged):
        result = triplet_response(queries, vectors, result_format="list-boolean")
        order, response = result if isinstance(result, tuple) else (queries, result)
        # The object that the response calls nearer, in the order of columns that the library returns.
        found.append(int(np.asarray(order)[0, 1 if bool(np.asarray(response)[0]) else 2]))
    return found


tied = answers(np.zeros((4, 2)))
clear = answers(np.array([[0.0, 0], [1, 0], [2, 0], [9, 9]]))
print(f"nearer to 0 if all distances are equal: {tied}; if 1 is nearer: {clear}")
raise SystemExit(not (tied == [2, 2] and clear == [1, 1]))
PY
