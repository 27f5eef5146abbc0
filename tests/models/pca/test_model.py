from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from simtool.images.preprocessing import named_preprocessing
from simtool.models.errors import ModelError
from simtool.models.folder import MANIFEST, model_folder
from simtool.models.pca.fit import PcaFit, fit_components
from simtool.models.pca.model import Pca, write_log
from simtool.models.registry import load_model
from simtool.tables.provenance import Provenance, sha256_of

RECIPE = named_preprocessing("study").adjusted(size=4)
ORIGIN = Provenance.of(["fit-pca"], [])


def photographs(count: int, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    scales = np.arange(1, 49) ** -0.5
    return (rng.standard_normal((count, 48)) * scales + rng.standard_normal(48)).reshape(count, 4, 4, 3).astype("f")


IMAGES = photographs(150)


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory) -> PcaFit:
    return fit_components([IMAGES.reshape(150, 48)], 150, 48, 20, tmp_path_factory.mktemp("scratch"))


@pytest.fixture
def folder(fit: PcaFit, tmp_path: Path) -> Path:
    with model_folder(tmp_path / "pca", "fit-pca") as folder:
        Pca.of(RECIPE, fit).save(folder, ORIGIN)
        write_log(folder, fit, {"bird-7": "truncated"})
    return tmp_path / "pca"


def test_vectors_are_the_projections_of_scikit_learn(fit: PcaFit) -> None:
    full = PCA(20, svd_solver="full").fit(IMAGES.reshape(150, 48).astype(np.float64))
    others = photographs(77, seed=1)
    np.testing.assert_allclose(Pca.of(RECIPE, fit).embed(others), full.transform(others.reshape(77, 48)), atol=1e-5)


def test_a_saved_model_embeds_as_the_fitted_one(fit: PcaFit, folder: Path) -> None:
    fitted = Pca.of(RECIPE, fit)
    loaded = load_model(folder)
    np.testing.assert_array_equal(loaded.embed(IMAGES), fitted.embed(IMAGES))
    assert loaded.preprocessing == RECIPE
    assert loaded.output() == fitted.output()
    assert loaded.weights is not None


def test_saving_tells_the_model_its_hash(fit: PcaFit, tmp_path: Path) -> None:
    model = Pca.of(RECIPE, fit)
    assert model.weights is None
    with model_folder(tmp_path / "pca", "fit-pca") as folder:
        model.save(folder, ORIGIN)
    loaded = load_model(tmp_path / "pca")
    assert (model.weights, model.origin) == (loaded.weights, loaded.origin)


def test_a_vector_does_not_depend_on_its_batch(fit: PcaFit) -> None:
    model = Pca.of(RECIPE, fit)
    whole = model.embed(IMAGES)
    for size in (1, 7, 64, 65):
        pieces = [model.embed(IMAGES[start : start + size]) for start in range(0, 150, size)]
        np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_fewer_components_are_the_first_values(folder: Path) -> None:
    model = load_model(folder)
    few = model.cut(5)
    assert (few.output().name, few.output().dimension, few.output().segments) == ("PCA 5", 5, ())
    np.testing.assert_allclose(few.embed(IMAGES), model.embed(IMAGES)[:, :5], atol=1e-6)
    assert few.weights == model.weights


def test_only_the_components_that_are_used_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model(folder).cut(5)
    read = []
    real = os.preadv

    def counted(*arguments: object) -> int:
        read.append(real(*arguments))  # type: ignore[arg-type]
        return read[-1]

    monkeypatch.setattr(os, "preadv", counted)
    model.embed(IMAGES)
    assert sum(read) == 5 * 48 * 4


def test_more_components_than_were_fitted_are_an_error(folder: Path) -> None:
    with pytest.raises(ModelError, match="has 20 components; keep 1 to 20, not 21"):
        load_model(folder).cut(21)


def test_a_layer_is_an_error_that_says_what_there_is(folder: Path) -> None:
    model = load_model(folder)
    assert model.layers == ()
    with pytest.raises(ModelError, match="a PCA has no layers; leave out --layer final"):
        model.embed(IMAGES, "final")


def test_the_folder_holds_plain_arrays_a_manifest_and_the_log(folder: Path, fit: PcaFit) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "components.npy", "fit.json", "mean.npy", "model.json", "variance.npy",
    ]  # fmt: skip
    components = np.load(folder / "components.npy", allow_pickle=False)
    assert (components.dtype, components.shape) == (np.float32, (20, 48))
    manifest = json.loads((folder / MANIFEST).read_text())
    assert (manifest["kind"], manifest["name"], manifest["layers"]) == ("pca", "PCA 20", [])
    log = json.loads((folder / "fit.json").read_text())
    assert np.cumsum(log["explained_variance_ratio"])[9] == pytest.approx(fit.explained(10))
    assert (log["images"], log["method"], log["skipped"]) == (150, "covariance", {"bird-7": "truncated"})
    assert log["residual"] < 1e-6
    assert log["orthogonality"] < 1e-6


def forged(folder: Path, **files: object) -> None:
    """Replace arrays, and the hashes with them, as a careful attacker would."""
    manifest = json.loads((folder / MANIFEST).read_text())
    for name, values in files.items():
        np.save(folder / f"{name}.npy", values, allow_pickle=True)  # type: ignore[arg-type]
        manifest["weights"][f"{name}.npy"] = sha256_of(folder / f"{name}.npy")
    (folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("name", "values", "complaint"),
    [
        (
            "components",
            np.zeros((20, 47), "f"),
            "20 components of 47 values; .* says 20 and its preprocessing gives 48",
        ),
        ("components", np.zeros((19, 48), "f"), "19 components of 48 values"),
        ("components", np.zeros((20, 48)), "expected float32"),
        ("components", np.array([{}], object), "not an array of numpy: an array of object"),
        ("components", np.full((20, 48), np.nan, "f"), r"components\.npy: NaN or infinity in 20 of 20 rows: 0, 1, 2"),
        ("mean", np.append(np.zeros(47), np.inf), r"mean\.npy: NaN or infinity in 1 of 48 rows: 47"),
        ("mean", np.zeros(47), r"expected 48 values, found the shape \[47\]"),
        ("mean", np.full(48, np.nan), r"mean\.npy: NaN or infinity in 48 of 48 rows"),
        ("variance", np.full(20, np.inf), r"variance\.npy: NaN or infinity in 20 of 20 rows"),
        ("variance", np.zeros(21), r"expected 20 values, found the shape \[21\]"),
    ],
)
def test_weights_that_do_not_fit_are_an_error(folder: Path, name: str, values: object, complaint: str) -> None:
    forged(folder, **{name: values})
    with pytest.raises(ModelError, match=complaint):
        load_model(folder).embed(np.zeros((1, 4, 4, 3), "f"))


def test_components_that_are_not_finite_are_found_when_they_are_read(folder: Path) -> None:
    forged(folder, components=np.full((20, 48), np.nan, "f"))
    with pytest.raises(ModelError, match=r"components\.npy: NaN or infinity in 20 of 20 rows"):
        load_model(folder).embed(IMAGES)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"settings": {}}, "states the number of its components, not None"),
        ({"settings": {"components": "20"}}, "states the number of its components, not 20"),
        ({"settings": {"components": -1}}, "states the number of its components, not -1"),
        ({"settings": {"components": True}}, "states the number of its components, not True"),
        ({"weights": {}}, r"a PCA needs components\.npy, mean\.npy, variance\.npy"),
        ({"preprocessing": named_preprocessing("study").to_json()}, "its preprocessing gives 49,152"),
    ],
)
def test_a_manifest_that_does_not_fit_is_an_error(folder: Path, change: dict[str, object], complaint: str) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | change))
    with pytest.raises(ModelError, match=complaint):
        load_model(folder)


def test_a_flipped_bit_is_found(folder: Path) -> None:
    content = bytearray((folder / "components.npy").read_bytes())
    content[-1] ^= 1
    (folder / "components.npy").write_bytes(content)
    with pytest.raises(ModelError, match=r"components\.npy: SHA-256 .* copy the model folder again"):
        load_model(folder)
