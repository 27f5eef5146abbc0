from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simtool.judgments import arrays
from simtool.judgments.assembly import JudgmentsError
from simtool.judgments.importing import import_judgments
from tests.judgments.rows import odd_rows, table

NAMES = [["a.JPEG", "b.JPEG", "c.JPEG"], ["d.JPEG", "b.JPEG", "a.JPEG"]]
SIMILARITIES = [[3.0, 2.0, 1.0], [2.5, 2.5, 0.5]]


def saved(folder: Path, names: Any = NAMES, similarities: Any = SIMILARITIES, **others: Any) -> Path:
    path = folder / "triplets.npz"
    np.savez_compressed(path, filenames=np.array(names), similarities=np.array(similarities, np.float32), **others)
    return path


def test_the_third_image_is_the_odd_one_and_similarities_are_kept(tmp_path: Path) -> None:
    reading = import_judgments(saved(tmp_path, indices=np.array([[0, 1, 2], [3, 1, 0]])))
    assert reading.format == "alignet"
    trials = reading.judgments.trials
    assert odd_rows(trials) == [[*row, row[2]] for row in NAMES]
    kept = [trials.extra[name].to_pylist() for name in ("similarity_1_2", "similarity_1_3", "similarity_2_3")]
    assert kept == np.transpose(SIMILARITIES).tolist()


def test_many_rows_are_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [[f"{row % 7}.JPEG", f"{row % 5 + 10}.JPEG", f"ü{row % 3 + 20}.JPEG"] for row in range(50)]
    path = saved(tmp_path, names, np.tile([3.0, 2, 1], (50, 1)))
    whole = odd_rows(import_judgments(path).judgments.trials)
    monkeypatch.setattr(arrays, "_BLOCK", 1000)
    assert odd_rows(import_judgments(path).judgments.trials) == whole == [[*row, row[2]] for row in names]


def test_text_of_the_other_byte_order_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path, np.array(NAMES).astype(np.array(NAMES).dtype.newbyteorder()))
    assert odd_rows(import_judgments(path).judgments.trials)[0] == [*NAMES[0], "c.JPEG"]


@pytest.mark.parametrize(
    ("names", "similarities", "complaint"),
    [
        (NAMES, [[3, 2, 1], [1, 2, 0]], "row 1 has similarities by which the third image is not the odd one"),
        (NAMES, [[3, 2, 1], [np.nan, 2, 0]], "row 1 has similarities by which the third image is not the odd one"),
        (NAMES, [[3, 2, 1]], "similarities: should be numbers of shape (2, 3); it is float32 of shape (1, 3)"),
        ([["a", "b"]], [[1, 2, 3]], "filenames: should be text of shape (trials, 3)"),
        ([[1, 2, 3]], [[3, 2, 1]], "filenames: should be text of shape (trials, 3); it is int64"),
        ([["a", "b", ""]], [[3, 2, 1]], "filenames: an image without a name"),
        ([["a", "b", "\ud800"]], [[3, 2, 1]], "filenames: damaged text"),
        ([["a", "b", "a"]], [[3, 2, 1]], "row 0 shows a reference twice"),
    ],
)
def test_a_malformed_archive_is_refused(tmp_path: Path, names: Any, similarities: Any, complaint: str) -> None:
    with pytest.raises(JudgmentsError) as failure:
        import_judgments(saved(tmp_path, names, similarities))
    assert complaint in str(failure.value)


def test_names_as_python_objects_are_refused_and_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "triplets.npz"
    np.savez(path, filenames=np.array(NAMES, object), similarities=np.array(SIMILARITIES))
    with pytest.raises(JudgmentsError, match=r"filenames: .*an array of object .*; save numbers or text"):
        import_judgments(path)


def test_a_damaged_member_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, [["a" * 50, "b", str(at)] for at in range(500)], np.tile([3.0, 2, 1], (500, 1)))
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("filenames.npy")
    content[info.header_offset + 400 : info.header_offset + 410] = bytes(10)
    path.write_bytes(content)
    with pytest.raises(JudgmentsError, match=r"filenames: damaged \("):
        import_judgments(path)


def test_a_member_that_states_more_than_is_read_at_once_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    shape = (1 << 28, 3)
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header = header.ljust(117) + b"\n"
    names = tmp_path / "names.npy"
    np.save(names, np.array(NAMES))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(names, "filenames.npy")
        archive.writestr("similarities.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(JudgmentsError, match=r"similarities: no array that simtool reads \(0 bytes of values"):
        import_judgments(path)


def test_the_sample_is_read_rightly(formats: Path) -> None:
    folder = formats / "alignet"
    reading = import_judgments(folder / "alignet_valid.npz")
    trials = reading.judgments.trials
    assert reading.format == "alignet"
    assert odd_rows(trials) == table(folder / "expected.csv", "filename0", "filename1", "filename2", "odd")
    kept = [trials.extra[f"similarity_{pair}"].to_numpy() for pair in ("1_2", "1_3", "2_3")]
    stated = np.array(table(folder / "expected.csv", "s01", "s02", "s12"), np.float32)
    np.testing.assert_array_equal(np.column_stack(kept), stated)
