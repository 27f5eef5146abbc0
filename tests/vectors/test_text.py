from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simtool.errors import SimtoolError
from simtool.kinds import kind_of
from simtool.vectors.text import open_text
from simtool.vectors.vectors import Vectors, VectorsError

ROWS = {"a.jpg": [0.5, 2.0, -1e-3], "b, c.jpg": [1.0, 0.0, 3.5]}


def opened(folder: Path, content: str | bytes, named: bool = True) -> Vectors:
    path = folder / "vectors.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return open_text(path, kind_of(path), named)


def values(vectors: Vectors) -> list[list[float]]:
    return [row.tolist() for _, block in vectors.batches() for row in block]


@pytest.mark.parametrize(
    "content",
    [
        'a.jpg,.5,2,-1e-3\n"b, c.jpg",1,0,3.5\n',
        'name,x,y,z\na.jpg,.5,2,-1e-3\n"b, c.jpg",1,0,3.5\n',
        'name,0,1,2\r\na.jpg,.5,2,-1e-3\r\n"b, c.jpg",1,0,3.5\r\n\r\n',
        "sep=;\nname;x;y;z\na.jpg;.5;2;-1e-3\nb, c.jpg;1;0;3.5",
        "name\tx\ty\tz\na.jpg\t.5\t2\t-1e-3\nb, c.jpg\t1\t0\t3.5\n",
        'name,x,y,z\na.jpg, .5, 2, -1e-3\n"b, c.jpg",1,0,3.5\n'.encode("utf-16"),
        b'\xef\xbb\xbfname,x,y,z\na.jpg,.5,2,-1e-3\n"b, c.jpg",1,0,3.5\n',
        pd.DataFrame(ROWS.values(), index=pd.Index(ROWS)).to_csv(),
        pd.DataFrame(ROWS.values(), index=pd.Index(ROWS, name="image")).to_csv(),
    ],
)
def test_the_first_column_holds_the_names(tmp_path: Path, content: str | bytes) -> None:
    vectors = opened(tmp_path, content)
    assert vectors.names == list(ROWS)
    assert values(vectors) == list(ROWS.values())


@pytest.mark.parametrize(
    "content",
    ["0.5 2 -1e-3\n1 0 3.5\n", "0.5 2 -1e-3 \n1 0 3.5 \n", "# x y z\n0.5 2 -1e-3\n1 0 3.5\n", "0.5,2,-1e-3\n1,0,3.5\n"],
)
def test_without_names_all_columns_are_values(tmp_path: Path, content: str) -> None:
    vectors = opened(tmp_path, content, named=False)
    assert vectors.names is None
    assert values(vectors) == list(ROWS.values())


def test_one_number_a_line_is_a_vector_of_one_value(tmp_path: Path) -> None:
    assert values(opened(tmp_path, "1.5\n2.5\n", named=False)) == [[1.5], [2.5]]


def test_a_text_of_several_blocks_is_read_completely(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(3000, 200))
    np.savetxt(tmp_path / "features.txt", array)
    vectors = open_text(tmp_path / "features.txt", kind_of(tmp_path / "features.txt"), named=False)
    assert len(list(vectors.blocks())) == 2
    np.testing.assert_array_equal(values(vectors), array)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("name,x,y\na,1,2\nb,1,two\n", "line 3: 'two' is not a number"),
        ("name,x,y\na,1,2\nb,1,\n", "line 3: '' is not a number"),
        ("name,x,y\na,1,2\nb,1\n", "line 3 has 1 values, the first line 2"),
        ("name,x,y\na,1,2\nb,nan,1\n", "NaN or infinity in 1 vector: b"),
        ("name,x,y\na,1,2\nb,1,2\na,1,2\n", "name is not unique, 1 repeated: a (rows 0 and 2)"),
        ("name,x,y\na,1,2\n,1,2\n", "1 vector without a name"),
        ("0.5,1,2\n0.7,1,2\n", "the first column holds numbers, not names; give a file of names with --ids"),
        ("name,x,y\n", "it holds no vectors: 0 x"),
    ],
)
def test_lines_that_are_no_vectors_are_named(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(SimtoolError) as failure:
        values(opened(tmp_path, content))
    assert reason in str(failure.value)
    assert str(failure.value).startswith(f"{tmp_path / 'vectors.txt'}: ")


def test_whole_numbers_are_names(tmp_path: Path) -> None:
    assert opened(tmp_path, "id,x,y\n17,1,2\n4,3,4\n").names == ["17", "4"]


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    content = b"name,x,y\n" + b"a,1,2\n" * 20_000 + b"b\xff\xfe,1,2\n"
    with pytest.raises(VectorsError, match="damaged, or not as stated"):
        opened(tmp_path, content)
