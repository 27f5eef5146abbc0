"""Which files make up one table: numbered sets, part files under any names, folders by the value of a column."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simtool.tables.embeddings import open_embeddings
from simtool.tables.images import read_images
from simtool.tables.outcomes import read_outcomes
from simtool.tables.parquet import TableError
from simtool.tables.parts import hive_keys, part_files, part_name
from simtool.tables.provenance import Provenance
from simtool.tables.trials import read_trials

IDS = ["001", "002", "003", "004"]
VECTORS = np.arange(8, dtype=np.float32).reshape(4, 2)
COLUMNS = {
    "image_id": IDS,
    "path": IDS,
    "split": ["train", "test", "train", None],
    "class_name": ["01", "01", "2/3", "2 3"],
}


def pandas_hive(frame: pd.DataFrame, folder: Path, keys: list[str]) -> None:
    frame.to_parquet(folder, partition_cols=keys)


def polars_hive(frame: pd.DataFrame, folder: Path, keys: list[str]) -> None:
    pl.from_pandas(frame).write_parquet(folder, partition_by=keys)


def duckdb_hive(frame: pd.DataFrame, folder: Path, keys: list[str]) -> None:
    with duckdb.connect() as connection:
        connection.register("frame", frame)
        connection.sql(f"COPY frame TO '{folder}' (FORMAT parquet, PARTITION_BY ({', '.join(keys)}))")


HIVE = pytest.mark.parametrize("writer", [pandas_hive, polars_hive, duckdb_hive])
Writer = Callable[[pd.DataFrame, Path, list[str]], None]


@HIVE
@pytest.mark.parametrize("keys", [["split"], ["class_name"], ["class_name", "split"]])
def test_a_folder_by_the_values_of_columns_is_a_table_with_these_columns(
    tmp_path: Path, writer: Writer, keys: list[str]
) -> None:
    writer(pd.DataFrame(COLUMNS), tmp_path / "hive", keys)
    images = read_images(tmp_path / "hive")
    order = np.argsort(images.image_id)
    for name, values in COLUMNS.items():
        assert getattr(images, name)[order].tolist() == values


@HIVE
@pytest.mark.parametrize("key", ["split", "class", "image_id"])
def test_vectors_may_lie_in_folders_by_the_value_of_any_column(tmp_path: Path, writer: Writer, key: str) -> None:
    frame = pd.DataFrame({"image_id": IDS, "embedding": VECTORS.tolist(), "split": list("abab"), "class": list("1122")})
    writer(frame, tmp_path / "hive", [key])
    table = open_embeddings(tmp_path / "hive")
    np.testing.assert_array_equal(table.read(table.rows_of(IDS)), VECTORS)


@HIVE
def test_trials_and_outcomes_may_lie_in_folders_by_participant_and_model(tmp_path: Path, writer: Writer) -> None:
    trials = pd.DataFrame(
        {
            "trial_id": range(4),
            "trial_type": ["2-choose-1"] * 4,
            "query": ["a"] * 4,
            "references": pd.Series([["b", "c"]] * 4),
            "selected": pd.Series([[0], [1], [0], [1]]),
            "participant": ["001", "1", "001", "1"],
        }
    )
    writer(trials, tmp_path / "trials", ["participant"])
    assert sorted(map(str, read_trials(tmp_path / "trials").participant)) == ["001", "001", "1", "1"]
    scores = trials.assign(distance="mse", credits=pd.Series([[1.0]] * 4), top_1=1.0, ordered=1.0, unordered=1.0)
    both = pd.concat([scores.assign(model=name) for name in ("m 1", "m/2")])
    writer(both, tmp_path / "outcomes", ["model"])
    entries = read_outcomes([tmp_path / "outcomes"])
    assert sorted(entry.model for entry in entries) == ["m 1", "m/2"]
    assert entries[0].trials is entries[1].trials


@HIVE
def test_a_folder_by_model_holds_several_models(tmp_path: Path, writer: Writer) -> None:
    frame = pd.DataFrame({"image_id": IDS, "embedding": list(VECTORS), "model": ["a", "a", "b", "b"]})
    writer(frame, tmp_path / "hive", ["model"])
    with pytest.raises(TableError, match="hive: holds several models, not one: model=a, model=b; give each of them by"):
        open_embeddings(tmp_path / "hive")
    assert list(open_embeddings(tmp_path / "hive" / "model=a").image_id) == IDS[:2]


def write(path: Path, ids: list[str] = IDS, width: int = 2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"image_id": ids, "embedding": np.ones((len(ids), width)).tolist()}), path)
    return path


@pytest.mark.parametrize("width", [2, 3])
def test_tables_of_the_same_images_under_other_names_are_several_models(tmp_path: Path, width: int) -> None:
    write(tmp_path / "resnet.parquet")
    write(tmp_path / "vgg.parquet", IDS[:3], width)
    with pytest.raises(TableError, match=r"holds several models, not one: resnet\.parquet, vgg\.parquet; give each"):
        open_embeddings(tmp_path)


def test_models_in_folders_are_named_by_their_folders(tmp_path: Path) -> None:
    for name in ("resnet", "vgg"):
        for part in range(2):
            write(tmp_path / name / f"part.{part}.parquet", IDS[2 * part : 2 * part + 2])
    with pytest.raises(TableError, match="holds several models, not one: resnet, vgg; give each"):
        open_embeddings(tmp_path)
    assert len(open_embeddings(tmp_path / "vgg")) == 4


def test_part_files_in_subfolders_are_read_in_order(tmp_path: Path) -> None:
    for at, name in enumerate(("b/part.parquet", "a/x/2.pq", "a/x/1.PARQUET", "c.parq")):
        write(tmp_path / name, [IDS[at]])
    assert list(open_embeddings(tmp_path).image_id) == ["003", "002", "001", "004"]


def test_hidden_files_and_logs_of_other_programs_are_not_read(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet")
    for name in (".a.parquet.0123.tmp", ".hidden.parquet", "_delta_log/0.parquet", ".cache/b.parquet"):
        write(tmp_path / name)
    assert part_files(tmp_path) == [tmp_path / "a.parquet"]


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "b.parquet")
    write(tmp_path / "table" / "a.parquet", ["005"])
    (tmp_path / "table" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "table")
    assert len(open_embeddings(tmp_path / "table")) == 5


def test_more_parts_than_a_process_may_open_files_are_one_table(tmp_path: Path) -> None:
    import resource

    for at in range(40):
        write(tmp_path / f"{at:02}.parquet", [str(at)])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 20, hard))
    try:
        assert open_embeddings(tmp_path).read().shape == (40, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_what_has_a_parts_name_but_is_none_is_named(tmp_path: Path, kind: str) -> None:
    write(tmp_path / "a.parquet")
    odd = tmp_path / "b.parquet"
    if kind == "folder":
        odd.mkdir()
    elif kind == "link":
        odd.symlink_to(tmp_path / "gone.parquet")
    else:
        os.mkfifo(odd)
    with pytest.raises(
        TableError, match=r"b\.parquet: .*(without Parquet files|does not exist|not a file and not a folder); del"
    ):
        open_embeddings(tmp_path)


def test_a_folder_of_folders_of_parts_is_one_table(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet" / "part.0.parquet", IDS[:2])
    write(tmp_path / "b.parquet" / "part.0.parquet", IDS[2:])
    assert len(open_embeddings(tmp_path)) == 4


def test_one_part_under_two_spellings_is_refused(tmp_path: Path) -> None:
    for name, ids in (("part-0-of-2.parquet", "a"), (part_name(0, 2), "b"), (part_name(1, 2), "c")):
        write(tmp_path / name, [ids])
    with pytest.raises(TableError, match=r"part-0-of-2\.parquet and part-00000-of-00002\.parquet are the same part"):
        open_embeddings(tmp_path)


def test_numbered_sets_in_folders_are_each_complete(tmp_path: Path) -> None:
    for folder in ("split=a", "split=b"):
        for index in range(2):
            write(tmp_path / folder / part_name(index, 2), [f"{folder}{index}"])
    assert len(open_embeddings(tmp_path)) == 4
    (tmp_path / "split=b" / part_name(1, 2)).unlink()
    with pytest.raises(TableError, match=r"split=b: the set of 2 parts is incomplete, 1 missing: part-00001-of-00002"):
        open_embeddings(tmp_path)


def test_a_set_of_an_absurd_number_of_parts_is_no_set(tmp_path: Path) -> None:
    write(tmp_path / "part-0-of-99999999999.parquet")
    assert len(open_embeddings(tmp_path)) == 4


def test_keys_are_the_text_of_their_folders() -> None:
    part = Path("t/a=001/plain/b%2F=x%3Dy/c=__HIVE_DEFAULT_PARTITION__/d=1=2/e=NULL/p.parquet")
    assert hive_keys(part, Path("t")) == {"a": "001", "b/": "x=y", "c": None, "d": "1=2", "e": None}


def test_a_column_of_the_file_goes_before_that_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "split=01").mkdir()
    pq.write_table(
        pa.table({"image_id": ["a"], "path": ["a"], "split": ["train"]}), tmp_path / "split=01" / "p.parquet"
    )
    assert list(read_images(tmp_path).split) == ["train"]


@pytest.mark.parametrize("empty", [pa.null(), pa.float64(), pa.string(), pa.list_(pa.null())])
def test_an_empty_part_may_have_columns_of_any_type_or_none(tmp_path: Path, empty: pa.DataType) -> None:
    write(tmp_path / "0.parquet", IDS[:2])
    write(tmp_path / "2.parquet", IDS[2:])
    pq.write_table(pa.table({"image_id": pa.nulls(0, empty), "embedding": pa.nulls(0, empty)}), tmp_path / "1.parquet")
    pq.write_table(pa.table({}), tmp_path / "3.parquet")
    assert list(open_embeddings(tmp_path).image_id) == IDS


def test_empty_parts_of_images_and_trials_add_nothing(tmp_path: Path) -> None:
    pd.DataFrame(COLUMNS).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame(COLUMNS).head(0).astype(object).to_parquet(tmp_path / "b.parquet")
    pd.DataFrame().to_parquet(tmp_path / "c.parquet")
    assert list(read_images(tmp_path).image_id) == IDS


def test_the_inputs_of_a_folder_by_columns_are_all_hashed(tmp_path: Path) -> None:
    pandas_hive(pd.DataFrame(COLUMNS), tmp_path / "hive", ["class_name"])
    assert len(Provenance.of([], [tmp_path / "hive"]).inputs) == 3
