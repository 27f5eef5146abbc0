from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simtool.tables.distances import read_distances
from simtool.tables.images import Images, write_images
from simtool.tables.provenance import Provenance
from tests.commands.conftest import Outcome
from tests.rdms.written import MATRIX, NAMES, TRIANGLE, names_file, write_rsatoolbox

Simtool = Callable[..., Outcome]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "distances.parquet"


def test_a_matrix_becomes_a_table_that_states_its_origin(simtool: Simtool, tmp_path: Path, out: Path) -> None:
    np.save(tmp_path / "lpips.npy", MATRIX)
    names = names_file(tmp_path)
    done = simtool("import-distances", tmp_path / "lpips.npy", "--names", names, "--out", out)
    assert done.code == 0, done.err
    assert "lpips.npy: distances: 3 pairs of 3 images" in done.err
    table = read_distances(out)
    assert table.distance.tolist() == TRIANGLE
    assert table.info.name == "lpips"
    shown = simtool("show", out).out
    assert "a valid table of distances" in shown
    assert "lpips.npy: unchanged" in shown
    assert "names.txt: unchanged" in shown


def test_ids_are_those_of_the_table_of_images(simtool: Simtool, tmp_path: Path, out: Path) -> None:
    ids = ["birds/robin.png", "birds/owl.png", "birds/wren.png", "birds/tern.png"]
    write_images(tmp_path / "images.parquet", Images.build(ids, ids), Provenance.of(["test"], []))
    pd.DataFrame(MATRIX, NAMES, NAMES).to_csv(tmp_path / "m.csv")
    options = ("--images", tmp_path / "images.parquet", "--out", out)
    done = simtool("import-distances", tmp_path / "m.csv", *options)
    assert done.code == 0, done.err
    assert read_distances(out).image_id.tolist() == [f"birds/{name}" for name in NAMES]
    assert "matched 3 of 3 images by spelling (folders)" in done.err
    pd.DataFrame(MATRIX, ["wren", "owl", "finch"], ["wren", "owl", "finch"]).to_csv(tmp_path / "m.csv")
    done = simtool("import-distances", tmp_path / "m.csv", *options)
    assert done.code == 1
    assert "images.parquet: lacks images that are needed (1 of 3): finch" in done.err


def test_an_rdm_gives_the_table_its_name(simtool: Simtool, tmp_path: Path, out: Path) -> None:
    write_rsatoolbox(tmp_path / "r.hdf5", [TRIANGLE, TRIANGLE], {"stem": NAMES}, {"subject": ["anna", "ben"]})
    assert simtool("import-distances", tmp_path / "r.hdf5", "--rdm", "ben", "--out", out).code == 0
    assert (read_distances(out).info.name, read_distances(out).info.measure) == ("r ben", "euclidean")
    done = simtool("import-distances", tmp_path / "r.hdf5", "--rdm", "ben", "--name", "Ben", "--out", out)
    assert (done.code, read_distances(out).info.name) == (0, "Ben")


def test_directions_and_similarities_are_asked_for(simtool: Simtool, tmp_path: Path, out: Path) -> None:
    np.save(tmp_path / "m.npy", [[9, 1, 2], [3, 9, 4], [5, 6, 9]])
    words = ("import-distances", tmp_path / "m.npy", "--names", names_file(tmp_path), "--out", out)
    for missing in ((), ("--asymmetric",), ("--similarity",)):
        assert simtool(*words, *missing).code == 1
        assert not out.exists()
    assert simtool(*words, "--asymmetric", "--similarity").code == 0
    table = read_distances(out)
    assert (table.info.symmetric, table.info.measure) == (False, "-similarity")
    assert table.distance.tolist() == [-1, -2, -3, -4, -5, -6]


def test_similarities_that_look_like_distances_are_doubted(simtool: Simtool, tmp_path: Path, out: Path) -> None:
    np.save(tmp_path / "m.npy", MATRIX)
    done = simtool(
        "import-distances", tmp_path / "m.npy", "--names", names_file(tmp_path), "--similarity", "--out", out
    )
    assert done.code == 0
    assert "m.npy: the diagonal is 0, as of distances; --similarity reads larger numbers as more similar" in done.err


def test_the_source_is_not_replaced(simtool: Simtool, tmp_path: Path) -> None:
    pairs = pd.DataFrame({"image_1": ["a"], "image_2": ["b"], "distance": [1.0]})
    pairs.to_parquet(tmp_path / "pairs.parquet")
    done = simtool("import-distances", tmp_path / "pairs.parquet", "--out", tmp_path / "pairs.parquet")
    assert done.code == 1
    assert "this is an input, which the output would replace" in done.err
