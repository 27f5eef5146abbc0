"""The line at a door: what the file is, what was asked for, and which command takes it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simtool.archive import unpack
from simtool.collections.folder import index_folder
from simtool.errors import SimtoolError
from simtool.judgments.catalog import read_catalog
from simtool.judgments.formats import FORMATS
from simtool.judgments.importing import import_judgments
from simtool.kinds import Door, Kind, What, advice, explain, wrong_table
from simtool.models.folder import read_manifest
from simtool.tables.description import describe_table
from simtool.tables.embeddings import open_embeddings
from simtool.tables.images import read_images
from simtool.tables.outcomes import read_outcomes
from simtool.tables.trials import read_trials
from tests.kinds.samples import SAMPLES

#: The readers behind the doors.
READERS: dict[Door, Callable[[Path], object]] = {
    Door.TABLE: describe_table,
    Door.EMBEDDINGS: open_embeddings,
    Door.TRIALS: read_trials,
    Door.OUTCOMES: lambda path: read_outcomes([path]),
    Door.IMAGES: read_images,
    Door.JUDGMENTS: import_judgments,
    Door.CATALOG: read_catalog,
    Door.ARCHIVE: lambda path: unpack(path, path.parent / "unpacked"),
    Door.MODEL_FOLDER: read_manifest,
    Door.PHOTOS: lambda path: index_folder(path, path.parent / "images.parquet"),
}
FETCH = "fetches the file itself"


def takes(door: Door) -> frozenset[What]:
    """The kinds behind a door; those of judgments are in the table of formats."""
    return frozenset[What]().union(*(entry.kinds for entry in FORMATS)) if door is Door.JUDGMENTS else door.takes


def line(door: Door, path: Path) -> str:
    """What the reader behind a door says of a file."""
    with pytest.raises(SimtoolError) as failure:
        READERS[door](path)
    return str(failure.value)


@pytest.mark.parametrize(
    ("door", "name"),
    [(door, name) for door in READERS for name, (what, _) in SAMPLES.items() if what not in takes(door)],
    ids=lambda value: value.name if isinstance(value, Door) else value,
)
def test_no_reader_takes_a_file_of_another_kind(tmp_path: Path, name: str, door: Door) -> None:
    path = tmp_path / name
    path.write_bytes(SAMPLES[name][1])
    told = line(door, path)
    assert told == explain(path, door)
    assert told.startswith(f"{path}: this is ")
    assert "\n" not in told
    assert "truncated" not in told


@pytest.mark.parametrize(
    ("door", "name", "told"),
    [
        (Door.TRIALS, "judgments.csv", "simtool import-trials makes a table of trials from it"),
        (Door.TRIALS, "sequence.json", "simtool import-trials makes a table of trials from it"),
        (Door.TRIALS, "obs.hdf5", "simtool import-trials makes a table of trials from it, with --catalog"),
        (Door.TRIALS, "workbook.xlsx", "save the sheet as CSV UTF-8; simtool import-trials makes a table of trials"),
        (Door.TRIALS, "arrays.npz", "as a Parquet file with the columns image_id and embedding"),
        (Door.EMBEDDINGS, "judgments.csv", "as a Parquet file with the columns image_id and embedding"),
        (Door.EMBEDDINGS, "features.hdf5", "as a Parquet file with the columns image_id and embedding"),
        (Door.EMBEDDINGS, "table.feather", "write it as Parquet"),
        (Door.EMBEDDINGS, "model.keras", "simtool embed makes a table of embeddings with it"),
        (Door.IMAGES, "judgments.csv", "simtool index-images makes one from a folder of images"),
        (Door.OUTCOMES, "judgments.csv", "simtool score makes one"),
        (Door.JUDGMENTS, "table.parquet", "simtool score takes it as --trials"),
        (Door.JUDGMENTS, "workbook.xlsx", "save the sheet as CSV UTF-8, and import that"),
        (Door.JUDGMENTS, "survey.json", "write them as a CSV with the header query,reference_1,"),
        (Door.JUDGMENTS, "judgments.csv.gz", "unpack it with gunzip"),
        (Door.MODEL_FOLDER, "model.keras", "simtool embed takes it as --model, with a --recipe"),
        (Door.MODEL_FOLDER, "model.h5", 'save("model.keras"); simtool embed takes that with a --recipe'),
        (Door.ARCHIVE, "images.tar.xz", "pack it as a tar.gz or a zip"),
        (Door.ARCHIVE, "page.html", "a web page (HTML); it was saved in the place of the file"),
        (Door.PHOTOS, "images.zip", "unpack it, and name the file or folder within"),
        (Door.PHOTOS, "image.png", "simtool index-images takes the folder that it is in"),
        (Door.PHOTOS, "judgments.csv", "simtool import-trials takes it if it holds judgments"),
        *((door, "pointer", f"git lfs pull {FETCH}") for door in READERS if door is not Door.PHOTOS),
        *((door, "annexed", f"git annex get {FETCH}") for door in READERS if door is not Door.PHOTOS),
        *((door, "empty", "an empty file; write it or get it again") for door in READERS if door is not Door.PHOTOS),
    ],
)
def test_the_line_says_what_to_do(tmp_path: Path, door: Door, name: str, told: str) -> None:
    path = tmp_path / name
    path.write_bytes(SAMPLES[name][1])
    assert told in line(door, path)


@pytest.mark.parametrize("door", [Door.TABLE, Door.EMBEDDINGS, Door.TRIALS, Door.OUTCOMES, Door.IMAGES])
@pytest.mark.parametrize("size", [4, 11, 100, -1])
def test_only_a_truncated_parquet_file_is_called_one(tmp_path: Path, door: Door, size: int) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(SAMPLES["table.parquet"][1][:size])
    assert line(door, path) == f"{path}: this is a Parquet file, but truncated: its footer is missing; write it again"


def test_a_damaged_footer_is_no_truncated_file(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    content = bytearray(SAMPLES["table.parquet"][1])
    content[-60:-8] = b"\xff" * 52
    path.write_bytes(content)
    assert line(Door.TRIALS, path).startswith(f"{path}: this is a Parquet file, but damaged: ")


@pytest.mark.parametrize("door", [door for door in READERS if door is not Door.PHOTOS], ids=lambda door: door.name)
def test_pipes_are_not_waited_for(tmp_path: Path, door: Door) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "a pipe, not a file" in line(door, tmp_path / "pipe")


@pytest.mark.parametrize("door", READERS, ids=lambda door: door.name)
def test_what_is_not_there_is_named(tmp_path: Path, door: Door) -> None:
    assert line(door, tmp_path / "absent") == f"{tmp_path}/absent: no such file or folder"


@pytest.mark.parametrize("door", Door, ids=lambda door: door.name)
def test_there_is_advice_for_every_kind_at_every_door(door: Door) -> None:
    for what in What:
        assert advice(Kind(what), door)
        assert advice(Kind(what, "truncated: it ends"), door)


@pytest.mark.parametrize(
    ("found", "use"),
    [
        ("trials", "simtool score takes it as --trials"),
        ("outcomes", "simtool report takes it"),
        ("embeddings", "simtool score and compress take it"),
    ],
)
def test_another_table_of_simtool_says_which_command_takes_it(tmp_path: Path, found: str, use: str) -> None:
    path = tmp_path / "t.parquet"
    schema = pa.schema([("image_id", pa.string())], {"simtool": f'{{"table": "{found}", "version": 1}}'})
    pq.write_table(pa.table({"image_id": ["a"]}, schema=schema), path)
    assert line(Door.IMAGES, path) == wrong_table(path, found, "images")
    assert line(Door.IMAGES, path) == f"{path}: this is a table of {found}, not of images; {use}"


@pytest.mark.parametrize(
    ("door", "columns", "found"),
    [
        (Door.TRIALS, {"image_id": ["a"], "embedding": [[1.0]]}, "embeddings"),
        (Door.EMBEDDINGS, {"trial_type": ["2-choose-1"], "query": ["a"], "references": [["b", "c"]]}, "trials"),
        (Door.TRIALS, {"image_id": ["a"], "path": ["a.jpg"]}, "images"),
    ],
)
def test_a_table_of_another_program_is_told_by_its_columns(
    tmp_path: Path, door: Door, columns: dict[str, list[object]], found: str
) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(columns), path)
    assert line(door, path) == wrong_table(path, found, door.name.lower())
