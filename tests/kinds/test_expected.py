"""The line at a asked: what the file is, what was asked for, and which command takes it."""

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
from simtool.kinds import Expected, Kind, What, advice, explain, wrong_table
from simtool.models.folder import read_manifest
from simtool.tables.description import describe_table
from simtool.tables.embeddings import open_embeddings
from simtool.tables.images import read_images
from simtool.tables.outcomes import read_outcomes
from simtool.tables.trials import read_trials
from simtool.transforms.linear import LinearMap
from simtool.vectors.importing import open_vectors
from tests.kinds.samples import SAMPLES

#: The readers behind the doors.
READERS: dict[Expected, Callable[[Path], object]] = {
    Expected.TABLE: describe_table,
    Expected.EMBEDDINGS: open_embeddings,
    Expected.TRIALS: read_trials,
    Expected.OUTCOMES: lambda path: read_outcomes([path]),
    Expected.IMAGES: read_images,
    Expected.JUDGMENTS: import_judgments,
    Expected.CATALOG: read_catalog,
    Expected.ARCHIVE: lambda path: unpack(path, path.parent / "unpacked"),
    Expected.MODEL_FOLDER: read_manifest,
    Expected.VECTORS: open_vectors,
    Expected.TRANSFORM: lambda path: LinearMap.read(path, 2),
    Expected.IMAGE_FOLDER: lambda path: index_folder(path, path.parent / "images.parquet"),
}
FILES = READERS.keys() - {Expected.IMAGE_FOLDER}
FETCH = "fetches the file itself"


def takes(asked: Expected) -> frozenset[What]:
    """The kinds behind an expectation; those of judgments are in the table of formats."""
    return frozenset[What]().union(*(entry.kinds for entry in FORMATS)) if asked is Expected.JUDGMENTS else asked.kinds


def line(asked: Expected, path: Path) -> str:
    """The message of the reader of an expected kind about a file."""
    with pytest.raises(SimtoolError) as failure:
        READERS[asked](path)
    return str(failure.value)


@pytest.mark.parametrize(
    ("asked", "name"),
    [(asked, name) for asked in READERS for name, (what, _) in SAMPLES.items() if what not in takes(asked)],
    ids=lambda value: value.name if isinstance(value, Expected) else value,
)
def test_no_reader_takes_a_file_of_another_kind(tmp_path: Path, name: str, asked: Expected) -> None:
    path = tmp_path / name
    path.write_bytes(SAMPLES[name][1])
    told = line(asked, path)
    assert told == explain(path, asked)
    assert told.startswith(f"{path}: this is ")
    assert "\n" not in told
    assert "truncated" not in told


@pytest.mark.parametrize(
    ("asked", "name", "told"),
    [
        (Expected.TRIALS, "judgments.csv", "simtool import-trials makes a table of trials from it"),
        (Expected.TRIALS, "sequence.json", "simtool import-trials makes a table of trials from it"),
        (Expected.TRIALS, "obs.hdf5", "simtool import-trials makes a table of trials from it, with --catalog"),
        (
            Expected.TRIALS,
            "workbook.xlsx",
            "save the sheet as CSV UTF-8; simtool import-trials makes a table",
        ),
        (Expected.TRIALS, "arrays.npz", "simtool import-embeddings makes a table of embeddings from it"),
        (Expected.EMBEDDINGS, "survey.json", "as a Parquet file with the columns image_id and embedding"),
        (Expected.EMBEDDINGS, "judgments.csv", "simtool import-embeddings makes a table of embeddings from it"),
        (Expected.EMBEDDINGS, "features.hdf5", "simtool import-embeddings makes a table of embeddings from it"),
        (Expected.EMBEDDINGS, "table.feather", "simtool import-embeddings makes a table of embeddings from it"),
        (Expected.VECTORS, "model.pt", 'save the array with numpy.save("features.npy", ARRAY)'),
        (Expected.VECTORS, "workbook.xlsx", "save the sheet as CSV UTF-8, with the ids in the first column"),
        (Expected.EMBEDDINGS, "model.keras", "simtool embed makes a table of embeddings with it"),
        (Expected.IMAGES, "judgments.csv", "simtool index-images makes one from a folder of images"),
        (Expected.OUTCOMES, "judgments.csv", "simtool score makes one"),
        (Expected.JUDGMENTS, "table.parquet", "simtool score takes it as --trials"),
        (Expected.JUDGMENTS, "workbook.xlsx", "save the sheet as CSV UTF-8, and import that"),
        (Expected.JUDGMENTS, "survey.json", "write them as a CSV with the header query,reference_1,"),
        (Expected.JUDGMENTS, "judgments.csv.gz", "unpack it with gunzip"),
        (Expected.MODEL_FOLDER, "model.keras", "simtool embed takes it as --model, with a --recipe"),
        (Expected.MODEL_FOLDER, "model.h5", 'save("model.keras"); simtool embed takes that with a --recipe'),
        (Expected.ARCHIVE, "images.tar.xz", "pack it as a tar.gz or a zip"),
        (Expected.ARCHIVE, "page.html", "a web page (HTML); a web page was saved instead of the file"),
        (Expected.IMAGE_FOLDER, "images.zip", "unpack it, and give the file or folder in it"),
        (Expected.IMAGE_FOLDER, "image.png", "simtool index-images takes its folder"),
        (Expected.IMAGE_FOLDER, "judgments.csv", "simtool import-trials takes it if it holds judgments"),
        *((asked, "pointer", f"git lfs pull {FETCH}") for asked in READERS if asked is not Expected.IMAGE_FOLDER),
        *((asked, "annexed", f"git annex get {FETCH}") for asked in READERS if asked is not Expected.IMAGE_FOLDER),
        *(
            (asked, "empty", "an empty file; write it or get it again")
            for asked in READERS
            if asked is not Expected.IMAGE_FOLDER
        ),
    ],
)
def test_the_line_says_what_to_do(tmp_path: Path, asked: Expected, name: str, told: str) -> None:
    path = tmp_path / name
    path.write_bytes(SAMPLES[name][1])
    assert told in line(asked, path)


@pytest.mark.parametrize(
    "asked", [Expected.TABLE, Expected.EMBEDDINGS, Expected.TRIALS, Expected.OUTCOMES, Expected.IMAGES]
)
@pytest.mark.parametrize("size", [4, 11, 100, -1])
def test_only_a_truncated_parquet_file_is_called_one(tmp_path: Path, asked: Expected, size: int) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(SAMPLES["table.parquet"][1][:size])
    assert line(asked, path) == f"{path}: this is a Parquet file, but truncated: its footer is missing; write it again"


def test_a_damaged_footer_is_no_truncated_file(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    content = bytearray(SAMPLES["table.parquet"][1])
    content[-60:-8] = b"\xff" * 52
    path.write_bytes(content)
    assert line(Expected.TRIALS, path).startswith(f"{path}: this is a Parquet file, but damaged: ")


@pytest.mark.parametrize(
    "asked",
    [asked for asked in READERS if asked in FILES],
    ids=lambda asked: asked.name,
)
def test_pipes_are_not_waited_for(tmp_path: Path, asked: Expected) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "a pipe, not a file" in line(asked, tmp_path / "pipe")


@pytest.mark.parametrize("asked", READERS, ids=lambda asked: asked.name)
def test_what_is_not_there_is_named(tmp_path: Path, asked: Expected) -> None:
    assert line(asked, tmp_path / "absent") == f"{tmp_path}/absent: no such file or folder"


@pytest.mark.parametrize("asked", Expected, ids=lambda asked: asked.name)
def test_there_is_advice_for_every_kind_at_every_door(asked: Expected) -> None:
    for what in What:
        assert advice(Kind(what), asked)
        assert advice(Kind(what, "truncated: it ends"), asked)


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
    assert line(Expected.IMAGES, path) == wrong_table(path, found, "images")
    assert line(Expected.IMAGES, path) == f"{path}: this is a table of {found}, not of images; {use}"


@pytest.mark.parametrize(
    ("asked", "columns", "found"),
    [
        (Expected.TRIALS, {"image_id": ["a"], "embedding": [[1.0]]}, "embeddings"),
        (Expected.EMBEDDINGS, {"trial_type": ["2-choose-1"], "query": ["a"], "references": [["b", "c"]]}, "trials"),
        (Expected.TRIALS, {"image_id": ["a"], "path": ["a.jpg"]}, "images"),
    ],
)
def test_a_table_of_another_program_is_told_by_its_columns(
    tmp_path: Path, asked: Expected, columns: dict[str, list[object]], found: str
) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(columns), path)
    assert line(asked, path) == wrong_table(path, found, asked.name.lower())
