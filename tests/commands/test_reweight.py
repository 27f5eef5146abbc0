"""``reweight`` and ``transform``, from tables to outcomes, and to the vectors of new images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simtool.models.errors import ModelError
from simtool.models.folder import read_manifest
from simtool.models.registry import load_model
from simtool.tables.distances import read_distances
from simtool.tables.embeddings import EmbeddingInfo, EmbeddingWriter, Segment, open_embeddings
from simtool.tables.images import Images, write_images
from simtool.tables.outcomes import read_outcomes
from simtool.tables.provenance import Provenance
from simtool.tables.trials import write_trials
from tests.transforms.reweighting.planted import IMAGES, planted, vectors

Simtool = Callable[..., Any]
X = vectors()
ORIGIN = Provenance.of(["test"], [])


def write(path: Path, values: np.ndarray[Any, Any], ids: list[str], model: str | None = "abc") -> None:
    segments = (Segment("scale", 2, 3),) if values.shape[1] == 6 else ()
    info = EmbeddingInfo("net", values.shape[1], segments=segments, model=model)
    with EmbeddingWriter(path, info, ORIGIN) as writer:
        writer.write(ids, values)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: vectors, judgments in which only the first value counts, and vectors of new images."""
    monkeypatch.chdir(tmp_path)
    trials = planted(4 * np.outer(X[:, 0], X[:, 0]), 2000)
    write_trials(Path("trials.parquet"), trials, ORIGIN)
    write(Path("net.parquet"), X, IMAGES)
    write(Path("new.parquet"), vectors(seed=9, images=7), [f"new {number}" for number in range(7)])
    classes = [f"class {number % 8}" for number in range(len(IMAGES))]
    write_images(Path("images.parquet"), Images.build(IMAGES, IMAGES, class_name=classes), ORIGIN)
    return tmp_path


def reweight(simtool: Simtool, *options: object) -> Any:
    return simtool("reweight", "net.parquet", "--trials", "trials.parquet", "--out", "out.parquet", *options)


def test_scoring_transformed_vectors_warns_of_judgments_that_they_learned_from(simtool: Simtool, home: Path) -> None:
    assert reweight(simtool, "--penalty", 30, "--model-out", "model").code == 0
    assert simtool("transform", "net.parquet", "--with", "model", "--out", "learned.parquet").code == 0
    assert open_embeddings(Path("learned.parquet")).info.learned
    for table, warned in (("learned.parquet", True), ("net.parquet", False)):
        ran = simtool("score", table, "--trials", "trials.parquet", "--out", "scored.parquet")
        assert ran.code == 0
        assert ("its accuracy on the same judgments is too high" in ran.err) is warned


def test_outcomes_hold_the_vectors_before_and_after_they_learned(simtool: Simtool, home: Path) -> None:
    ran = reweight(simtool, "--penalty", 30)
    assert ran.code == 0, ran.err
    before, after = read_outcomes([home / "out.parquet"])
    assert (before.model, after.model, after.distance) == ("net, identity by trial", "net, full by trial", "cosine")
    assert after.credit.mean() > before.credit.mean() + 0.1
    assert f"{after.credit.mean():.4f}" in ran.out
    assert "penalties: 30 (5 folds)" in ran.err
    assert simtool("report", "out.parquet", "--replicates", 100).code == 0


@pytest.mark.parametrize("kind", ["diagonal", "low-rank", "full", "segments"])
def test_the_transform_is_applied_to_new_images(simtool: Simtool, home: Path, kind: str) -> None:
    options = ("--kind", kind, "--rank", 2, "--penalty", 10, "--model-out", "model")
    assert reweight(simtool, *options).code == 0
    ran = simtool("transform", "new.parquet", "--with", "model", "--out", "moved.parquet")
    assert ran.code == 0, ran.err
    table = open_embeddings(home / "moved.parquet")
    assert table.info.name == f"net, {kind}"
    arrays = np.load(home / "model" / "transform.npz")
    standard = (vectors(seed=9, images=7).astype(np.float32) - arrays["mean"]) / arrays["std"]
    expected = standard * arrays["weights"] if arrays["weights"].ndim == 1 else standard @ arrays["weights"]
    np.testing.assert_allclose(table.read(), expected, atol=1e-5)
    assert simtool("show", "model").code == 0


def test_an_asymmetric_transform_gives_distances_with_a_direction(simtool: Simtool, home: Path) -> None:
    assert reweight(simtool, "--kind", "asymmetric", "--penalty", 10, "--model-out", "model").code == 0
    ran = simtool("transform", "net.parquet", "--with", "model", "--out", "pairs.parquet", "--name", "directed")
    assert ran.code == 0, ran.err
    table = read_distances(home / "pairs.parquet")
    assert (table.info.symmetric, len(table)) == (False, len(IMAGES) * (len(IMAGES) - 1))
    ran = simtool("score", "pairs.parquet", "--trials", "trials.parquet", "--out", "scored.parquet")
    assert ran.code == 0
    (seen,) = read_outcomes([home / "scored.parquet"])
    held = read_outcomes([home / "out.parquet"])[1]
    assert seen.credit.mean() >= held.credit.mean() - 0.01  # it has seen these judgments


@pytest.mark.parametrize("hold_out", ["image", "class"])
def test_unseen_images_and_classes_have_a_control(simtool: Simtool, home: Path, hold_out: str) -> None:
    options = ("--hold-out", hold_out, "--images", "images.parquet", "--penalty", 30, "--repeats", 1, "--folds", 2)
    ran = reweight(simtool, *options)
    assert ran.code == 0, ran.err
    names = [each.model for each in read_outcomes([home / "out.parquet"])]
    assert names == [f"net, identity by {hold_out}", f"net, full by {hold_out}", "net, full, same size by trial"]
    assert "whose three images were all held out" in ran.err
    classes = read_outcomes([home / "out.parquet"])[0].trials.extra["query_class"].to_pylist()
    assert set(classes) <= {f"class {number}" for number in range(8)}


def test_held_out_comparisons_are_said_to_leak(simtool: Simtool, home: Path) -> None:
    ran = reweight(simtool, "--hold-out", "comparison", "--penalty", 30)
    assert ran.code == 0
    assert "held-out comparisons leak" in ran.err
    assert "leak" not in reweight(simtool, "--penalty", 30).err


def test_gLocals_own_transform_is_applied(simtool: Simtool, home: Path) -> None:  # noqa: N802
    weights = np.random.default_rng(0).standard_normal((6, 3))
    np.savez("glocal.npz", weights=weights, bias=np.ones(3), mean=0.5, std=2.0)
    assert simtool("transform", "new.parquet", "--with", "glocal.npz", "--out", "moved.parquet").code == 0
    table = open_embeddings(home / "moved.parquet")
    np.testing.assert_allclose(table.read(), (vectors(seed=9, images=7) - 0.5) / 2 @ weights + 1, atol=1e-5)
    assert table.info.name == "net, gLocal"


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--kind", "ful"), 2, "did you mean full?"),
        (("--hold-out", "images"), 2, "did you mean image?"),
        (("--distance", "euclidean"), 2, "--distance is one of cosine, mse, dot"),
        (("--penalty", "inf"), 2, "--penalty is a finite number"),
        (("--repeats", 2), 2, "--repeats is for --hold-out image and class"),
        (("--kind", "segments", "--components", 3), 2, "leave out --components"),
        (("--kind", "low-rank", "--components", 4, "--rank", 5), 2, "--rank is a number from 1 to 4"),
        (("--hold-out", "session"), 2, "the trials name no session"),
        (("--hold-out", "class"), 2, "give a table of images with --images"),
        (("--hold-out", "query", "--folds", 50), 2, "40 queries cannot be split into 50 folds"),
    ],
)
def test_one_line_says_what_is_wrong(
    simtool: Simtool, home: Path, options: tuple[object, ...], code: int, message: str
) -> None:
    ran = reweight(simtool, *options)
    assert ran.code == code
    assert message in ran.err
    assert not (home / "out.parquet").exists()


def test_a_transform_of_other_vectors_or_a_damaged_one_is_refused(simtool: Simtool, home: Path) -> None:
    assert reweight(simtool, "--penalty", 30, "--model-out", "model").code == 0
    write(Path("other.parquet"), X, IMAGES, model="xyz")
    write(Path("short.parquet"), X[:, :4], IMAGES)
    for table, message in (("other", "learned from vectors of another model"), ("short", "of the same network")):
        ran = simtool("transform", f"{table}.parquet", "--with", "model", "--out", "moved.parquet")
        assert (ran.code, message in ran.err) == (1, True), ran.err
    assert read_manifest(home / "model").preprocessing is None
    (home / "model" / "transform.npz").write_bytes(b"damaged")
    ran = simtool("transform", "net.parquet", "--with", "model", "--out", "moved.parquet")
    assert (ran.code, "copy the model folder again" in ran.err) == (1, True)
    assert not (home / "moved.parquet").exists()


def test_a_transform_is_no_model_of_images(simtool: Simtool, home: Path) -> None:
    assert reweight(simtool, "--penalty", 30, "--model-out", "model").code == 0
    with pytest.raises(ModelError, match="it transforms vectors, not images; run simtool transform TABLE --with model"):
        load_model(Path("model"))


def test_a_folder_of_other_files_is_refused_before_anything_is_learned(simtool: Simtool, home: Path) -> None:
    (home / "full").mkdir()
    (home / "full" / "other").touch()
    ran = reweight(simtool, "--model-out", "full")
    assert (ran.code, "penalties" in ran.err) == (1, False)
    assert "full: this folder holds other files" in ran.err
