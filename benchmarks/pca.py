"""Compare principal components with the solvers of scikit-learn: time, peak memory, accuracy.

Every subject runs in a separate process on the same float32 matrix. scikit-learn holds the matrix in memory; simtool
reads it from its file in blocks. The explained variance of each subject is compared with the true values.

    python benchmarks/pca.py --rows 3000 --columns 12288 --components 100 --components 1000 --json pca.json
    python benchmarks/pca.py --images cub/images.parquet --components 1000 --subjects simtool --json pca.json

Without ``--images``, the matrix is generated with a known power-law spectrum and known column means: X = mean + C S R,
with rows R and columns C of orthogonal matrices, where C has no constant column. With ``--images``, the matrix holds
the images of that table after the study's preprocessing. The true values then come from a float64 decomposition, and
the whole command ``simtool fit-pca`` is measured too.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import scipy.fft
import scipy.linalg
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from benchmarks.pca_subjects import SUBJECTS
else:
    from pca_subjects import SUBJECTS

CONSOLE = Console(stderr=True)
#: The accuracy of the explained variance at which solvers are compared: the largest relative error of a component.
SAME = 1e-4
#: Randomized solvers from the fastest to the most accurate. Solvers after the first accurate one are skipped.
LADDER = [name for name in SUBJECTS if name.startswith("scikit-learn randomized")]
#: Solvers that need minutes to hours on large matrices. They run only if named.
SLOW = ("scikit-learn covariance", "scikit-learn full", "simtool with SciPy dense", "simtool with SciPy ARPACK")
#: Number of rows or columns that are generated at a time.
STEP = 512


@dataclass
class Row:
    """The measurements of one subject on one case.

    Attributes:
        error: the largest relative error of the explained variance ratio of a component.
        last_error: the error of the last component.
        orthogonality: the largest deviation of components @ components.T from the identity.
        residual: the residual that simtool reports.
    """

    case: str
    subject: str
    seconds: float | None
    peak_bytes: int | None = None
    above_data_bytes: int | None = None
    rows: int = 0
    columns: int = 0
    components: int = 0
    error: float | None = None
    last_error: float | None = None
    orthogonality: float | None = None
    residual: float | None = None
    failure: str = ""


def make_matrix(path: Path, rows: int, columns: int, exponent: float) -> NDArray[np.float64]:
    """Write a matrix with a known spectrum.

    Returns:
        The explained variance ratio of every component.
    """
    rank = min(rows - 1, columns)
    scales = np.arange(1.0, rank + 1) ** (-exponent / 2)
    flips = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), (2, columns))
    matrix = np.lib.format.open_memmap(path, "w+", np.float32, (rows, columns))
    for start in range(0, rank, STEP):
        stop = min(start + STEP, rank)
        unit = np.zeros((stop - start, columns))
        unit[np.arange(stop - start), np.arange(start, stop)] = scales[start:stop]
        mixed = scipy.fft.dct(flips[1] * scipy.fft.dct(flips[0] * unit, axis=1, norm="ortho"), axis=1, norm="ortho")
        matrix[1 + start : 1 + stop] = mixed  # row 0 stays zero: it is the constant one of the transform below
    for start in range(0, columns, STEP):
        block = slice(start, start + STEP)
        mean = 0.3 * np.sin(np.arange(columns)[block] / 50)
        spread = np.sqrt(rows / (scales**2).sum() * columns) / 4  # a standard deviation of 1/4, as pixels have
        matrix[:, block] = scipy.fft.idct(matrix[:, block].astype(np.float64), axis=0, norm="ortho") * spread + mean
    ratio: NDArray[np.float64] = scales**2 / (scales**2).sum()
    return ratio


def decode_matrix(path: Path, images: Path, limit: int | None) -> None:
    """Write the images of a table as the rows of a matrix."""
    from simtool.images.pipeline import stream
    from simtool.images.preprocessing import named_preprocessing
    from simtool.tables.images import image_paths, read_images

    table = read_images(images)
    files, recipe = image_paths(images, table)[:limit], named_preprocessing("study")
    matrix = np.lib.format.open_memmap(path, "w+", np.float32, (len(files), recipe.dimension))
    for batch in stream(table.image_id[:limit], files, recipe, STEP):
        matrix[batch.rows] = batch.pixels.reshape(len(batch.rows), -1)


def decompose(path: Path, count: int) -> NDArray[np.float64]:
    """The explained variance ratio of the first components, from products in float64."""
    matrix = np.load(path, mmap_mode="r")
    rows, columns = matrix.shape
    products = np.zeros((rows, rows))
    for start in range(0, columns, STEP):
        block = matrix[:, start : start + STEP].astype(np.float64)
        block -= block.mean(axis=0)
        products += block @ block.T
    total = np.trace(products)
    values = scipy.linalg.eigh(
        products, eigvals_only=True, subset_by_index=[rows - count, rows - 1], overwrite_a=True, check_finite=False
    )
    ratio: NDArray[np.float64] = values[::-1] / total
    return ratio


def measure(subject: str, folder: Path, count: int, timeout: float) -> dict[str, Any]:
    """Run one subject in a separate process."""
    CONSOLE.print(f"running {subject}, {count} components")
    command = [sys.executable, str(Path(__file__).with_name("pca_subjects.py")), subject, str(folder), str(count)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return {"failure": f"not done in {timeout:.0f} s"}
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["killed"]
        return {"failure": f"exit {done.returncode}: {reason[0][:120]}"}
    finished: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return finished


def judged(found: dict[str, Any], truth: NDArray[np.float64]) -> dict[str, Any]:
    """The result of a subject, with its errors instead of its variances."""
    if "ratio" not in found:
        return {"seconds": None, **found}
    errors = np.abs(np.array(found.pop("ratio")) / truth - 1)
    return {**found, "error": float(errors.max()), "last_error": float(errors[-1])}


def table_of(case: str, rows: list[Row]) -> Table:
    """The rows of one case, with ratios to simtool."""
    ours = next((row for row in rows if row.subject == "simtool" and row.seconds), None)
    table = Table(title=case, title_justify="left")
    table.add_column("subject")
    for heading in (
        "time",
        "times simtool's",
        "peak memory",
        "above the data",
        "error",
        "of the last",
        "orthogonality",
    ):
        table.add_column(heading, justify="right")
    for row in sorted(rows, key=lambda row: row.seconds or np.inf):
        if row.seconds is None or row.peak_bytes is None or row.above_data_bytes is None:
            table.add_row(row.subject, row.failure)
            continue
        ratio = "" if ours is None or not ours.seconds else f"{row.seconds / ours.seconds:.2f}"
        memory = (f"{row.peak_bytes / 1e6:,.0f} MB", f"{row.above_data_bytes / 1e6:,.0f} MB")
        accuracy = (f"{row.error:.1e}", f"{row.last_error:.1e}", f"{row.orthogonality:.1e}")
        table.add_row(row.subject, f"{row.seconds:.1f} s", ratio, *memory, *accuracy)
    return table


def chosen(subjects: list[str] | None, images: bool) -> list[str]:
    """The subjects to run."""
    if unknown := [name for name in subjects or () if name not in SUBJECTS]:
        raise typer.BadParameter(f"no subject {unknown[0]}; there are {', '.join(SUBJECTS)}")
    left_out = {*SLOW, *(() if images else ("simtool fit-pca",))}
    return subjects or [name for name in SUBJECTS if name not in left_out]


def main(
    rows: Annotated[int | None, typer.Option(min=3, help="Rows of the matrix, or images. [3000, or all]")] = None,
    columns: Annotated[int, typer.Option(min=2, help="Columns of the matrix.")] = 12_288,
    components: Annotated[
        list[int] | None, typer.Option(help="Number of components; repeatable. [100 and 1000]")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="A table of images to use instead.")] = None,
    exponent: Annotated[float, typer.Option(help="The variance of component i is i to the power of minus this.")] = 1.2,
    subjects: Annotated[
        list[str] | None, typer.Option(help="Subjects to run; repeatable. [all except the slow ones]")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds for a subject.")] = 3600,
    folder: Annotated[Path | None, typer.Option(help="For the matrix and scratch files. [a temporary folder]")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows here.")] = None,
) -> None:
    """Compare principal components with scikit-learn."""
    wanted, counts = chosen(subjects, images is not None), components or [100, 1000]
    place = Path(tempfile.mkdtemp(prefix="simtool-benchmark-", dir=folder))
    try:
        CONSOLE.print("making the matrix")
        if images is None:
            truth = make_matrix(place / "matrix.npy", rows or 3000, columns, exponent)
        else:
            decode_matrix(place / "matrix.npy", images, rows)
            (place / "images.txt").write_text(json.dumps([str(images)]))
            truth = decompose(place / "matrix.npy", max(counts))
        shape = np.load(place / "matrix.npy", mmap_mode="r").shape
        every: list[Row] = []
        for count in counts:
            case = f"{'images' if images else 'power law'} {shape[0]} x {shape[1]}, {count} components"
            found: list[Row] = []
            for subject in wanted:
                if subject in LADDER and any(row.error is not None and row.error <= SAME for row in climbed(found)):
                    continue
                result = judged(measure(subject, place, count, timeout), truth[:count])
                found.append(Row(case, subject, rows=shape[0], columns=shape[1], components=count, **result))
                if json_file:
                    json_file.write_text(json.dumps([asdict(row) for row in every + found], indent=1) + "\n")
            Console().print(table_of(case, found))
            every += found
    finally:
        shutil.rmtree(place)


def climbed(rows: list[Row]) -> list[Row]:
    """The randomized solvers to run."""
    return [row for row in rows if row.subject in LADDER]


if __name__ == "__main__":
    typer.run(main)
