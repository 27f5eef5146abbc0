"""Compare scoring with other tools: time, peak memory, and number of decisions that differ from float64.

Every subject runs in a separate process on the same vectors and trials. It decides every implied comparison by mean
squared difference and by cosine. The results of each subject stay in FOLDER: a later call with the same FOLDER runs
only the subjects that have no result.

    python benchmarks/score.py --json score.json --peers-python peers/bin/python
    python benchmarks/score.py --size things --subjects simtool --subjects "numpy gram"
    python benchmarks/score.py --images 500 --dimensions 768 --triplets 1000000 --ranked 0

``--peers-python`` names a Python with faiss-cpu, torch, psiz (with tensorflow) and cblearn.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from benchmarks.score_subjects import SUBJECTS, decide
else:
    from score_subjects import SUBJECTS, decide

CONSOLE = Console(stderr=True)
#: Subjects that run in ``--peers-python``.
FOREIGN = ("faiss", "torch", "psiz", "cblearn")
#: Subjects that support only a part of the task.
SCOPE = {"cblearn": "2-choose-1 by mse only"}
#: Subjects that judge odd-one-out trials.
ODD = ("simtool", "numpy gram")
#: Number of columns that the float64 reference processes at a time.
REFERENCE_COLUMNS = 2048
#: Relative differences of distances: below TIE they are a tie in float64; below DOUBT they are computed again directly.
TIE, DOUBT = 1e-12, 1e-8


class Data(StrEnum):
    """A kind of vectors."""

    gaussian = "gaussian"
    pixels = "pixels"
    relu = "relu"
    ties = "ties"


class Size(NamedTuple):
    """Numbers of images, dimensions, and 2-choose-1, 8-rank-2 and 3-odd-1 trials."""

    images: int = 11_788
    dimensions: int = 2048
    triplets: int = 1_000_000
    ranked: int = 200_000
    odd: int = 0

    def __str__(self) -> str:
        counts = {"2-choose-1": self.triplets, "8-rank-2": self.ranked, "3-odd-1": self.odd}
        shown = [f"{count} {kind}" for kind, count in counts.items() if count]
        return ", ".join([f"{self.images} x {self.dimensions}", *shown])


#: Sparse: the trials show few pairs of many images (CUB's number; features of ResNet50, and pixels). Dense: they show
#: most pairs (THINGS' numbers of images and trials, as choices and as odd-one-out judgments).
SIZES = {
    "features": Size(),
    "pixels": Size(dimensions=49_152),
    "things": Size(1854, 768, 4_700_000, 0),
    "odd": Size(1854, 768, 0, 0, 4_700_000),
}


@dataclass
class Row:
    """The measurements of one subject on one case."""

    case: str
    subject: str
    seconds: float | None
    peak_bytes: int | None = None
    above_data_bytes: int | None = None
    dimensions: int = 0
    data: str = ""
    runs: list[float] = field(default_factory=list)
    differing: dict[str, int] = field(default_factory=dict)
    comparisons: int = 0
    scope: str = ""
    failure: str = ""


def make_vectors(kind: Data, images: int, dimensions: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    if kind is Data.ties:
        # One-hot family and species, repeated: a comparison is tied unless a label tells the references apart.
        species = rng.integers(0, 200, images)
        labels = np.concatenate([np.eye(200, dtype=np.float32)[species], np.eye(20, dtype=np.float32)[species % 20]], 1)
        return np.tile(labels, (1, -(-dimensions // labels.shape[1])))[:, :dimensions].copy()
    vectors = rng.standard_normal((images, dimensions), np.float32)
    if kind is Data.pixels:
        vectors += 1000
    elif kind is Data.relu:
        np.maximum(vectors, 0, out=vectors)
    return vectors


def make_cards(images: int, triplets: int, ranked: int, odd: int = 0) -> dict[str, NDArray[np.int32]]:
    """Random trials of the types that occur, of distinct images. A query comes first; an odd one comes last."""
    rng = np.random.default_rng(1)
    cards = {}
    for name, count, references in (("two", triplets, 2), ("eight", ranked, 8), ("odd", odd, 2)):
        if not count:
            continue
        shift = np.sort(rng.integers(1, images - references + 1, (count, references)), axis=1) + np.arange(references)
        shift = rng.permuted(shift, axis=1)
        query = rng.integers(0, images, (count, 1))
        cards[name] = np.concatenate([query, (query + shift) % images], axis=1).astype(np.int32)
    return cards


def reference(vectors: NDArray[np.float32], cards: dict[str, NDArray[np.int32]]) -> dict[str, NDArray[np.int8]]:
    """The decisions of float64. Near ties are decided by sums of squared differences of the (normalised) vectors."""
    count, dimensions = vectors.shape
    gram, square, center = np.zeros((count, count)), np.zeros(count), np.zeros(count)
    for start in range(0, dimensions, REFERENCE_COLUMNS):
        block = vectors[:, start : start + REFERENCE_COLUMNS].astype(np.float64)
        square += np.einsum("ij,ij->i", block, block)
        block -= np.round(block.mean(axis=0) * 16) / 16  # keeps integers exact
        center += np.einsum("ij,ij->i", block, block)
        gram += block @ block.T
    norm = np.sqrt(square)
    decisions: dict[str, NDArray[np.int8]] = {}
    for name, trials in in_choices(cards):
        query, references = trials[:, :1], trials[:, 1:]
        squares = center[query] + center[references] - 2 * gram[query, references]
        angles = (squares - (norm[query] - norm[references]) ** 2) / (2 * norm[query] * norm[references])
        for distance, near, length in (("mse", squares, np.ones(count)), ("cosine", angles, norm)):
            settled = settle(near, trials, vectors, length, 2 if name == "eight" else 1)
            label = f"{distance}_{name}"
            decisions[label] = np.concatenate([decisions[label], settled], axis=1) if label in decisions else settled
    return decisions


def in_choices(cards: dict[str, NDArray[np.int32]]) -> Iterator[tuple[str, NDArray[np.int32]]]:
    """The trials as choices: with an odd one c, people chose b rather than c for a, and a rather than c for b."""
    for name, trials in cards.items():
        yield name, trials
        if name == "odd":
            yield name, trials[:, [1, 0, 2]]


def settle(
    near: NDArray[np.float64],
    trials: NDArray[np.int32],
    vectors: NDArray[np.float32],
    length: NDArray[np.float64],
    selected: int,
) -> NDArray[np.int8]:
    """Decide all comparisons; compute distances of doubtful comparisons again directly."""
    decisions: NDArray[np.int8] = decide(near, selected)
    for column, (one, other) in enumerate(implied(near.shape[1], selected)):
        gap = np.abs(near[:, one] - near[:, other])
        rows = np.flatnonzero(gap <= DOUBT * np.maximum(np.abs(near[:, one]), np.abs(near[:, other])))
        exact = [direct(trials[rows, 0], trials[rows, 1 + place], vectors, length) for place in (one, other)]
        tied = np.abs(exact[0] - exact[1]) <= np.maximum(TIE * np.maximum(*exact), 1e-30)
        decisions[rows, column] = np.where(tied, 1, 2 * (exact[0] < exact[1]))
    return decisions


def implied(references: int, selected: int) -> Iterator[tuple[int, int]]:
    """The positions of the two references of each comparison; selected references come first."""
    for place in range(selected):
        yield from ((place, other) for other in range(place + 1, references))


def direct(
    left: NDArray[np.int32], right: NDArray[np.int32], vectors: NDArray[np.float32], length: NDArray[np.float64]
) -> NDArray[np.float64]:
    """|x - y|² of normalised vectors, each pair once."""
    keys = left.astype(np.int64) * len(vectors) + right
    distinct, back = np.unique(keys, return_inverse=True)
    squares = np.empty(distinct.size)
    step = max(1, (64 << 20) // (8 * vectors.shape[1]))
    for start in range(0, distinct.size, step):
        one, other = np.divmod(distinct[start : start + step], len(vectors))
        difference = vectors[one] / length[one, None] - vectors[other] / length[other, None]
        squares[start : start + step] = np.einsum("ij,ij->i", difference, difference)
    return squares[back]


def prepare(folder: Path, kind: Data, size: Size) -> None:
    """Write the input of the subjects and the float64 reference."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "reference.npz").exists():
        return
    CONSOLE.print(f"making {folder.name} and its float64 reference")
    cards = make_cards(size.images, size.triplets, size.ranked, size.odd)
    for name, trials in cards.items():
        np.save(folder / f"{name}.npy", trials)
    vectors = make_vectors(kind, size.images, size.dimensions)
    np.save(folder / "vectors.npy", vectors)
    expected: dict[str, Any] = dict(reference(vectors, cards))
    np.savez(folder / "reference.npz", **expected)


def measure(subject: str, folder: Path, python: Path, repeats: int, timeout: float) -> dict[str, Any]:
    """Run one subject, or read the result of an earlier call."""
    result = folder / f"{subject.replace(' ', '-')}.json"
    if result.exists() and result.with_suffix(".npz").exists():
        finished: dict[str, Any] = json.loads(result.read_text())
        return finished
    CONSOLE.print(f"running {subject} on {folder.name}")
    command = [python, Path(__file__).with_name("score_subjects.py"), subject, folder, result.with_suffix(".npz")]
    try:
        done = subprocess.run(
            [*map(str, command), str(repeats)], capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return {"failure": f"not done in {timeout:.0f} s"}
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["killed"]
        return {"failure": f"exit {done.returncode}: {reason[0][:120]}"}
    finished = json.loads(done.stdout.splitlines()[-1])
    result.write_text(json.dumps(finished))
    return finished


def compare(folder: Path, subject: str) -> dict[str, Any]:
    """The number of decisions that differ from the reference, by distance and trial type."""
    differing, total = {}, 0
    with np.load(folder / "reference.npz") as expected, np.load(folder / f"{subject.replace(' ', '-')}.npz") as found:
        for name in found.files:
            differing[name] = int(np.count_nonzero(expected[name] != found[name]))
            total += found[name].size
    return {"differing": differing, "comparisons": total}


def table_of(case: str, rows: Sequence[Row]) -> Table:
    ours = next((row for row in rows if row.subject == "simtool"), None)
    table = Table(title=case, title_justify="left")
    for heading, justify in (("subject", "left"), *((name, "right") for name in COLUMNS)):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for row in sorted(rows, key=lambda row: row.seconds or np.inf):
        if row.seconds is None or row.peak_bytes is None or row.above_data_bytes is None:
            table.add_row(row.subject, row.failure)
            continue
        ratio = "" if ours is None or not ours.seconds else f"{row.seconds / ours.seconds:.2f}"
        memory = (f"{row.peak_bytes / 1e6:,.0f} MB", f"{row.above_data_bytes / 1e6:,.0f} MB")
        wrong = sum(row.differing.values())
        share = f"{wrong:,} of {row.comparisons:,}"
        seconds = f"{row.seconds:.2f} s" if row.seconds >= 1 else f"{1000 * row.seconds:.0f} ms"
        table.add_row(row.subject, seconds, ratio, *memory, share, row.scope)
    return table


COLUMNS = ("best time", "times simtool's", "peak memory", "above the data", "decisions unlike float64", "scope")


def main(
    size: Annotated[list[str] | None, typer.Option(help=f"{', '.join(SIZES)}; repeatable. [all]")] = None,
    data: Annotated[list[Data] | None, typer.Option(help="Kind of vectors; repeatable. [gaussian]")] = None,
    subjects: Annotated[list[str] | None, typer.Option(help="Subjects to run; repeatable. [all]")] = None,
    images: Annotated[int | None, typer.Option(min=100, help="Measure another size. [11788]")] = None,
    dimensions: Annotated[int | None, typer.Option(help="The dimension of the other size. [2048]")] = None,
    triplets: Annotated[int | None, typer.Option(help="The 2-choose-1 trials of the other size. [1000000]")] = None,
    ranked: Annotated[int | None, typer.Option(help="The 8-rank-2 trials of the other size. [200000]")] = None,
    odd: Annotated[int | None, typer.Option(help="The 3-odd-1 trials of the other size. [0]")] = None,
    repeats: Annotated[int, typer.Option(help="Runs of a subject that takes less than a minute.")] = 3,
    timeout: Annotated[float, typer.Option(help="Seconds for all runs of a subject.")] = 1800,
    peers_python: Annotated[Path | None, typer.Option(help="A Python with faiss-cpu, torch, psiz, cblearn.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Folder of vectors and results. [a temporary folder]")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows here.")] = None,
) -> None:
    """Compare scoring with its peers."""
    place = folder or Path(tempfile.mkdtemp(prefix="simtool-benchmark-"))
    for names, known in ((subjects, SUBJECTS), (size, SIZES)):
        if unknown := [name for name in names or () if name not in known]:
            raise typer.BadParameter(f"there is no {unknown[0]}; there are {', '.join(known)}")
    other = {"images": images, "dimensions": dimensions, "triplets": triplets, "ranked": ranked, "odd": odd}
    stated = {name: value for name, value in other.items() if value is not None}
    sizes = [Size(**stated)] if stated else [SIZES[name] for name in size or SIZES]
    rows: list[Row] = []
    for one, kind in product(sizes, data or [Data.gaussian]):
        case = f"{kind.value} {one}"
        own = place / case.replace(",", "").replace(" ", "-")
        prepare(own, kind, one)
        found: list[Row] = []
        for subject in subjects or (ODD if one.odd else SUBJECTS):
            python = peers_python if subject in FOREIGN else Path(sys.executable)
            if python is None:
                measured: dict[str, Any] = {"failure": "needs --peers-python"}
            else:
                measured = measure(subject, own, python, repeats, timeout)
            if "seconds" in measured:
                measured |= compare(own, subject)
            measured = {"seconds": None, **measured}
            scope = SCOPE.get(subject, "")
            found.append(Row(case, subject, dimensions=one.dimensions, data=kind.value, scope=scope, **measured))
            if json_file:
                json_file.write_text(json.dumps([asdict(row) for row in rows + found], indent=1) + "\n")
        Console(width=None if sys.stdout.isatty() else 130).print(table_of(case, found))
        rows += found
        if folder is None:
            shutil.rmtree(own)


if __name__ == "__main__":
    typer.run(main)
