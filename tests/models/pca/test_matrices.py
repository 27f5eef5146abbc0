from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simtool.models.errors import ModelError
from simtool.models.pca.matrices import NpyMatrix, read_vector

once_per_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)


@once_per_folder
@given(rows=st.integers(1, 12), columns=st.integers(1, 40), width=st.integers(1, 50), kept=st.integers(1, 12))
def test_a_matrix_on_disk_is_a_plain_npy_file(tmp_path: Path, rows: int, columns: int, width: int, kept: int) -> None:
    values = np.random.default_rng(0).standard_normal((rows, columns)).astype(np.float32)
    matrix = NpyMatrix.create(tmp_path, rows, columns, "a test")
    blocks = [slice(start, min(start + width, columns)) for start in range(0, columns, width)]
    for block in blocks:
        matrix.write_columns(block, values[:, block])
    for block in blocks:
        np.testing.assert_array_equal(matrix.read_columns(block), values[:, block])
    kept = min(kept, rows)
    np.testing.assert_array_equal(matrix.read_rows(kept), values[:kept])
    matrix.copy_to(tmp_path / "copy.npy", kept)
    np.testing.assert_array_equal(np.load(tmp_path / "copy.npy", allow_pickle=False), values[:kept])
    np.testing.assert_array_equal(NpyMatrix.open(tmp_path / "copy.npy").read_rows(kept), values[:kept])


def test_a_new_matrix_leaves_no_file_behind(tmp_path: Path) -> None:
    NpyMatrix.create(tmp_path, 3, 4, "a test")
    assert list(tmp_path.iterdir()) == []


def npy(values: object, dtype: object = np.float32, order: str = "C") -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array(values, dtype, order=order), allow_pickle=True)  # type: ignore[call-overload]
    return buffer.getvalue()


GOOD = npy([[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not an array of numpy"),
        (b"PK\3\4 an archive", "not an array of numpy"),
        (GOOD[:-1], "23 bytes of values, the header states 24"),
        (GOOD + b"\0", "25 bytes of values, the header states 24"),
        (npy([[1, 2], [3, 4]], np.float64), "expected float32 in rows, found float64"),
        (npy([[1, 2], [3, 4]], ">f4"), "expected float32 in rows, found >f4"),
        (npy([[1, 2], [3, 4]], np.float32, "F"), "in columns"),
        (npy([{"a": 1}], object), "not an array of numpy: an array of object"),
        (npy([1, 2, 3]), "expected a matrix"),
        (GOOD.replace(b"(2, 3)", b"(2, 9)"), "24 bytes of values, the header states 72"),
        (GOOD.replace(b"(2, 3)", b"(-2,3)"), r"an array of float32 of shape \(-2, 3\)"),
        (GOOD.replace(b"(2, 3)", b"a.b(),"), "not an array of numpy"),
        (GOOD.replace(b"(2, 3)", b"(((((("), r"a header that cannot be read \(TokenError\)"),
        (GOOD.replace(b"(2, 3)", b"(2L,3)"), r"a header that cannot be read \(UserWarning\)"),
        (GOOD.replace(b"'<f4'", b"()   "), "a header that cannot be read"),
    ],
)
def test_a_matrix_from_elsewhere_is_checked(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "m.npy").write_bytes(content)
    with pytest.raises(ModelError, match=complaint):
        NpyMatrix.open(tmp_path / "m.npy")


def test_a_vector_from_elsewhere_is_checked(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.arange(4.0))
    np.testing.assert_array_equal(read_vector(tmp_path / "v.npy", 4), np.arange(4.0))
    with pytest.raises(ModelError, match=r"expected 5 values, found the shape \[4\]"):
        read_vector(tmp_path / "v.npy", 5)
    np.save(tmp_path / "v.npy", np.arange(4))
    with pytest.raises(ModelError, match="expected float64 in rows, found int64"):
        read_vector(tmp_path / "v.npy", 4)
