from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from simtool.tables.distances import DistanceInfo, read_distances
from simtool.tables.embeddings import write_embeddings
from simtool.tables.provenance import Provenance
from tests.commands.conftest import Outcome
from tests.rdms.written import read
from tests.scoring.judged import some_vectors

Simtool = Callable[..., Outcome]
VECTORS = some_vectors("gaussian", 6).astype(float)
NAMES = [f"image-{number}" for number in range(6)]


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    write_embeddings(tmp_path / "m.parquet", NAMES, VECTORS, Provenance.of(["test"], []), "my model")
    return tmp_path / "m.parquet"


@pytest.mark.parametrize("suffix", ["hdf5", "h5", "csv", "parquet"])
def test_every_kind_of_file_holds_the_same_distances(suffix: str, simtool: Simtool, vectors: Path) -> None:
    out = vectors.parent / f"out.{suffix}"
    done = simtool("export-distances", vectors, "--distance", "manhattan", "--out", out)
    assert done.code == 0, done.err
    assert "manhattan of 15 pairs (my model)" in done.err
    found = read(out)
    single = VECTORS.astype(np.float32).astype(float)
    expected = {
        (NAMES[one], NAMES[two]): abs(single[one] - single[two]).sum() for one in range(6) for two in range(one + 1, 6)
    }
    assert found == pytest.approx(expected, rel=1e-12)


def test_a_table_of_distances_is_written_in_another_layout(simtool: Simtool, vectors: Path) -> None:
    folder = vectors.parent
    assert simtool("export-distances", vectors, "--distance", "dot", "--out", folder / "d.parquet").code == 0
    assert read_distances(folder / "d.parquet").info == DistanceInfo("my model", measure="dot")
    shown = simtool("show", folder / "d.parquet").out
    assert "m.parquet: unchanged" in shown
    assert simtool("export-distances", folder / "d.parquet", "--name", "other", "--out", folder / "d.csv").code == 0
    assert simtool("import-distances", folder / "d.parquet", "--out", folder / "again.parquet").code == 0
    assert read_distances(folder / "again.parquet").info == DistanceInfo("my model", measure="dot")


@pytest.mark.parametrize(
    ("source", "options", "code", "complaint"),
    [
        ("m", [], 2, "m.parquet holds vectors: choose a --distance of mse, cosine, "),
        ("m", ["--distance", "given"], 2, "m.parquet holds vectors: choose a --distance of mse, cosine, "),
        ("m", ["--distance", "l2"], 2, "--distance is one of mse, cosine, "),
        ("m", ["--distance", "mse/segments"], 1, "mse/segments needs a table that names its segments"),
        ("d", ["--distance", "cosine"], 2, "--distance cosine is for vectors; {d} holds distances: leave it out"),
    ],
)
def test_a_distance_that_does_not_apply_is_refused(
    source: str, options: list[str], code: int, complaint: str, simtool: Simtool, vectors: Path
) -> None:
    folder = vectors.parent
    if source == "d":
        simtool("export-distances", vectors, "--distance", "mse", "--out", folder / "d.parquet")
    done = simtool("export-distances", folder / f"{source}.parquet", *options, "--out", folder / "out.hdf5")
    assert done.code == code
    assert complaint.replace("{d}", str(folder / "d.parquet")) in " ".join(done.err.split())
    assert not (folder / "out.hdf5").exists()


def test_another_suffix_is_refused(simtool: Simtool, vectors: Path) -> None:
    done = simtool("export-distances", vectors, "--distance", "mse", "--out", vectors.parent / "out.npy")
    assert done.code == 1
    assert "out.npy: a table is a Parquet file, not .npy; name it out.parquet" in done.err
