"""Distances of pairs of images in every layout, and their correct content."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.io import savemat

from simtool.rdms.rdm import Request, table_of
from simtool.rdms.reading import read_rdm
from simtool.tables.distances import DistanceTable
from tests.fuzz import values
from tests.fuzz.case import Door, Made
from tests.rdms.written import write_rsatoolbox

__all__ = ["DOORS"]

_Matrix = NDArray[np.float64]
_Writer = Callable[[Path, Sequence[str], _Matrix], Any]


def _pairs(names: Sequence[str], matrix: _Matrix) -> pd.DataFrame:
    """All pairs in both directions, as a table."""
    rows = [(one, two, matrix[at, to]) for at, one in enumerate(names) for to, two in enumerate(names)]
    return pd.DataFrame(rows, columns=["image_1", "image_2", "distance"])


def _triangle(matrix: _Matrix) -> list[float]:
    return [float(matrix[at]) for at in combinations(range(len(matrix)), 2)]


def _tree(path: Path, names: Sequence[str], matrix: _Matrix) -> None:
    task = {"task": {"name": "a"}, "stimuli": [{"name": name} for name in names], "rdm": _triangle(matrix)}
    path.write_text(json.dumps({"tasks": [task]}))


_WRONG = {"nan": np.nan, "infinity": np.inf, "negative": -1.0}


def _named(path: Path, names: Sequence[str], matrix: _Matrix) -> None:
    pd.DataFrame(matrix, pd.Index(names), pd.Index(names)).to_csv(path)


#: The writer of each layout by the suffix of its files; whether it needs names, and whether it is a triangle.
_LAYOUTS: Mapping[str, tuple[_Writer, bool, bool]] = {
    "pairs.parquet": (lambda path, names, matrix: _pairs(names, matrix).to_parquet(path), False, False),
    "pairs.csv": (lambda path, names, matrix: _pairs(names, matrix).to_csv(path), False, False),
    "named.csv": (_named, False, False),
    "bare.txt": (lambda path, _, matrix: np.savetxt(path, matrix, fmt="%.17g"), True, False),
    "matrix.npy": (lambda path, _, matrix: np.save(path, matrix), True, False),
    "matrix.mat": (lambda path, _, matrix: savemat(path, {"rdm": matrix}), True, False),
    "meadows.mat": (
        lambda path, names, matrix: savemat(path, {"rdmutv": [_triangle(matrix)], "stimuli": [*names]}),
        False,
        True,
    ),
    "tree.json": (_tree, False, True),
    "rsatoolbox.hdf5": (
        lambda path, names, matrix: write_rsatoolbox(path, [_triangle(matrix)], {"stem": [*names]}, {}),
        False,
        True,
    ),
}


def _break(matrix: _Matrix, chance: Random, triangle: bool) -> str:
    """Make a value wrong; returns what was done, or nothing."""
    last = len(matrix) - 1
    fault: str = chance.choice(("", "", *_WRONG, *(() if triangle else ("diagonal", "asymmetric"))))
    if fault in _WRONG:
        matrix[0, last] = matrix[last, 0] = _WRONG[fault]
    elif fault == "diagonal":
        matrix[last, last] = 1
    elif fault == "asymmetric":
        matrix[0, last] += 1
    return fault


def _made(chance: Random, folder: Path, faulty: bool) -> Made:
    name, (write, nameless, triangle) = chance.choice([*_LAYOUTS.items()])
    count = chance.choice((3, 4, 6))
    names = [f"{chr(97 + at)}.png" for at in range(count)]
    matrix = np.abs(np.subtract.outer(*[[chance.choice((at, chance.random())) for at in range(count)]] * 2))
    matrix = (matrix + matrix.T).astype(float)
    fault = _break(matrix, chance, triangle) if faulty else ""
    listed = [*names]
    if faulty and not fault and nameless and chance.random() < 0.5:
        listed[-1] = chance.choice(("", names[0], values.text(chance) + "\n x"))
        fault = f"the name {listed[-1]!r}"
    write(folder / name, names, matrix)
    (folder / "names.txt").write_text("\n".join(listed), encoding="utf-8", errors="replace")
    expected = {(names[one], names[two]): matrix[one, two] for one, two in combinations(range(count), 2)}

    def judge(table: DistanceTable) -> str | None:
        if fault:
            return f"read although {fault}"
        ends = zip(table.image_id[table.first], table.image_id[table.second], strict=True)
        found = {tuple(sorted(pair)): value for pair, value in zip(ends, table.distance.tolist(), strict=True)}
        return None if found == expected else f"{found} instead of {expected}"

    other = str(folder / "names.txt") if nameless else None
    told = (name, "names.txt")
    return Made(folder / name, fault or "whole", judge, not fault, (folder / name,), other, told)


def _faulty(chance: Random, folder: Path) -> Made:
    return _made(chance, folder, faulty=True)


def _valid(chance: Random, folder: Path) -> Made:
    made = _made(chance, folder, faulty=False)
    made.judge, made.neutral = lambda _: None, False  # most layouts have no checksum
    return made


def _read(made: Made) -> DistanceTable:
    request = Request(names=made.other)
    return table_of(made.path, read_rdm(made.path, request), request)


DOORS = (Door("distances", _read, _faulty, _valid, (600, 1500)),)
