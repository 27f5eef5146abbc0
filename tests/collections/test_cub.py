"""Reading and unpacking archives in CUB's layout."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simtool.archive import ArchiveError
from simtool.collections.cub import (
    ROOT,
    CubError,
    broken,
    equal,
    read_cub,
    repair_cub,
    require_origin,
    root_in,
    unpack_cub,
)
from simtool.tables.images import image_paths, write_images
from simtool.tables.provenance import InputFile, Provenance
from tests.cub import PHOTOGRAPHS, miniature, pack

NAMES = [name for name, *_ in PHOTOGRAPHS]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return pack(tmp_path / "CUB_200_2011.tgz", miniature())


@pytest.fixture
def folder(archive: Path, tmp_path: Path) -> Path:
    unpack_cub(archive, tmp_path / "cub")
    return tmp_path / "cub"


def edit(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / ROOT / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_rows_follow_the_order_of_images_txt_and_carry_cubs_own_numbers(archive: Path, tmp_path: Path) -> None:
    images = unpack_cub(archive, tmp_path / "cub")
    assert images.image_id.tolist() == NAMES
    assert images.source_id.tolist() == [1, 2, 3, 4, 5]
    assert images.class_id.tolist() == [2, 1, 2, 3, 1]
    assert images.class_name.tolist() == [name.split("/")[0] for name in NAMES]
    assert images.group_name.tolist() == [None] * 5
    assert images.split.tolist() == ["test", "train", "train", "test", "train"]
    np.testing.assert_array_equal(images.bbox[4], np.array([5, 2.5, 20, 15], np.float32))


def test_sizes_of_any_color_mode_come_from_the_photographs(archive: Path, tmp_path: Path) -> None:
    images = unpack_cub(archive, tmp_path / "cub")
    sizes = zip(images.width.tolist(), images.height.tolist(), strict=True)
    assert list(sizes) == [(width, height) for *_, width, height in PHOTOGRAPHS]


def test_paths_are_relative_to_the_table(folder: Path) -> None:
    images = read_cub(folder)
    assert images.path[0] == f"CUB_200_2011/images/{NAMES[0]}"
    assert all(path.is_file() for path in image_paths(folder / "images.parquet", images))


def test_only_what_belongs_to_cub_is_unpacked(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [ROOT, "attributes.txt"]
    assert not list(folder.rglob("._*"))


def test_missing_and_damaged_photographs_are_told(folder: Path) -> None:
    photographs = folder / ROOT / "images"
    (photographs / NAMES[0]).unlink()
    (photographs / NAMES[2]).write_bytes(b"")
    (photographs / NAMES[3]).write_bytes(bytes(5000))
    assert broken(read_cub(folder)) == [NAMES[0], NAMES[2], NAMES[3]]


def test_only_the_photographs_asked_for_are_unpacked_again(archive: Path, folder: Path) -> None:
    before = read_cub(folder)
    kept, lost = folder / ROOT / "images" / NAMES[0], folder / ROOT / "images" / NAMES[1]
    kept.write_bytes(kept.read_bytes() + b"mine")
    lost.unlink()
    assert equal(repair_cub(archive, folder, folder / ROOT, [NAMES[1]]), before)
    assert kept.read_bytes().endswith(b"mine")


@pytest.mark.parametrize(
    ("name", "old", "new", "complaint"),
    [
        ("images.txt", "2 001", "two 001", "line 2: expected <image id> <path>, found 'two 001."),
        ("images.txt", "3 002.Laysan_Albatross/Laysan_1.jpg", "3", "line 3: expected <image id> <path>"),
        ("images.txt", "3 002", "2 002", "line 3: id 2 is also in line 2"),
        ("images.txt", "Laysan_1", "Laysan_2", "line 3: 002.Laysan_Albatross/Laysan_2.jpg is also in line 1"),
        (
            "images.txt",
            "003.Sooty",
            "../003.Sooty",
            "line 4: '../003.Sooty_Albatross/Sooty_1.jpg' is outside the folder",
        ),
        ("images.txt", "003.Sooty", "/003.Sooty", "line 4: '/003.Sooty_Albatross/Sooty_1.jpg' is outside the folder"),
        ("classes.txt", "2 002.Laysan_Albatross\n", "2\n", "line 2: expected <class id> <class name>, found '2'"),
        ("classes.txt", "3 003.Sooty_Albatross\n", "", "image_class_labels.txt, line 4: class 3 is not in classes.txt"),
        ("image_class_labels.txt", "5 1", "5 1 1", "line 5: expected <image id> <class id>, found '5 1 1'"),
        ("image_class_labels.txt", "5 1", "9 1", "line 5: image 9 is not in images.txt"),
        ("image_class_labels.txt", "5 1\n", "", "no line for images of images.txt: 5"),
        ("train_test_split.txt", "4 0", "4 2", "line 4: expected <image id> <1 for training, 0 for test>"),
        ("train_test_split.txt", "4 0", "3 0", "line 4: id 3 is also in line 3"),
        ("bounding_boxes.txt", "1 1.0 2.5 20.0 11.0", "1 1.0 2.5 20.0", "line 1: expected <image id> <x> <y>"),
        ("bounding_boxes.txt", "20.0 13.0", "20.0 nan", "line 3: expected <image id> <x> <y>"),
    ],
)
def test_malformed_text_files_are_named_with_the_line(
    folder: Path, name: str, old: str, new: str, complaint: str
) -> None:
    edit(folder, name, old, new)
    with pytest.raises(CubError) as failure:
        read_cub(folder)
    message = str(failure.value)
    assert complaint in message
    assert f"{folder}/CUB_200_2011/" in message
    assert complaint.startswith("image_class_labels") or name in message
    assert "\n" not in message


def test_text_files_may_have_other_line_ends_and_blank_lines(folder: Path) -> None:
    before = read_cub(folder)
    for path in (folder / ROOT).glob("*.txt"):
        path.write_bytes(b"\n" + path.read_bytes().replace(b"\n", b"\r\n").replace(b" ", b"\t") + b"\n\n")
    assert equal(read_cub(folder), before)


@pytest.mark.parametrize(
    ("content", "complaint"), [(b"", "it lists no images"), (b"\xff\xfe1 x", "not a text file"), (None, "no such file")]
)
def test_a_text_file_that_is_none_is_told(folder: Path, content: bytes | None, complaint: str) -> None:
    path = folder / ROOT / "images.txt"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
        for name in ("image_class_labels", "train_test_split", "bounding_boxes"):
            (folder / ROOT / f"{name}.txt").write_bytes(b"")
    with pytest.raises(CubError, match=rf"CUB_200_2011/images\.txt: {complaint}"):
        read_cub(folder)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"CUB_200_2011/classes.txt": b"1 one\nbad\n"}, r"any\.tgz/CUB_200_2011/classes\.txt, line 2: expected"),
        (
            {"CUB_200_2011/images/" + NAMES[1]: b""},
            rf"any\.tgz: photographs are missing or unreadable: {NAMES[1]}",
        ),
        ({"CUB_200_2011/images.txt": None}, r"any\.tgz/CUB_200_2011/images\.txt: no such file"),
    ],
)
def test_an_archive_that_contradicts_itself_changes_nothing(
    tmp_path: Path, change: dict[str, bytes | None], complaint: str
) -> None:
    files = {name: content for name, content in {**miniature(), **change}.items() if content is not None}
    with pytest.raises(CubError, match=complaint):
        unpack_cub(pack(tmp_path / "any.tgz", files), tmp_path / "cub")
    assert list((tmp_path / "cub").iterdir()) == []


def test_an_archive_of_something_else_is_told(tmp_path: Path) -> None:
    with pytest.raises(CubError, match=r"other\.tgz: no copy of CUB-200-2011: images\.txt"):
        unpack_cub(pack(tmp_path / "other.tgz", {"README": b"flowers"}), tmp_path / "cub")


def relocated(files: Mapping[str, bytes], old: str, new: str) -> dict[str, bytes]:
    return {new + name.removeprefix(old) if name.startswith(old) else name: content for name, content in files.items()}


def zipped(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def unpacked(path: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


EXTRAS = {"CUB_200_2011/segmentations/001.A/a.png": b"png", "CUB_200_2011/cvpr2016_cub/allclasses.txt": b"1"}


@pytest.mark.parametrize("make", [pack, zipped, unpacked], ids=["tgz", "zip", "folder"])
@pytest.mark.parametrize("top", ["CUB_200_2011/CUB_200_2011/", "./", "archive/data/CUB_200_2011/", "CUB-200-2011/"])
def test_the_text_files_and_photographs_are_found_wherever_they_lie(
    tmp_path: Path, top: str, make: Callable[[Path, Mapping[str, bytes]], Path]
) -> None:
    images = unpack_cub(pack(tmp_path / "official.tgz", miniature()), tmp_path / "official")
    extras = EXTRAS if top.startswith("CUB_200_2011/") else {}
    copy = make(tmp_path / "copy", {**relocated(miniature(), f"{ROOT}/", top), **extras})
    assert equal(unpack_cub(copy, tmp_path / "cub"), images)
    files = {file.relative_to(tmp_path / "cub").as_posix() for file in (tmp_path / "cub").rglob("*") if file.is_file()}
    assert files >= {f"{ROOT}/images/{name}" for name in NAMES}
    assert all(file.startswith(f"{ROOT}/") or file == "attributes.txt" for file in files)
    assert equal(read_cub(tmp_path / "cub"), images)
    lost = tmp_path / "cub" / ROOT / "images" / NAMES[1]
    lost.unlink()
    assert equal(repair_cub(copy, tmp_path / "cub", tmp_path / "cub" / ROOT, [NAMES[1]]), images)
    assert lost.is_file()


def test_a_folder_is_copied_and_stays_as_it_was(tmp_path: Path) -> None:
    copy = unpacked(tmp_path / "copy", miniature())
    before = sorted(copy.rglob("*"))
    unpack_cub(copy, tmp_path / "cub")
    assert sorted(copy.rglob("*")) == before
    mine = tmp_path / "cub" / ROOT / "images" / NAMES[0]
    assert not mine.samefile(copy / ROOT / "images" / NAMES[0])


def test_an_archive_of_photographs_alone_is_told(tmp_path: Path) -> None:
    files = {"images/001.Tern/a.jpg": b"x", "lists/train.txt": b"001.Tern/a.jpg"}
    with pytest.raises(CubError, match=r"images\.tgz: it has 1 image, but no text files of CUB-200-2011 .*index"):
        unpack_cub(pack(tmp_path / "images.tgz", files), tmp_path / "cub")
    assert list((tmp_path / "cub").iterdir()) == []


def test_the_text_files_are_looked_for_below_a_folder_and_in_it(folder: Path, tmp_path: Path) -> None:
    assert root_in(folder) == folder / ROOT
    assert root_in(folder / ROOT) == folder / ROOT
    assert root_in(tmp_path / "empty") is None
    with pytest.raises(CubError, match=f"the photographs of the unpacked copy {folder / ROOT}: give that folder"):
        root_in(folder / ROOT / "images")
    for name in ("images.txt", "classes.txt", "image_class_labels.txt", "train_test_split.txt", "bounding_boxes.txt"):
        (folder / ROOT / name).unlink()
    for place in (folder / ROOT, folder / ROOT / "images"):
        with pytest.raises(CubError, match=r"photographs of CUB without its text files"):
            root_in(place)


def test_photographs_that_an_archive_lacks_are_told_when_it_should_repair(archive: Path, folder: Path) -> None:
    (folder / ROOT / "images" / NAMES[1]).unlink()
    files = miniature()
    del files[f"CUB_200_2011/images/{NAMES[1]}"]
    with pytest.raises(CubError, match=f"photographs are missing or unreadable: {NAMES[1]}"):
        repair_cub(pack(archive, files), folder, folder / ROOT, [NAMES[1]])


def test_a_truncated_archive_changes_nothing(archive: Path, tmp_path: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(ArchiveError, match="truncated"):
        unpack_cub(archive, tmp_path / "cub")
    assert list((tmp_path / "cub").iterdir()) == []


def test_photographs_of_two_archives_are_not_mixed(folder: Path) -> None:
    table = folder / "images.parquet"
    require_origin(table, ["no table says anything"])
    origin = replace(Provenance.of(["fetch-cub"], []), inputs=(InputFile("a/small.tgz", "5ma11"),))
    write_images(table, read_cub(folder), origin)
    require_origin(table, ["another", "5ma11"])
    with pytest.raises(
        CubError, match=r"photographs of another archive, a/small\.tgz: give that archive with --archive"
    ):
        require_origin(table, ["another"])
    write_images(table, read_cub(folder), replace(origin, inputs=(InputFile("cub/CUB_200_2011/images.txt", "1"),)))
    require_origin(table, ["another"])
