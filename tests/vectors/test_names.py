from __future__ import annotations

from pathlib import Path

import pytest

from simtool.errors import SimtoolError
from simtool.vectors.names import read_names


@pytest.mark.parametrize(
    "content",
    [
        b"a b.jpg\nc,d.jpg\n",
        b"a b.jpg\r\nc,d.jpg",
        b"\xef\xbb\xbfa b.jpg \n c,d.jpg\n\n\n",
        "a b.jpg\nc,d.jpg\n".encode("utf-16"),
    ],
)
def test_a_line_is_a_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "names.txt").write_bytes(content)
    assert read_names(tmp_path / "names.txt") == ["a b.jpg", "c,d.jpg"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a.jpg\n\nb.jpg\n", "line 2 is empty; each vector needs a name"),
        (b"a.jpg\nb.jpg\na.jpg\n", "name is not unique, 1 repeated: a.jpg (rows 0 and 2)"),
        (b'["a.jpg", "b.jpg"]', "this is a JSON file that lists 2 values, not a text with one name in each line"),
        (b"", "this is an empty file, not a text with one name in each line"),
        (b"a.jpg\n" * 20_000 + b"\xff\xfe", "it is not text in UTF-8; save it in UTF-8"),
    ],
)
def test_files_that_are_no_names_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "names.txt").write_bytes(content)
    with pytest.raises(SimtoolError) as failure:
        read_names(tmp_path / "names.txt")
    assert str(failure.value) == f"{tmp_path / 'names.txt'}: {reason}"
