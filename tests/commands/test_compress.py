from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.decomposition import PCA

from simtool.tables.embeddings import open_embeddings, write_embeddings
from simtool.tables.provenance import Provenance

Simtool = Callable[..., Any]
FEW, MANY = (np.random.default_rng(seed).standard_normal((rows, 7)).astype("f") for seed, rows in ((0, 9), (1, 30)))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name, vectors in {"few": FEW, "many": MANY, "other": MANY[:, :5]}.items():
        ids = [f"{name}-{row}" for row in range(len(vectors))]
        write_embeddings(tmp_path / f"{name}.parquet", ids, vectors, Provenance.of(["test"], []), "net")
    return tmp_path


def test_vectors_become_their_components(simtool: Simtool, home: Path) -> None:
    ran = simtool("compress", home / "few.parquet", "--components", 3, "--out", home / "out.parquet")
    assert ran.code == 0
    table, full = open_embeddings(home / "out.parquet"), PCA(3, svd_solver="full").fit(FEW.astype(float))
    np.testing.assert_allclose(table.read(), full.transform(FEW), atol=1e-5)
    assert (table.info.name, table.image_id[0]) == ("net, PCA 3", "few-0")
    assert f"{full.explained_variance_ratio_.sum():.4f} of variance" in ran.err


def test_components_can_be_those_of_other_vectors(simtool: Simtool, home: Path) -> None:
    options = ("--fit", home / "many.parquet", "--components", 2, "--out", home / "out.parquet", "--name", "mine")
    assert simtool("compress", home / "few.parquet", *options).code == 0
    table, full = open_embeddings(home / "out.parquet"), PCA(2, svd_solver="full").fit(MANY.astype(float))
    np.testing.assert_allclose(table.read(), full.transform(FEW), atol=1e-5)
    assert table.info.name == "mine"


def test_vectors_of_two_models_do_not_mix(simtool: Simtool, home: Path) -> None:
    options = ("--fit", home / "other.parquet", "--out", home / "out.parquet")
    ran = simtool("compress", home / "few.parquet", *options)
    assert ran.code == 1
    assert "hold vectors of two models" in ran.err
    assert not (home / "out.parquet").exists()


def test_a_table_is_not_replaced_by_its_own_components(simtool: Simtool, home: Path) -> None:
    assert simtool("compress", home / "few.parquet", "--out", home / "few.parquet").code == 1
    assert open_embeddings(home / "few.parquet").info.dimension == 7


def test_as_many_components_are_kept_as_there_are_unless_a_number_is_asked_for(simtool: Simtool, home: Path) -> None:
    assert simtool("compress", home / "few.parquet", "--out", home / "out.parquet").code == 0
    assert open_embeddings(home / "out.parquet").info.dimension == 7
    ran = simtool("compress", home / "few.parquet", "--out", home / "no.parquet", "--components", 8)
    assert ran.code == 2
    assert "9 vectors of 7 values allow 1 to 7 components, not 8" in ran.err
    assert not (home / "no.parquet").exists()


def test_one_vector_has_no_components(simtool: Simtool, tmp_path: Path) -> None:
    write_embeddings(tmp_path / "one.parquet", ["a"], FEW[:1], Provenance.of(["test"], []), "net")
    ran = simtool("compress", tmp_path / "one.parquet", "--out", tmp_path / "out.parquet")
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == "error: principal components need at least 2 vectors, not 1"


def test_components_beyond_single_precision_are_refused_and_nothing_is_written(simtool: Simtool, home: Path) -> None:
    largest = np.finfo(np.float32).max
    vectors = np.array([[largest, largest], [-largest, -largest], [0, largest]], np.float32)
    write_embeddings(home / "large.parquet", np.array(["a", "b", "c"], object), vectors, Provenance.of([], []), "large")
    done = simtool("compress", home / "large.parquet", "--out", home / "c.parquet")
    assert (done.code, (home / "c.parquet").exists()) == (1, False)
    assert "its values are too large; multiply all vectors by one small number" in done.err


def test_what_differs_by_less_than_float32_holds_is_found_in_float64(simtool: Simtool, home: Path) -> None:
    small = np.random.default_rng(3).normal(size=(30, 4))
    ids = [f"bird-{row}" for row in range(30)]
    for name, offset in (("near", 0.0), ("far", 1e9)):
        vectors = pa.array((offset + 1e-3 * small).tolist(), pa.list_(pa.float64()))
        pq.write_table(pa.table({"image_id": ids, "embedding": vectors}), home / f"{name}.parquet")
        assert simtool("compress", home / f"{name}.parquet", "--out", home / f"{name}-pca.parquet").code == 0
    near, far = (open_embeddings(home / f"{name}-pca.parquet").read(dtype=np.float64) for name in ("near", "far"))
    np.testing.assert_allclose(far, near, atol=1e-6)
