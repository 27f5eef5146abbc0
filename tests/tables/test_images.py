from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simtool.tables.files import TableError
from simtool.tables.images import Images, image_paths, read_images, relative_path, write_images
from simtool.tables.provenance import Provenance


@pytest.fixture
def images() -> Images:
    return Images.build(
        ["x/a.jpg", "x/b.jpg"],
        ["images/x/a.jpg", "images/x/b.jpg"],
        class_id=[3, -1],
        class_name=["x", None],
        split=["train", "test"],
        width=[500, -1],
        bbox=[[1, 2, 3, 4], [np.nan] * 4],
    )


def test_round_trip_keeps_values_and_nulls(tmp_path: Path, images: Images, provenance: Provenance) -> None:
    write_images(tmp_path / "images.parquet", images, provenance)
    again = read_images(tmp_path / "images.parquet")
    for name in vars(images):
        np.testing.assert_array_equal(getattr(again, name), getattr(images, name))
    plain = pq.read_table(tmp_path / "images.parquet")
    assert plain.column("class_id").to_pylist() == [3, None]
    assert plain.column("bbox_x").to_pylist() == [1.0, None]
    assert plain.column("source_id").to_pylist() == [None, None]


def test_the_schema_is_the_contracts(tmp_path: Path, images: Images, provenance: Provenance) -> None:
    write_images(tmp_path / "images.parquet", images, provenance)
    schema = pq.read_schema(tmp_path / "images.parquet")
    assert {field.name: str(field.type) for field in schema} == {
        **dict.fromkeys(("image_id", "path", "class_name", "group_name", "split"), "string"),
        "class_id": "int16",
        **dict.fromkeys(("width", "height", "source_id"), "int32"),
        **dict.fromkeys(("bbox_x", "bbox_y", "bbox_width", "bbox_height"), "float"),
    }
    metadata = json.loads(schema.metadata[b"simtool"])
    assert metadata["table"] == "images"
    assert metadata["version"] == 1
    assert metadata["command"] == ["test", "--flag"]


def test_two_columns_from_another_program_are_enough(tmp_path: Path) -> None:
    pd.DataFrame({"image_id": ["a", "b"], "path": ["a.jpg", "b.jpg"], "extra": [1, 2]}).to_parquet(
        tmp_path / "t.parquet"
    )
    images = read_images(tmp_path / "t.parquet")
    assert list(images.image_id) == ["a", "b"]
    assert list(images.class_id) == [-1, -1]
    assert image_paths(tmp_path / "t.parquet", images) == [tmp_path / "a.jpg", tmp_path / "b.jpg"]


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"image_id": ["a"]}, "needs column path; found image_id"),
        (
            {"image_id": ["a", "b", "a"], "path": ["1", "2", "3"]},
            r"image_id is not unique, 1 repeated: a \(rows 0 and 2\)",
        ),
        ({"image_id": ["a", None], "path": ["1", "2"]}, "column image_id has 1 missing value, at row 1"),
        ({"image_id": ["a", "b"], "path": ["1", ""]}, "column path is empty at row 1"),
        ({"image_id": [1.5, 2], "path": ["1", "2"]}, "column image_id must be string, but is double"),
        ({"image_id": ["a"], "path": ["1"], "width": ["wide"]}, "column width must be int32"),
    ],
)
def test_a_faulty_table_is_refused_in_one_line(
    tmp_path: Path, columns: dict[str, list[object]], complaint: str
) -> None:
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    with pytest.raises(TableError, match=complaint) as failure:
        read_images(tmp_path / "t.parquet")
    assert "\n" not in str(failure.value)
    assert "t.parquet" in str(failure.value)


def test_rows_of_a_split(images: Images) -> None:
    assert list(images.where_split("test").image_id) == ["x/b.jpg"]
    assert len(images.where_split("all")) == 2
    with pytest.raises(TableError, match="no image has split validation; the table has test, train"):
        images.where_split("validation")


def test_paths_survive_a_move_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    assert relative_path(tmp_path / "photos" / "a.jpg", tmp_path / "tables" / "images.parquet") == "../photos/a.jpg"


def test_a_link_to_a_table_finds_the_files_beside_the_table_or_beside_the_link(tmp_path: Path, images: Images) -> None:
    for folder in ("real", "links"):
        (tmp_path / folder / "images" / "x").mkdir(parents=True)
    table, link = tmp_path / "real" / "images.parquet", tmp_path / "links" / "birds.parquet"
    link.symlink_to(table)
    (tmp_path / "real" / "images" / "x" / "a.jpg").touch()
    assert image_paths(link, images)[0] == tmp_path / "real" / "images" / "x" / "a.jpg"
    (tmp_path / "links" / "images" / "x" / "a.jpg").touch()
    assert image_paths(link, images)[0] == tmp_path / "links" / "images" / "x" / "a.jpg"
    assert image_paths(table, images)[0] == tmp_path / "real" / "images" / "x" / "a.jpg"


def test_a_link_to_a_folder_of_parts_finds_the_files_of_the_folder(tmp_path: Path, provenance: Provenance) -> None:
    (tmp_path / "real" / "table").mkdir(parents=True)
    (tmp_path / "links").mkdir()
    (tmp_path / "real" / "a.jpg").touch()
    write_images(tmp_path / "real" / "table" / "0.parquet", Images.build(["a"], ["../a.jpg"]), provenance)
    (tmp_path / "links" / "table").symlink_to(tmp_path / "real" / "table")
    (path,) = image_paths(tmp_path / "links" / "table", read_images(tmp_path / "links" / "table"))
    assert path.is_file()
