from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simtool.archive import Source
from simtool.collections import birds16 as birds
from simtool.collections.folder import index_folder
from simtool.collections.studies import studies
from simtool.stages import studies as registry
from simtool.system.lock import alone_in
from simtool.tables.images import image_paths, read_images, write_images
from simtool.tables.provenance import Provenance
from simtool.tables.trials import read_trials
from tests.servers import ArchiveServer, breaks_after, serving, web_page
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
    assert f"{folder / 'birds16_stimuli.zip'} could not be checked: its checksum is not known" in ran.err
    assert "judgments of birds-16: licence not known; cite Roads & Mozer (2019)" in ran.err
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
def test_a_wrong_size_or_checksum_is_refused(simtool: Simtool, tmp_path: Path, judgments_server: ArchiveServer) -> None:
    ran = simtool("fetch-judgments", tmp_path / "birds16", "--url", judgments_server.url)
    assert ran.code == 1
    size = len(judgments_server.content)
    assert f"its file has {size:,} bytes instead of 1,671,961" in ran.err.splitlines()[-1]
    assert "--archive" in ran.err.splitlines()[-1]
    assert not (tmp_path / "birds16" / "trials.parquet").exists()
    ran = simtool("fetch-judgments", tmp_path / "birds16", "--url", judgments_server.url, "--sha256", "0" * 64)
    assert ran.code == 1
    assert "wrong checksum" in ran.err.splitlines()[-1]
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
    assert f"warning: {tmp_path / 'b.zip'} is not the file that is published now" in ran.err
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
    assert ran.err.splitlines()[-3].endswith("16,292 trials (8,772 8-rank-2, 7,520 2-choose-1) of 208 images")
    images = read_images(tmp_path / "images.parquet")
    assert images.image_id.tolist() == index_folder(birds16 / "images", tmp_path / "t").images.image_id.tolist()


@pytest.mark.system
@pytest.mark.parametrize("study", ["imagenet-hsj", "skin-lesions"])
def test_another_study_of_psiz_is_downloaded_and_its_images_are_not(
    simtool: Simtool, tmp_path: Path, judgments_server: ArchiveServer, study: str
) -> None:
    checksum = hashlib.sha256(judgments_server.content).hexdigest()
    mirror = ["--study", study, "--url", judgments_server.url, "--sha256", checksum]
    folder, entry = tmp_path / "study", studies()[study]
    ran = simtool("fetch-judgments", folder, *mirror)
    assert ran.code == 0, ran.err
    assert f"read   {folder / entry.judgments.name}: 15 trials (psiz-json)" in ran.err
    assert ran.err.splitlines()[-3:-1] == [
        f"judgments of {study}: licence {entry.licence or 'not known'}; cite {entry.citation}",
        f"images of {study}: {entry.images_from}",
    ]
    assert len(read_trials(folder / "trials.parquet")) == 14
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == sorted(
        ["trials.parquet", entry.judgments.name]
    )
    asked = len(judgments_server.requests)
    assert simtool("fetch-judgments", folder, *mirror).code == 0
    assert len(judgments_server.requests) == asked


@pytest.mark.system
def test_a_broken_download_of_another_study_resumes(
    simtool: Simtool, tmp_path: Path, judgments_server: ArchiveServer
) -> None:
    checksum = hashlib.sha256(judgments_server.content).hexdigest()
    judgments_server.turns.append(breaks_after(500))
    mirror = ["--study", "skin-lesions", "--url", judgments_server.url, "--sha256", checksum]
    assert simtool("fetch-judgments", tmp_path / "study", *mirror).code == 0
    assert [request.range for request in judgments_server.requests] == [None, "bytes=500-"]


def test_another_study_joins_a_table_of_images_again_and_again(
    simtool: Simtool, tmp_path: Path, sequences: Path, photographs: Path
) -> None:
    table, folder = tmp_path / "mine" / "images.parquet", tmp_path / "study"
    write_images(table, index_folder(photographs, table).images, Provenance.of([], []))
    for _ in range(2):
        ran = simtool("fetch-judgments", folder, "--study", "imagenet-hsj", "--archive", sequences, "--images", table)
        assert ran.code == 0, ran.err
        assert "images of imagenet-hsj" not in ran.err
        images = read_images(folder / "images.parquet")
        assert images.image_id.tolist() == sorted(IMAGES)
        assert all(path.is_file() for path in image_paths(folder / "images.parquet", images))


@pytest.mark.system
def test_the_triplets_of_things_name_its_objects(simtool: Simtool, tmp_path: Path) -> None:
    header = "image1 image2 image3 choice RT noise_ceiling subject_id HIT_nr trial_nr age gender date time dataset"
    rows = ["1 2 3 1 900 0 S1 1 1 30 x 2000-01-01 12:00:00 1", "3 4 1 2 800 1 S2 1 1 30 x 2000-01-01 12:00:00 1"]
    content = "\n".join([header, *rows]).replace(" ", "\t").encode()
    (tmp_path / "unique_id.txt").write_text("aardvark\nabacus\naccordion\nacorn\n")
    names = ["--archive", tmp_path / "unique_id.txt"]
    with serving(content) as server:
        mirror = ["--url", server.url, "--sha256", hashlib.sha256(content).hexdigest()]
        ran = simtool("fetch-judgments", tmp_path / "things", "--study", "things", *mirror, *names)
    assert ran.code == 0, ran.err
    assert "cite Hebart et al. (2023)" in ran.err
    assert "academic use only" in ran.err
    trials = read_trials(tmp_path / "things" / "trials.parquet")
    assert trials.images[trials.references].tolist() == [
        ["aardvark", "abacus", "accordion"],
        ["accordion", "acorn", "aardvark"],
    ]
    assert trials.selected[:, 0].tolist() == [0, 1]
    assert trials.participant.tolist() == ["S1", "S2"]


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ArchiveServer, ArchiveServer]]:
    """A study in the registry whose judgments number their images, and its two servers."""
    judgments = b"query,reference_1,reference_2,selected_1\n0,1,2,2\n3,1,0,1\n"
    with serving(judgments) as first, serving(b"wren\ntern\nowl\nrobin\n") as second:
        study = replace(
            studies()["things"],
            name="numbers",
            judgments=Source("trials.csv", (first.url,), len(judgments), (hashlib.sha256(judgments).hexdigest(),)),
            names=Source("names.txt", (second.url,)),
            format="csv",
        )
        monkeypatch.setattr(registry, "studies", lambda: {"numbers": study})
        yield first, second


@pytest.mark.system
def test_a_study_of_numbers_gets_its_names(
    simtool: Simtool, tmp_path: Path, numbers: tuple[ArchiveServer, ArchiveServer]
) -> None:
    ran = simtool("fetch-judgments", tmp_path / "n", "--study", "numbers")
    assert ran.code == 0, ran.err
    assert f"read   {tmp_path / 'n' / 'names.txt'}: 4 names, 0 to 3" in ran.err
    assert f"{tmp_path / 'n' / 'names.txt'} could not be checked: its checksum is not known" in ran.err
    assert "trials.csv could not be checked" not in ran.err
    assert sorted(read_trials(tmp_path / "n" / "trials.parquet").images) == ["owl", "robin", "tern", "wren"]


@pytest.mark.system
def test_a_file_of_names_replaces_the_names_of_a_study(
    simtool: Simtool, tmp_path: Path, numbers: tuple[ArchiveServer, ArchiveServer]
) -> None:
    mapping = tmp_path / "mapping.csv"
    mapping.write_text("id,name\n" + "".join(f"{number},own/{number}.jpg\n" for number in range(4)))
    ran = simtool("fetch-judgments", tmp_path / "n", "--study", "numbers", "--images", mapping)
    assert ran.code == 0, ran.err
    assert numbers[1].requests == []
    assert sorted(read_trials(tmp_path / "n" / "trials.parquet").images) == [f"own/{n}.jpg" for n in range(4)]
    assert not (tmp_path / "n" / "images.parquet").exists()


def test_local_copies_of_judgments_and_names_need_no_network(
    simtool: Simtool, tmp_path: Path, numbers: tuple[ArchiveServer, ArchiveServer]
) -> None:
    (tmp_path / "trials.csv").write_bytes(numbers[0].content)
    (tmp_path / "unique_id.txt").write_bytes(numbers[1].content)
    copies = ["--archive", tmp_path / "trials.csv", "--archive", tmp_path / "unique_id.txt"]
    ran = simtool("fetch-judgments", tmp_path / "n", "--study", "numbers", *copies)
    assert ran.code == 0, ran.err
    assert "warning" not in ran.err
    assert [server.requests for server in numbers] == [[], []]
    assert sorted(read_trials(tmp_path / "n" / "trials.parquet").images) == ["owl", "robin", "tern", "wren"]


@pytest.mark.parametrize(
    ("study", "complaint"),
    [("imagenet-hsj", "own.csv: no JSON sequences in it"), ("things", "own.csv: not THINGS' raw judgments")],
)
def test_a_copy_in_another_format_is_not_taken_for_the_study(
    simtool: Simtool, tmp_path: Path, study: str, complaint: str
) -> None:
    (tmp_path / "own.csv").write_text("image_1,image_2,image_3,odd_one\na,b,c,c\n")
    ran = simtool("fetch-judgments", tmp_path / "out", "--study", study, "--archive", tmp_path / "own.csv")
    assert ran.code == 1
    assert complaint in ran.err.splitlines()[-1]
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["--study", "birds16"], 2, "--study is one of birds-16, imagenet-hsj, skin-lesions, things, not birds16"),
        (["--study", "things", "--photographs-url", "https://x.y"], 2, "the images of things cannot be downloaded"),
        (["--images", "t.csv"], 1, "t.csv: this is a CSV (first line: query, reference_1), not a table of images"),
    ],
)
def test_wrong_usage_gives_one_line(
    simtool: Simtool, tmp_path: Path, sequences: Path, arguments: list[str], code: int, complaint: str
) -> None:
    (tmp_path / "t.csv").write_text("query,reference_1\na,b\n")
    arguments = [str(tmp_path / word) if word == "t.csv" else word for word in arguments]
    ran = simtool("fetch-judgments", tmp_path / "out", "--archive", sequences, *arguments)
    assert ran.code == code
    assert complaint in ran.err.splitlines()[-1]
    assert not list((tmp_path / "out").glob("*.parquet"))


def test_the_list_shows_each_study_with_licence_images_and_citation(simtool: Simtool) -> None:
    ran = simtool("fetch-judgments", "--list")
    assert ran.code == 0
    for name, study in studies().items():
        assert f"\n{name} " in ran.out
        for fact in (study.images_from, study.citation):
            assert f"  {name:<12}  {fact}\n" in ran.out
    words = " ".join(ran.out.split())
    assert words.startswith("study judgments size SHA-256 from licence birds-16 ")
    assert "CC BY 4.0" in words
    assert words.count("not known") >= 3
