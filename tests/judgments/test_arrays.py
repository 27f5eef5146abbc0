from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simtool.judgments.arrays import are_whole, open_archive, open_array
from simtool.judgments.assembly import JudgmentsError
from simtool.judgments.importing import import_judgments


def test_whole_numbers_are_told_from_others() -> None:
    assert are_whole(np.array([0, -3.0, 2.5, np.nan, np.inf, 2.0**53, -1e300])).tolist() == [True, True, *[False] * 5]
    assert are_whole(np.array([0, 2**63, 2**64 - 1], np.uint64)).tolist() == [True, False, False]
    assert are_whole(np.array([1, 0.5, np.inf], np.float16)).tolist() == [True, False, False]


def test_values_and_blocks_are_the_same(tmp_path: Path) -> None:
    values = np.arange(30).reshape(10, 3)
    for stored in (values, np.asfortranarray(values)):
        np.save(tmp_path / "a.npy", stored)
        with open_array(tmp_path / "a.npy") as array:
            np.testing.assert_array_equal(array.values(), values)
        with open_array(tmp_path / "a.npy") as array:
            np.testing.assert_array_equal(np.concatenate(list(array.blocks())), values)


def test_an_array_of_more_bytes_than_are_read_at_once_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    with path.open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (2**27, 3)}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 2**27 * 3 * 8)  # takes no space on the disk
    with open_array(path) as array, pytest.raises(JudgmentsError, match="3,221,225,472 bytes of values; at most"):
        array.values()


def test_a_missing_member_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", query=np.zeros(3))
    with open_archive(tmp_path / "a.npz") as archive, pytest.raises(JudgmentsError, match="response: no such array"):
        archive.array("response")


@pytest.mark.parametrize("name", ["alignet", "cblearn"])
def test_a_format_that_was_forced_names_the_kind_of_the_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / "trials.csv"
    path.write_text("img1,img2,ooo\n1,2,3\n")
    with pytest.raises(JudgmentsError, match=r"this is a CSV \(first line: img1, img2, ooo\), not a NumPy ar"):
        import_judgments(path, name)
