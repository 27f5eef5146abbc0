from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simtool.judgments.formats import format_names
from simtool.tables.images import Images, write_images
from simtool.tables.observers import Observers
from simtool.tables.provenance import Provenance
from simtool.tables.trials import read_trials
from tests.studies import (
    IMAGES,
    Judgment,
    catch,
    plain,
    sequence,
    timestep,
    write_csv,
    write_hdf5,
    write_hdf5_catalog,
    write_sequences,
)

STUDY = [Judgment(0, (4, 9, 2), (0,)), catch(), Judgment(7, (5, 6, 8, 10), (0, 1))]
Simtool = Callable[..., Any]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "trials.parquet"


def test_the_help_names_every_format(simtool: Simtool) -> None:
    text = re.sub(r"-\s+", "-", simtool("import-trials", "--help").out)  # lines also break behind a hyphen
    assert set(format_names()) <= set(re.findall(r"[\w.-]*\w", text))


def test_it_says_what_it_read_dropped_and_wrote(simtool: Simtool, tmp_path: Path, out: Path) -> None:
    source = write_hdf5(tmp_path / "obs.hdf5", STUDY, modern=True)
    catalog = write_hdf5_catalog(tmp_path / "catalog.hdf5")
    ran = simtool("import-trials", source, "--catalog", catalog, "--out", out)
    assert ran.code == 0
    assert ran.out == ""
    lines = ran.err.splitlines()
    assert lines[0] == f"read   {source}: 3 trials (psiz-0.6)"
    assert lines[1] == f"read   {catalog}: 40 stimuli, 1 to 40"
    assert lines[2] == "       dropped 1 catch trial (the query is among its references)"
    assert lines[3] == f"wrote  {out}: 2 trials (1 3-choose-1, 1 4-rank-2) of 9 images"
    assert lines[4].startswith("import-trials took ")
    assert read_trials(out).trial_id.tolist() == [0, 2]


def test_an_image_of_the_given_table_is_no_output(simtool: Simtool, tmp_path: Path) -> None:
    write_images(tmp_path / "cub.parquet", Images.build(IMAGES, ["a.jpg"] * len(IMAGES)), Provenance.of([], []))
    write_sequences(tmp_path / "study", STUDY)
    image = tmp_path / "a.jpg"
    image.write_bytes(b"kept")
    ran = simtool("import-trials", tmp_path / "study", "--images", tmp_path / "cub.parquet", "--out", image)
    assert (ran.code, image.read_bytes()) == (1, b"kept")
    assert f"{image}: this is an image of {tmp_path / 'cub.parquet'}" in ran.err


def test_images_are_named_as_the_given_table_names_them(simtool: Simtool, tmp_path: Path, out: Path) -> None:
    ids = [f"{number:03d}.Species/{Path(name).name}" for number, name in enumerate(IMAGES)]
    write_images(tmp_path / "cub.parquet", Images.build(ids, ids), Provenance.of([], []))
    write_sequences(tmp_path / "study", STUDY)
    assert simtool("import-trials", tmp_path / "study", "--images", tmp_path / "cub.parquet", "--out", out).code == 0
    first, second = plain(read_trials(out))
    assert first["query"] == ids[0]
    assert second["references"] == [ids[image] for image in (5, 6, 8, 10)]


def _numbered(path: Path) -> Path:
    """Judgments whose images are numbers, from 0."""
    path.write_text("query,reference_1,reference_2,selected_1\n0,1,2,2\n3,1,0,1\n")
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("unique_id.txt", "wren\ntern\nowl\nrobin\n"),
        ("things_concepts.tsv", "Word\tuniqueID\nWren\twren\nTern\ttern\nOwl\towl\nRobin\trobin\n"),
        ("mapping.csv", "id,name\n3,robin\n2,owl\n1,tern\n0,wren\n"),
    ],
)
def test_numbers_get_names_from_a_list_or_a_mapping(
    simtool: Simtool, tmp_path: Path, out: Path, name: str, content: str
) -> None:
    names = tmp_path / name
    names.write_text(content)
    ran = simtool("import-trials", _numbered(tmp_path / "t.csv"), "--images", names, "--out", out)
    assert ran.code == 0, ran.err
    assert f"read   {names}: 4 names, " in ran.err
    assert "warning" not in ran.err
    first, second = plain(read_trials(out))
    assert (first["query"], first["references"], first["selected"]) == ("wren", ["tern", "owl"], [1])
    assert (second["query"], second["references"], second["selected"]) == ("robin", ["tern", "wren"], [0])
    assert f"{name}: unchanged" in simtool("show", out).out


def test_a_mapping_that_lacks_an_id_is_refused_and_nothing_is_written(
    simtool: Simtool, tmp_path: Path, out: Path
) -> None:
    names = tmp_path / "mapping.csv"
    names.write_text("id,name\n0,wren\n1,tern\n")
    ran = simtool("import-trials", _numbered(tmp_path / "t.csv"), "--images", names, "--out", out)
    assert (ran.code, out.exists()) == (1, False)
    assert ran.err.splitlines()[-1] == (
        f"error: {names}: lacks images that are needed (2 of 4): 3, 2; its ids are 0, 1"
    )


def test_a_list_without_its_first_row_is_suspected(simtool: Simtool, tmp_path: Path, out: Path) -> None:
    (tmp_path / "t.csv").write_text("query,reference_1,reference_2,selected_1\n1,2,3,2\n")
    (tmp_path / "list.txt").write_text("wren\ntern\nowl\nrobin\nkite\n")
    ran = simtool("import-trials", tmp_path / "t.csv", "--images", tmp_path / "list.txt", "--out", out)
    assert ran.code == 0
    assert "warning: " in ran.err
    assert "no id is 0, but its rows count from 0; if ids count from 1, write a CSV of id,name" in ran.err


@pytest.mark.parametrize("observers", Observers)
def test_who_judged_can_be_stated(simtool: Simtool, tmp_path: Path, out: Path, observers: Observers) -> None:
    write_csv(tmp_path / "t.csv", STUDY)
    assert simtool("import-trials", tmp_path / "t.csv", "--out", out, "--observers", observers).code == 0
    assert read_trials(out).observers is observers


def test_images_that_are_not_in_the_table_are_named_and_nothing_is_written(
    simtool: Simtool, tmp_path: Path, out: Path
) -> None:
    write_images(tmp_path / "few.parquet", Images.build(IMAGES[:5], IMAGES[:5]), Provenance.of([], []))
    write_csv(tmp_path / "t.csv", STUDY)
    ran = simtool("import-trials", tmp_path / "t.csv", "--images", tmp_path / "few.parquet", "--out", out)
    assert ran.code == 1
    assert "few.parquet: lacks images that are needed (6 of 9): " in ran.err.splitlines()[-1]
    assert not out.exists()


def test_the_inputs_are_remembered(simtool: Simtool, tmp_path: Path, out: Path) -> None:
    write_sequences(tmp_path / "study", STUDY)
    simtool("import-trials", tmp_path / "study", "--out", out)
    shown = simtool("show", out).out
    for name in ("seq_000.json", "seq_002.json", "stimuli.txt"):
        assert f"{name}: unchanged" in shown


def test_entries_that_are_no_trials_are_told(simtool: Simtool, tmp_path: Path, out: Path) -> None:
    folder = write_sequences(tmp_path / "study", STUDY[:1])
    strange = {"kind": "sort:pile", "interactions": []}
    (folder / "train_seqs" / "seq_x.json").write_text(sequence([timestep(STUDY[0]), strange, strange]))
    ran = simtool("import-trials", folder, "--out", out)
    assert "warning: ignored entries that are not ranked choices: sort:pile (2)" in ran.err


def test_a_catalog_that_a_csv_does_not_need_is_told(simtool: Simtool, tmp_path: Path, out: Path) -> None:
    write_csv(tmp_path / "t.csv", STUDY)
    catalog = write_hdf5_catalog(tmp_path / "catalog.hdf5")
    ran = simtool("import-trials", tmp_path / "t.csv", "--catalog", catalog, "--out", out)
    assert ran.code == 0
    assert f"warning: {catalog} is not used: only files of psiz need a catalog" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["absent.csv"], 1, "absent.csv: no such file or folder"),
        (["obs.hdf5"], 1, "name their images with --catalog"),
        (["obs.hdf5", "--catalog", "t.csv"], 1, "t.csv: not a catalog of stimuli"),
        (["t.csv", "--images", "t.csv"], 1, "t.csv: this is a CSV"),
        (["t.csv", "--images", "absent.parquet"], 1, "absent.parquet: no such file"),
        (["t.csv", "--format", "psiz"], 2, "psiz-2018"),
        ([], 2, "SOURCE"),
    ],
)
def test_bad_input_gives_one_line_and_writes_nothing(
    simtool: Simtool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "t.csv", STUDY)
    write_hdf5(tmp_path / "obs.hdf5", STUDY, modern=True)
    before = sorted(tmp_path.iterdir())
    ran = simtool("import-trials", *arguments, "--out", "out.parquet")
    assert ran.code == code
    assert complaint in ran.err
    if code == 1:
        assert ran.err.splitlines()[-1].startswith("error: ")
        assert ran.err.count("error: ") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_a_failed_import_leaves_the_older_table(simtool: Simtool, tmp_path: Path, out: Path) -> None:
    write_csv(tmp_path / "t.csv", STUDY)
    simtool("import-trials", tmp_path / "t.csv", "--out", out)
    before = out.read_bytes()
    (tmp_path / "t.csv").write_text("query,reference_1,reference_2,selected_1\na,b,c,x\n")
    assert simtool("import-trials", tmp_path / "t.csv", "--out", out).code == 1
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("source", "catalog", "trials", "catch_trials"),
    [
        ("obs_2018.hdf5", "catalog.csv", 16_292, 0),
        ("obs_2018.hdf5", "stimuli.txt", 16_292, 0),
        ("obs_v0.6.0.hdf5", "catalog_v0.6.0.hdf5", 16_292, 0),
        ("raw_sample", "stimuli.txt", 54, 6),
    ],
)
def test_every_layout_of_birds16_joins_its_photographs(
    simtool: Simtool, birds16: Path, tmp_path: Path, source: str, catalog: str, trials: int, catch_trials: int
) -> None:
    images, out = tmp_path / "images.parquet", tmp_path / "trials.parquet"
    assert simtool("index-images", birds16 / "images", "--out", images).code == 0
    ran = simtool("import-trials", birds16 / source, "--catalog", birds16 / catalog, "--images", images, "--out", out)
    assert ran.code == 0
    assert (f"dropped {catch_trials} catch trials" in ran.err) == (catch_trials > 0)
    assert "warning" not in ran.err
    read = read_trials(out)
    assert len(read) == trials
    assert all((birds16 / "images" / name).is_file() for name in read.images)
    np.testing.assert_array_equal(read.selected[:, 0], 0)


def test_what_was_left_out_or_kept_without_use_is_said_in_a_line_each(
    simtool: Simtool, tmp_path: Path, out: Path
) -> None:
    header = ",query,reference_1,reference_2,selected_1,participant,particpants,condition"
    rows = ["0,a,b,c,b,p1,x,upright", "1,a,b,c,,p1,x,upright", "2,a,b,a,b,p1,x,upright", "3,c,a,b,a,,x,inverted"]
    (tmp_path / "t.csv").write_text("\n".join([header, *rows]))
    ran = simtool("import-trials", tmp_path / "t.csv", "--out", out)
    assert ran.code == 0, ran.err
    for line in (
        f"read   {tmp_path / 't.csv'}: 4 trials (csv)",
        "       dropped 1 catch trial (the query is among its references)",
        "       dropped 1 trial without an answer (nothing is selected)",
        "warning: 1 of 2 trials does not say who judged (participant)",
        "warning: columns kept, but not used: particpants (did you mean participant?), condition",
        "       left out columns without a name: 1",
    ):
        assert line in ran.err.splitlines()
    assert list(read_trials(out).extra) == ["particpants", "condition"]
    assert "other columns  particpants (string), condition (string)" in simtool("show", out).out
