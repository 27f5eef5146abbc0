from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from simtool.collections import birds16 as birds
from simtool.collections.folder import index_folder
from simtool.system.lock import alone_in
from simtool.tables.images import image_paths, read_images, write_images
from simtool.tables.provenance import Provenance
from simtool.tables.trials import read_trials
from tests.servers import ArchiveServer, serving, web_page
from tests.studies import IMAGES, Judgment, catch, write_photographs, write_sequences, zipped

Simtool = Callable[..., Any]
#: Every image takes part in a judgment.
STUDY = [
    *(Judgment(query, tuple((query + step) % 40 for step in (1, 2, 3)), (1,)) for query in range(0, 40, 3)),
    catch(),
]


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return write_photographs(tmp_path / "sources" / "photographs")


@pytest.fixture
def sequences(tmp_path: Path) -> Path:
    return write_sequences(tmp_path / "sources" / "sequences", STUDY)


@pytest.fixture
def judgments_server(sequences: Path) -> Iterator[ArchiveServer]:
    with serving(zipped(sequences)) as server:
        yield server


@pytest.fixture
def photographs_server(photographs: Path) -> Iterator[ArchiveServer]:
    with serving(zipped(photographs, "birds_16/")) as server:
        yield server


@pytest.fixture
def mirrors(judgments_server: ArchiveServer, photographs_server: ArchiveServer) -> list[str]:
    """The options that name the two servers."""
    checksum = hashlib.sha256(judgments_server.content).hexdigest()
    return ["--url", judgments_server.url, "--sha256", checksum, "--photographs-url", photographs_server.url]


@pytest.mark.system
def test_both_zips_are_downloaded_and_become_two_tables(simtool: Simtool, tmp_path: Path, mirrors: list[str]) -> None:
    folder = tmp_path / "birds16"
    ran = simtool("fetch-judgments", folder, *mirrors)
    assert ran.code == 0
    assert f"read   {folder / 'birds16_rank2019.zip'}: 15 trials (psiz-json)" in ran.err
    assert f"read   {folder / 'birds16_stimuli.zip'}: 40 photographs" in ran.err
    assert "dropped 1 catch trial" in ran.err
    images, trials = read_images(folder / "images.parquet"), read_trials(folder / "trials.parquet")
    assert trials.observers == "human"
    assert images.image_id.tolist() == sorted(IMAGES)
    assert set(images.class_name) == {f"Species_{number}" for number in range(4)}
    assert set(images.group_name) == {"Family_0", "Family_1"}
    assert all(path.is_file() for path in image_paths(folder / "images.parquet", images))
    assert len(trials) == 14
    assert set(trials.images) == set(IMAGES)


@pytest.mark.system
def test_a_second_run_downloads_nothing_and_repairs_what_is_gone(
    simtool: Simtool,
    tmp_path: Path,
    mirrors: list[str],
    judgments_server: ArchiveServer,
    photographs_server: ArchiveServer,
) -> None:
    folder = tmp_path / "birds16"
    simtool("fetch-judgments", folder, *mirrors)
    asked = len(judgments_server.requests), len(photographs_server.requests)
    (folder / "images" / IMAGES[3]).unlink()
    (folder / "trials.parquet").unlink()
    assert simtool("fetch-judgments", folder, *mirrors).code == 0
    assert (len(judgments_server.requests), len(photographs_server.requests)) == asked
    assert (folder / "images" / IMAGES[3]).is_file()
    assert len(read_trials(folder / "trials.parquet")) == 14


@pytest.mark.system
def test_a_wrong_checksum_is_refused(simtool: Simtool, tmp_path: Path, judgments_server: ArchiveServer) -> None:
    ran = simtool("fetch-judgments", tmp_path / "birds16", "--url", judgments_server.url)
    assert ran.code == 1
    assert "wrong checksum" in ran.err.splitlines()[-1]
    assert "--archive" in ran.err.splitlines()[-1]
    assert not (tmp_path / "birds16" / "trials.parquet").exists()


@pytest.mark.system
@pytest.mark.parametrize("content", [b"not a zip at all", None], ids=["garbage", "other photographs"])
def test_photographs_that_are_not_these_are_not_kept(
    simtool: Simtool, tmp_path: Path, mirrors: list[str], photographs_server: ArchiveServer, content: bytes | None
) -> None:
    good = photographs_server.content
    photographs_server.content = (
        zipped(write_photographs(tmp_path / "x") / "Bird" / "Family_0") if content is None else content
    )
    folder = tmp_path / "birds16"
    ran = simtool("fetch-judgments", folder, *mirrors)
    assert ran.code == 1
    assert ran.err.splitlines()[-1].startswith("error: ")
    assert not (folder / "images.parquet").exists()
    photographs_server.content = good
    assert simtool("fetch-judgments", folder, *mirrors).code == 0


@pytest.mark.system
def test_an_error_page_is_refused(
    simtool: Simtool, tmp_path: Path, mirrors: list[str], photographs_server: ArchiveServer
) -> None:
    photographs_server.always = web_page
    ran = simtool("fetch-judgments", tmp_path / "birds16", *mirrors)
    assert ran.code == 1
    assert "web page" in ran.err.splitlines()[-1]


def test_local_copies_are_told_apart_by_content(
    simtool: Simtool, tmp_path: Path, sequences: Path, photographs: Path
) -> None:
    (tmp_path / "a.zip").write_bytes(zipped(photographs))
    (tmp_path / "b.zip").write_bytes(zipped(sequences))
    folder = tmp_path / "birds16"
    ran = simtool("fetch-judgments", folder, "--archive", tmp_path / "a.zip", "--archive", tmp_path / "b.zip")
    assert ran.code == 0
    assert f"warning: {tmp_path / 'b.zip'} is not the zip that is published now" in ran.err
    assert len(read_images(folder / "images.parquet")) == 40
    assert len(read_trials(folder / "trials.parquet")) == 14
    assert not list(folder.glob("*.zip"))


def test_a_local_copy_must_have_the_checksum_that_was_asked_for(
    simtool: Simtool, tmp_path: Path, sequences: Path
) -> None:
    (tmp_path / "b.zip").write_bytes(zipped(sequences))
    ran = simtool("fetch-judgments", tmp_path / "birds16", "--archive", tmp_path / "b.zip", "--sha256", "0" * 64)
    assert ran.code == 1
    assert "wrong checksum" in ran.err


@pytest.mark.system
def test_it_waits_for_another_command_in_the_folder(tmp_path: Path, sequences: Path, photographs: Path) -> None:
    folder = tmp_path / "birds16"
    command = [sys.executable, "-m", "simtool", "fetch-judgments", str(folder)]
    command += ["--archive", str(sequences), "--archive", str(photographs)]
    with alone_in(folder, "fetch-cub"):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        assert f"{folder} is in use by fetch-cub (process {os.getpid()}" in process.stderr.readline()
        assert [path.name for path in folder.iterdir()] == [".simtool.lock"]
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert len(read_images(folder / "images.parquet")) == 40
    assert len(read_trials(folder / "trials.parquet")) == 14


def test_two_copies_of_the_same_are_wrong_usage(simtool: Simtool, tmp_path: Path, sequences: Path) -> None:
    ran = simtool("fetch-judgments", tmp_path / "birds16", "--archive", sequences, "--archive", sequences)
    assert ran.code == 2
    assert "judgments are in" in ran.err


def test_a_file_in_place_of_the_folder_is_wrong_usage(simtool: Simtool, tmp_path: Path, sequences: Path) -> None:
    (tmp_path / "file").touch()
    ran = simtool("fetch-judgments", tmp_path / "file", "--archive", sequences)
    assert ran.code == 2
    assert "is a file, not a folder" in ran.err


def test_judgments_join_another_table_and_altered_photographs_are_told(
    simtool: Simtool, tmp_path: Path, sequences: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(birds, "ALTERED", {Path(IMAGES[0]).name: "0" * 64})
    cub = tmp_path / "cub" / "images.parquet"
    write_images(cub, index_folder(photographs, cub).images, Provenance.of([], []))
    folder = tmp_path / "birds16"
    ran = simtool("fetch-judgments", folder, "--archive", sequences, "--images", cub)
    assert ran.code == 0
    differs = "1 photograph of CUB differs from the one that people saw (cropped or saved again)"
    assert f"warning: {cub}: {differs}: {IMAGES[0]}" in ran.err
    assert not (folder / "images").exists()
    images = read_images(folder / "images.parquet")
    assert all(path.is_file() for path in image_paths(folder / "images.parquet", images))
    assert set(read_trials(folder / "trials.parquet").images) <= set(images.image_id)


def test_a_table_in_the_same_folder_is_joined_and_left_as_it_is(
    simtool: Simtool, tmp_path: Path, sequences: Path, photographs: Path
) -> None:
    table = tmp_path / "data" / "images.parquet"
    write_images(table, index_folder(photographs.parent, table).images, Provenance.of([], []))
    (tmp_path / "data" / "more.txt").touch()
    before = table.read_bytes()
    ran = simtool("fetch-judgments", table.parent, "--archive", sequences, "--images", table)
    assert ran.code == 0
    assert f"left   {table} as it is" in ran.err
    assert table.read_bytes() == before
    assert len(read_trials(tmp_path / "data" / "trials.parquet")) == 14


def test_a_table_of_other_images_in_the_folder_is_not_overwritten(
    simtool: Simtool, tmp_path: Path, sequences: Path, photographs: Path
) -> None:
    write_photographs(tmp_path / "cub")
    (tmp_path / "cub" / IMAGES[0]).rename(tmp_path / "cub" / "other.jpg")
    simtool("index-images", tmp_path / "cub", "--out", tmp_path / "cub" / "images.parquet")
    before = (tmp_path / "cub" / "images.parquet").read_bytes()
    ran = simtool("fetch-judgments", tmp_path / "cub", "--archive", sequences, "--archive", photographs)
    assert ran.code == 1
    assert "lists 1 other image and would be overwritten" in ran.err
    assert (tmp_path / "cub" / "images.parquet").read_bytes() == before


def test_the_folder_of_birds16_is_a_copy_of_birds16(simtool: Simtool, birds16: Path, tmp_path: Path) -> None:
    ran = simtool("fetch-judgments", tmp_path, "--archive", birds16)
    assert ran.code == 0
    assert "warning" not in ran.err
    assert ran.err.splitlines()[-2].endswith("16,292 trials (8,772 8-rank-2, 7,520 2-choose-1) of 208 images")
    images = read_images(tmp_path / "images.parquet")
    assert images.image_id.tolist() == index_folder(birds16 / "images", tmp_path / "t").images.image_id.tolist()
