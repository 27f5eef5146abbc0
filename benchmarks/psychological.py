"""Compare the likelihood of ranked choices under an embedding with psiz: values, time and memory.

Points, scales and trials are drawn at random. psiz replaces similarities below 1e-7 by 1e-7, so differences are counted
apart where a similarity of the trial is below that.

    python benchmarks/psychological.py --peers-python peers/bin/python --json psychological.json

``--peers-python`` names a Python with psiz (and TensorFlow); without it, only simtool runs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SUBJECTS = Path(__file__).with_name("psychological_subjects.py")
#: psiz (0.13.1) replaces smaller similarities by ``keras.backend.epsilon()``.
FLOOR = 1e-7
IMAGES, DIMENSIONS, TRIALS = 208, 8, 10_000
#: References, selections, scale, exponent, floor, and the spread of the points.
CASES = {
    "8-rank-2": (8, 2, 1.3, 1.0, 2e-4, 1.0),
    "8-rank-2, Gaussian": (8, 2, 0.8, 2.0, 1e-3, 0.7),
    "8-rank-2, no floor": (8, 2, 1.3, 1.0, 1e-12, 3.0),
    "2-choose-1": (2, 1, 1.7, 1.0, 1e-4, 1.0),
    "4-rank-3": (4, 3, 1.0, 1.5, 1e-3, 1.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="the file to write")
    parser.add_argument("--peers-python", help="a Python with psiz")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    rows = []
    for name in CASES:
        with tempfile.TemporaryDirectory() as folder:
            points, trials = write_case(name, Path(folder))
            rows += list(compare(name, Path(folder), points, trials, given))
    for row in rows:
        sys.stdout.write(json.dumps(row) + "\n")
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


def write_case(name: str, folder: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    references, selected, scale, exponent, floor, spread = CASES[name]
    rng = np.random.default_rng(0)
    points = rng.normal(scale=spread, size=(IMAGES, DIMENSIONS))
    trials = np.array([rng.choice(IMAGES, references + 1, replace=False) for _ in range(TRIALS)])
    np.save(folder / "points.npy", points)
    np.save(folder / "trials.npy", trials)
    kernel = {"selected": selected, "scale": scale, "exponent": exponent, "floor": floor}
    (folder / "kernel.json").write_text(json.dumps(kernel))
    return points, trials


def compare(
    name: str, folder: Path, points: NDArray[np.float64], trials: NDArray[np.int64], given: argparse.Namespace
) -> list[dict[str, Any]]:
    pythons = {"simtool": sys.executable} | ({"psiz": given.peers_python} if given.peers_python else {})
    rows = []
    for subject, python in pythons.items():
        command = [python, str(SUBJECTS), subject, str(folder), str(given.repeats)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        rows.append({"case": name, "subject": subject, **json.loads(done.stdout.splitlines()[-1])})
    if len(rows) > 1:
        _, _, scale, exponent, floor, _ = CASES[name]
        distance = np.linalg.norm(points[trials[:, 1:]] - points[trials[:, :1]], axis=2)
        above = (np.exp(-scale * distance**exponent) + floor).min(axis=1) > FLOOR
        difference = abs(np.load(folder / "simtool.npy") - np.load(folder / "psiz.npy"))
        rows[-1] |= {
            "trials_above_floor": int(above.sum()),
            "difference_above_floor": float(difference[above].max(initial=0)),
            "difference_below_floor": float(difference[~above].max(initial=0)),
        }
    return rows


if __name__ == "__main__":
    main()
