from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from simtool.collections.folder import FolderError, index_folder
from simtool.tables.images import image_paths


def photograph(path: Path, width: int = 4, height: int = 3, mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (width, height)).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "photographs"


def test_ids_are_paths_below_the_folder_and_folders_are_classes_and_groups(folder: Path) -> None:
    photograph(folder / "birds" / "Cardinalidae" / "Grosbeak" / "b.jpg")
    photograph(folder / "Icteridae" / "Bobolink" / "a.png")
    photograph(folder / "misc" / "c.gif")
    photograph(folder / "d.bmp")
    images = index_folder(folder, folder.parent / "images.parquet").images
    assert images.image_id.tolist() == [
        "Icteridae/Bobolink/a.png",
        "birds/Cardinalidae/Grosbeak/b.jpg",
        "d.bmp",
        "misc/c.gif",
    ]
    assert images.class_name.tolist() == ["Bobolink", "Grosbeak", None, "misc"]
    assert images.group_name.tolist() == ["Icteridae", "Cardinalidae", None, None]
    assert images.class_id.tolist() == [0, 1, -1, 2]


def test_a_flat_folder_has_no_classes_and_no_groups(folder: Path) -> None:
    photograph(folder / "a.jpg")
    images = index_folder(folder, folder / "images.parquet").images
    assert (images.class_name.tolist(), images.group_name.tolist(), images.class_id.tolist()) == ([None], [None], [-1])


def test_classes_of_one_name_in_two_groups_are_two_classes(folder: Path) -> None:
    photograph(folder / "left" / "red" / "a.jpg")
    photograph(folder / "right" / "red" / "a.jpg")
    images = index_folder(folder, folder / "images.parquet").images
    assert images.class_id.tolist() == [0, 1]
    assert images.class_name.tolist() == ["red", "red"]


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png", ".bmp", ".gif", ".webp", ".tiff", ".ppm"])
def test_sizes_come_from_the_headers_of_every_format(folder: Path, suffix: str) -> None:
    photograph(folder / f"a{suffix}", 7, 5)
    images = index_folder(folder, folder / "images.parquet").images
    assert (images.width.tolist(), images.height.tolist()) == ([7], [5])


def test_a_suffix_may_lie_about_the_format(folder: Path) -> None:
    photograph(folder / "a.png", 7, 5).rename(folder / "a.jpg")
    assert index_folder(folder, folder / "images.parquet").images.width.tolist() == [7]


@pytest.mark.parametrize("table", ["images.parquet", "../images.parquet", "../tables/images.parquet"])
def test_paths_lead_from_the_table_to_the_files(folder: Path, table: str) -> None:
    file = photograph(folder / "a" / "x.jpg")
    (folder.parent / "tables").mkdir()
    images = index_folder(folder, folder / table).images
    assert not Path(images.path[0]).is_absolute()
    assert image_paths(folder / table, images)[0].samefile(file)


def test_paths_hold_where_table_and_folder_are_reached_by_links(folder: Path, tmp_path: Path) -> None:
    file = photograph(folder / "a" / "x.jpg")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "tables").symlink_to(tmp_path / "deep" / "er")
    (tmp_path / "linked").symlink_to(folder)
    table = tmp_path / "tables" / "images.parquet"
    assert image_paths(table, index_folder(tmp_path / "linked", table).images)[0].samefile(file)


def test_other_files_are_counted_and_hidden_ones_are_not(folder: Path) -> None:
    photograph(folder / "a.jpg")
    photograph(folder / ".cache" / "b.jpg")
    for name in ("notes.txt", "Thumbs.db", "._a.jpg", ".DS_Store"):
        (folder / name).write_bytes(b"x")
    index = index_folder(folder, folder / "images.parquet")
    assert index.images.image_id.tolist() == ["a.jpg"]
    assert index.others == {".txt": 1, ".db": 1}
    assert index.foreign == ()


def test_files_that_are_no_images_are_named_or_left_out_on_request(folder: Path) -> None:
    photograph(folder / "good.jpg")
    (folder / "empty.jpg").touch()
    (folder / "page.png").write_text("<html>not found</html>")
    (folder / "cut.jpg").write_bytes((folder / "good.jpg").read_bytes()[:20])
    (folder / "dead.gif").symlink_to(folder / "gone.gif")
    with pytest.raises(
        FolderError,
        match=r"4 of 5 image files .* \(cut\.jpg\), no such file or directory \(dead\.gif\), the .*--skip-bad",
    ):
        index_folder(folder, folder / "images.parquet")
    index = index_folder(folder, folder / "images.parquet", skip_bad=True)
    assert index.images.image_id.tolist() == ["good.jpg"]
    assert list(index.bad) == ["cut.jpg", "dead.gif", "empty.jpg", "page.png"]
    assert index.bad["page.png"].startswith("not an image but a web page")


def test_a_folder_without_images_is_refused(folder: Path) -> None:
    with pytest.raises(FolderError, match="no such file or folder"):
        index_folder(folder, folder / "images.parquet")
    folder.mkdir()
    with pytest.raises(FolderError, match=r"no images \(\.bmp, .*\) in the folder or below, no files"):
        index_folder(folder, folder / "images.parquet")
    (folder / "notes.txt").touch()
    with pytest.raises(FolderError, match="1 other file"):
        index_folder(folder, folder / "images.parquet")
    with pytest.raises(FolderError, match="an empty file, not a folder of images"):
        index_folder(folder / "notes.txt", folder / "images.parquet")


@pytest.mark.parametrize("name", ["IMG_0001.HEIC", "a.avif", "a.jxl", "a.CR2", "a.svg", "a.tga"])
def test_images_of_kinds_that_are_not_read_are_named(folder: Path, name: str) -> None:
    photograph(folder / "a.jpg")
    (folder / name).write_bytes(b"whatever")
    index = index_folder(folder, folder / "images.parquet")
    assert (index.foreign, index.others) == ((name,), {Path(name).suffix.lower(): 1})
    (folder / "a.jpg").unlink()
    with pytest.raises(FolderError, match=rf"1 other file, 1 of them images \({name}\); save those as JPEG or PNG"):
        index_folder(folder, folder / "images.parquet")


@pytest.mark.parametrize("name", ["IMG_0001", "a.jpg_large", "a.jpg~", "a.1"])
def test_images_without_a_suffix_are_named_and_other_such_files_are_not(folder: Path, name: str) -> None:
    photograph(folder / "a.jpg").with_name(name).write_bytes((folder / "a.jpg").read_bytes())
    (folder / "README").write_text("about")
    assert index_folder(folder, folder / "images.parquet").foreign == (name,)


def test_a_pointer_of_git_lfs_is_called_one(folder: Path) -> None:
    folder.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n")
    with pytest.raises(
        FolderError, match=r"2 of 2 .* a Git LFS pointer .*git lfs pull fetches the file itself \(a\.jpg, b\.jpg\)"
    ):
        index_folder(folder, folder / "images.parquet")


def test_sizes_are_those_of_the_upright_image(folder: Path) -> None:
    folder.mkdir()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (7, 5)).save(folder / "phone.jpg", exif=exif)
    images = index_folder(folder, folder / "images.parquet").images
    assert (images.width.tolist(), images.height.tolist()) == ([5], [7])


def test_folders_of_splits_are_splits(folder: Path) -> None:
    for split in ("train", "test"):
        for species in ("Wren", "Tern"):
            photograph(folder / split / species / f"{split}.jpg")
    index = index_folder(folder, folder / "images.parquet")
    assert [*zip(index.images.class_name, index.images.class_id, index.images.split, strict=True)] == [
        ("Tern", 0, "test"), ("Wren", 1, "test"), ("Tern", 0, "train"), ("Wren", 1, "train"),
    ]  # fmt: skip
    assert set(index.images.group_name) == {None}
    assert index.note == "2 classes: Tern, Wren; no groups; 2 splits: test (2 images), train (2 images)"


def test_a_layout_can_be_given(folder: Path) -> None:
    photograph(folder / "train" / "a.jpg")
    photograph(folder / "test" / "b.jpg")
    images = index_folder(folder, folder / "images.parquet", layout="class").images
    assert (images.class_name.tolist(), images.split.tolist()) == (["test", "train"], [None, None])


def test_the_same_folder_gives_the_same_rows(folder: Path) -> None:
    for name in ("train/b/2.jpg", "test/a/1.jpg", "train/a/3.png", "4.gif"):
        photograph(folder / name)
    first, second = (index_folder(folder, folder / "images.parquet").images for _ in range(2))
    assert all(np.array_equal(value, getattr(second, name)) for name, value in vars(first).items() if name != "bbox")


def test_links_that_lead_back_end(folder: Path) -> None:
    photograph(folder / "a" / "x.jpg")
    (folder / "a" / "up").symlink_to(folder)
    (folder / "a" / "self").symlink_to(folder / "a")
    assert index_folder(folder, folder / "images.parquet").images.image_id.tolist() == ["a/x.jpg"]


def test_links_to_other_folders_are_followed(folder: Path, tmp_path: Path) -> None:
    photograph(tmp_path / "elsewhere" / "x.jpg")
    folder.mkdir()
    (folder / "class").symlink_to(tmp_path / "elsewhere")
    images = index_folder(folder, folder / "images.parquet").images
    assert images.image_id.tolist() == ["class/x.jpg"]
    assert image_paths(folder / "images.parquet", images)[0].is_file()


def test_pipes_do_not_hang_it(folder: Path) -> None:
    photograph(folder / "x.jpg")
    os.mkfifo(folder / "pipe.jpg")
    assert index_folder(folder, folder / "images.parquet").images.image_id.tolist() == ["x.jpg"]


def test_file_names_that_are_no_text_are_refused(folder: Path) -> None:
    photograph(folder / "x.jpg")
    os.link(folder / "x.jpg", os.fsencode(folder) + b"/\xe9.jpg")
    with pytest.raises(FolderError, match=r"1 file names are not UTF-8: b'\\xe9.jpg'"):
        index_folder(folder, folder / "images.parquet")


def test_birds16_is_208_images_of_16_species_in_4_families(birds16: Path, tmp_path: Path) -> None:
    index = index_folder(birds16 / "images", tmp_path / "images.parquet")
    assert (len(index.images), index.others) == (208, {})
    assert index.images.image_id[0] == "Bird/Cardinalidae/Blue_Grosbeak/Blue_Grosbeak_0002_36648.jpg"
    assert (len(set(index.images.class_id)), len(set(index.images.group_name))) == (16, 4)
    assert all(path.is_file() for path in image_paths(tmp_path / "images.parquet", index.images))
