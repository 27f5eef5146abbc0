from __future__ import annotations

import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from simtool.errors import UsageError
from simtool.images.pipeline import stream
from simtool.images.preprocessing import named_preprocessing
from simtool.models.errors import ModelError
from simtool.models.pca import eigen, fit
from simtool.models.pca.fit import PcaFit, check_request, fit_components
from simtool.system.space import SpaceError

folder_is_reused = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
Matrix = NDArray[np.float32]


def decaying(rows: int, columns: int, seed: int = 0) -> Matrix:
    """Data with a power-law spectrum around a large common mean, like photographs."""
    rng = np.random.default_rng(seed)
    rank = min(rows, columns)
    factors = rng.standard_normal((rows, rank)), rng.standard_normal((rank, columns))
    scales = np.arange(1, rank + 1) ** -0.6
    return (factors[0] * scales @ factors[1] + 5 * rng.standard_normal(columns)).astype(np.float32)


def batches(data: Matrix, size: int) -> Iterator[Matrix]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def fitted(data: Matrix, components: int, folder: Path, size: int = 7) -> PcaFit:
    return fit_components(batches(data, size), len(data), data.shape[1], components, folder)


def rows_of(result: PcaFit) -> Matrix:
    return result.components.read_rows(result.components.shape[0])


@pytest.fixture(params=["float32", "float64"])
def precision(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both precisions in which the products are formed, whatever the size."""
    monkeypatch.setattr(fit, "EXACT_WORK", 0 if request.param == "float32" else np.inf)
    return str(request.param)


@pytest.mark.parametrize(("rows", "columns"), [(60, 200), (200, 60), (100, 100), (101, 100), (30, 3000)])
def test_it_equals_the_full_decomposition(rows: int, columns: int, precision: str, tmp_path: Path) -> None:
    data = decaying(rows, columns)
    result = fitted(data, 25, tmp_path)
    full = PCA(25, svd_solver="full").fit(data.astype(np.float64))
    tight = 1e-4 if precision == "float32" else 1e-9
    np.testing.assert_allclose(result.variance, full.explained_variance_, rtol=tight)
    np.testing.assert_allclose(result.variance / result.total_variance, full.explained_variance_ratio_, rtol=tight)
    np.testing.assert_allclose(result.mean, full.mean_, rtol=1e-6)
    np.testing.assert_allclose(rows_of(result), full.components_, atol=2e-3 if precision == "float32" else 1e-6)
    assert result.method == ("inner products" if rows <= columns else "covariance")
    assert result.images == rows


def test_the_iterative_solver_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = decaying(400, 500)
    dense = fitted(data, 30, tmp_path)
    monkeypatch.setattr(eigen, "DENSE_SIZE", 100)
    iterative = fitted(data, 30, tmp_path)
    assert (dense.solver, iterative.solver) == ("dense", "lanczos")
    np.testing.assert_allclose(iterative.variance, dense.variance, rtol=1e-10)
    np.testing.assert_allclose(rows_of(iterative), rows_of(dense), atol=1e-5)


def test_real_photographs_are_fitted_exactly(birds16: Path, tmp_path: Path) -> None:
    files = sorted((birds16 / "images").rglob("*.jpg"))
    recipe = named_preprocessing("study").adjusted(size=32)
    data = np.concatenate([batch.pixels for batch in stream([str(file) for file in files], files, recipe, 64)])
    data = data.reshape(208, -1)
    result = fitted(data, 207, tmp_path)
    full = PCA(207, svd_solver="full").fit(data.astype(np.float64))
    np.testing.assert_allclose(result.variance / result.total_variance, full.explained_variance_ratio_, rtol=1e-7)
    np.testing.assert_allclose(rows_of(result), full.components_, atol=1e-4)
    assert result.explained(207) == pytest.approx(1)


@folder_is_reused
@given(
    rows=st.integers(3, 40), columns=st.integers(2, 60), seed=st.integers(0, 2**32 - 1), batch=st.integers(1, 50),
    data=st.data(),
)  # fmt: skip
def test_components_are_orthonormal_ordered_signed_and_as_good_as_they_say(
    tmp_path: Path, rows: int, columns: int, seed: int, batch: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, min(rows - 1, columns)))
    values = decaying(rows, columns, seed)
    result = fitted(values, count, tmp_path, batch)
    components = rows_of(result).astype(np.float64)
    deviation = np.abs(components @ components.T - np.eye(count)).max()
    assert deviation < 1e-6
    assert result.orthogonality == pytest.approx(deviation, abs=1e-9)
    assert (np.diff(result.variance) <= 1e-12 * result.variance[0]).all()
    assert (components[np.arange(count), np.abs(components).argmax(axis=1)] > 0).all()
    projected = (values - result.mean) @ components.T
    np.testing.assert_allclose(projected.var(axis=0, ddof=1), result.variance, rtol=1e-4, atol=1e-9)
    assert result.total_variance == pytest.approx(values.astype(np.float64).var(axis=0, ddof=1).sum(), rel=1e-6)


@folder_is_reused
@given(st.integers(3, 20), st.integers(20, 40), st.integers(0, 2**32 - 1))
def test_all_components_together_rebuild_every_image(tmp_path: Path, rows: int, columns: int, seed: int) -> None:
    values = decaying(rows, columns, seed)
    result = fitted(values, rows - 1, tmp_path)
    components = rows_of(result)
    rebuilt = (values - result.mean) @ components.T @ components + result.mean
    np.testing.assert_allclose(rebuilt, values, atol=1e-4)


@pytest.mark.parametrize(("rows", "columns"), [(50, 90), (90, 50)])
def test_a_smaller_fit_is_the_start_of_a_larger_one(rows: int, columns: int, tmp_path: Path) -> None:
    data = decaying(rows, columns)
    large, small = fitted(data, 40, tmp_path), fitted(data, 7, tmp_path)
    np.testing.assert_allclose(rows_of(small), rows_of(large)[:7], atol=1e-5)
    np.testing.assert_allclose(small.variance, large.variance[:7], rtol=1e-10)
    assert small.total_variance == pytest.approx(large.total_variance)


@pytest.mark.parametrize(("rows", "columns"), [(50, 90), (90, 50)])
def test_block_and_batch_sizes_change_nothing(
    rows: int, columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    data = decaying(rows, columns)
    one = fitted(data, 10, tmp_path, size=1000)
    monkeypatch.setattr(fit, "BLOCK_BYTES", 1)
    other = fitted(data, 10, tmp_path, size=3)
    tight = 1e-4 if precision == "float32" else 1e-6
    np.testing.assert_allclose(rows_of(one), rows_of(other), atol=tight)
    np.testing.assert_allclose(one.variance, other.variance, rtol=tight)


def test_a_large_common_mean_costs_no_accuracy(tmp_path: Path, precision: str) -> None:
    for rows, columns in ((40, 70), (70, 40)):
        plain = (decaying(rows, columns) * 256).round().astype(np.float32)
        near, far = fitted(plain, 10, tmp_path), fitted(plain + 2**20, 10, tmp_path)
        np.testing.assert_allclose(far.variance, near.variance, rtol=1e-4)
        np.testing.assert_allclose(rows_of(far), rows_of(near), atol=1e-3)


@pytest.mark.parametrize(("rows", "columns"), [(30, 80), (80, 30)])
def test_images_of_few_dimensions_have_few_components(
    rows: int, columns: int, tmp_path: Path, precision: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    # Small integers are exact in float32, so that the rank is exactly 4.
    data = rng.integers(-9, 10, (rows, 4)) @ rng.integers(-9, 10, (4, columns))
    result = fitted(data.astype(np.float32), 20, tmp_path)
    assert result.components.shape == (4, columns)
    assert result.explained(4) == pytest.approx(1)
    assert result.orthogonality < 1e-6
    assert "warning: the images span only 4 dimensions" in capsys.readouterr().err


@pytest.mark.parametrize("value", [0.0, 0.1, -0.5, 1e6])
@pytest.mark.parametrize(("rows", "columns"), [(5, 12), (12, 5)])
def test_equal_images_are_an_error(value: float, rows: int, columns: int, tmp_path: Path, precision: str) -> None:
    with pytest.raises(ModelError, match="all images are equal"):
        fitted(np.full((rows, columns), value, np.float32), 3, tmp_path)


def test_two_images_have_one_component(tmp_path: Path) -> None:
    data = np.array([[1, 5, 2], [1, 1, 5]], np.float32)
    result = fitted(data, 1, tmp_path)
    np.testing.assert_allclose(rows_of(result), [[0, 0.8, -0.6]], atol=1e-7)
    assert result.variance == pytest.approx([12.5])
    assert result.explained(1) == pytest.approx(1)


@pytest.mark.parametrize(("images", "dimension", "wanted"), [(10, 100, 10), (100, 9, 10), (10, 100, 0)])
def test_more_components_than_there_are_is_an_error(images: int, dimension: int, wanted: int) -> None:
    with pytest.raises(UsageError, match=f"allow 1 to {min(images - 1, dimension)} components, not {wanted}"):
        check_request(images, dimension, wanted)


def test_images_that_are_skipped_count_for_that(tmp_path: Path) -> None:
    data = decaying(8, 30)
    with pytest.raises(UsageError, match="8 images of 30 values allow 1 to 7 components, not 9"):
        fit_components(batches(data, 3), 12, 30, 9, tmp_path)
    fewer = fit_components(batches(data, 3), 12, 30, 5, tmp_path)
    assert fewer.images == 8
    np.testing.assert_allclose(rows_of(fewer), rows_of(fitted(data, 5, tmp_path)), atol=1e-6)
    crossing = fit_components(batches(decaying(20, 30), 3), 40, 30, 5, tmp_path)
    np.testing.assert_allclose(rows_of(crossing), rows_of(fitted(decaying(20, 30), 5, tmp_path)), atol=1e-5)


@pytest.mark.parametrize("images", [-1, 0, 1])
def test_fewer_than_two_images_have_no_components(images: int) -> None:
    with pytest.raises(ModelError, match=f"need at least 2 images, not {max(images, 0)}"):
        check_request(images, 5, 1, fewer=True)


def test_as_many_components_as_there_are_can_be_asked_for(tmp_path: Path) -> None:
    assert check_request(10, 100, 1000, fewer=True) == 9
    assert check_request(100, 9, 1000, fewer=True) == 9
    assert check_request(100, 9, 4, fewer=True) == 4
    # Four images were left out on the way.
    found = fit_components(batches(decaying(8, 30), 3), 12, 30, 1000, tmp_path, fewer=True)
    assert len(found.variance) == 7


def test_too_little_memory_is_found_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Free memory is also what the limit of a job leaves."""
    with pytest.raises(ModelError, match=r"GB of memory, .* GB are free; .* fewer --components"):
        check_request(10_000_000, 3 * 4096**2, 1000)
    monkeypatch.setattr("simtool.models.pca.fit.available_memory", lambda: 10_000_000)
    assert check_request(500, 300, 100)
    with pytest.raises(ModelError, match=r"need 0\.1 GB of memory, 0\.0 GB are free"):
        check_request(3000, 3000, 1000)


def test_nothing_is_left_in_the_scratch_folder(tmp_path: Path) -> None:
    fitted(decaying(30, 40), 5, tmp_path)
    fitted(decaying(40, 30), 5, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_scratch_folder_is_found_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1))
    with pytest.raises(SpaceError, match="--scratch"):
        fit_components(iter([]), 10, 100, 3, tmp_path)
