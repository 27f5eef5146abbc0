"""The outputs that a stage may have, given its inputs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from simtool.stages.places import Folder, PlaceError, check_images, check_places, table_file


def same(path: Path) -> Path:
    return path


def dotted(path: Path) -> Path:
    return path.parent / "x" / ".." / path.name


def linked(path: Path) -> Path:
    link = path.with_name("link")
    link.symlink_to(path.name)
    return link


def hard_linked(path: Path) -> Path:
    link = path.with_name("hard")
    os.link(path, link)
    return link


def through_a_linked_folder(path: Path) -> Path:
    folder = path.parent.with_name("other-way")
    folder.symlink_to(path.parent, target_is_directory=True)
    return folder / path.name


def relative(path: Path) -> Path:
    return Path(os.path.relpath(path))


SPELLINGS = [same, dotted, linked, hard_linked, through_a_linked_folder, relative]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "study" / "x").mkdir(parents=True)
    return tmp_path / "study"


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_an_output_that_is_an_input_is_refused_however_it_is_spelled(
    place: Path, spelled: Callable[[Path], Path]
) -> None:
    table = place / "trials.parquet"
    table.write_bytes(b"kept")
    with pytest.raises(PlaceError, match="this is an input, which the output would replace"):
        check_places(reads=[place / "pixels.parquet", table], writes=[place / "fine", spelled(table)])
    assert table.read_bytes() == b"kept"


@pytest.mark.parametrize("spelled", [same, dotted, through_a_linked_folder, relative])
def test_two_outputs_are_two_files_though_neither_exists_yet(place: Path, spelled: Callable[[Path], Path]) -> None:
    with pytest.raises(PlaceError, match="two outputs cannot be one file"):
        check_places(reads=[], writes=[place / "report.csv", None, spelled(place / "report.csv")])


def test_a_folder_is_no_place_for_a_file_and_a_file_none_for_a_folder(place: Path) -> None:
    with pytest.raises(PlaceError, match="this is a folder; name a file to write, for example"):
        check_places(reads=[], writes=[place])
    (place / "file").touch()
    with pytest.raises(PlaceError, match="this is a file; name a folder to write to"):
        check_places(reads=[], writes=[Folder(place / "file")])


def test_a_device_and_a_pipe_are_no_places(place: Path) -> None:
    os.mkfifo(place / "pipe")
    for path, kind in ((Path(os.devnull), "a device"), (place / "pipe", "a pipe")):
        with pytest.raises(PlaceError, match=f"this is {kind}, not a file"):
            check_places(reads=[], writes=[path])


def test_no_output_is_added_to_the_parts_of_a_table_that_is_read(place: Path) -> None:
    with pytest.raises(PlaceError, match="whose files are read as one table"):
        check_places(reads=[place], writes=[place / "outcomes.parquet"])
    with pytest.raises(PlaceError, match="whose files are read as one table"):
        check_places(reads=[place], writes=[place / "class=1" / "outcomes.parquet"])


def test_a_table_may_be_written_into_a_folder_of_images_but_replaces_none_of_its_files(place: Path) -> None:
    (place / "bird.jpg").touch()
    (place / "images.parquet").touch()
    check_places(reads=[Folder(place)], writes=[place / "images.parquet"])
    check_places(reads=[Folder(place)], writes=[place / "new.csv"])
    with pytest.raises(PlaceError, match="which is read; give the output another name"):
        check_places(reads=[Folder(place)], writes=[place / "bird.jpg"])


def test_a_folder_that_is_made_or_filled_holds_no_input(place: Path) -> None:
    (place / "images.parquet").touch()
    with pytest.raises(PlaceError, match="name a folder for the output alone"):
        check_places(reads=[place / "images.parquet"], writes=[Folder(place)])
    check_places(reads=[place / "images.parquet"], writes=[Folder(place / "model")])


def test_outputs_beside_their_inputs_are_fine(place: Path) -> None:
    (place / "trials.parquet").touch()
    (place / "older.parquet").touch()
    check_places(reads=[place / "trials.parquet", None], writes=[place / "older.parquet", place / "deep" / "new.csv"])


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_an_output_that_is_an_image_of_a_table_is_refused(place: Path, spelled: Callable[[Path], Path]) -> None:
    image, table = place / "a.png", place / "images.parquet"
    image.write_bytes(b"kept")
    files = [place / "lost.png", image]
    with pytest.raises(PlaceError, match=r"this is an image of .*images\.parquet; give the output another name"):
        check_images(table, files, [place / "new", Folder(place), spelled(image)])
    check_images(table, files, [place / "new", Folder(place), None])


def test_an_output_that_standard_output_goes_to_is_refused(place: Path) -> None:
    taken = place / "report.csv"
    program = "import sys; from pathlib import Path; from simtool.stages.places import check_places; "
    call = "check_places([], [Path(name) for name in sys.argv[1:]])"
    for name in (str(taken), "/dev/stdout"):
        with taken.open("w") as file:
            done = subprocess.run(
                [sys.executable, "-c", program + call, name],
                stdout=file,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert f"PlaceError: {name}: standard output goes to this file too" in done.stderr
    check_places([], [taken])


def test_a_dash_is_no_file() -> None:
    with pytest.raises(PlaceError, match="-: this command does not write to standard output; name a file to write"):
        check_places([], [Path("-")])


@pytest.mark.parametrize("suffix", [".csv", ".CSV", ".npy", ".json"])
def test_a_table_is_not_named_as_another_kind_of_file(place: Path, suffix: str) -> None:
    with pytest.raises(PlaceError, match=r"a table is a Parquet file, not .*; name it vectors\.parquet"):
        table_file(place / f"vectors{suffix}")
    check_places(reads=[], writes=[place / f"report{suffix}"])
    assert [table_file(place / name) for name in ("vectors", "v.2")] == [place / "vectors", place / "v.2"]
