from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from simtool.datasets.folder import FolderError, index_folder
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


def test_a_flat_folder_has_neither_classes_nor_groups(folder: Path) -> None:
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
    assert index.others == 2


def test_files_that_are_no_images_are_named_or_left_out_on_request(folder: Path) -> None:
    photograph(folder / "good.jpg")
    (folder / "empty.jpg").touch()
    (folder / "page.png").write_text("<html>not found</html>")
    (folder / "cut.jpg").write_bytes((folder / "good.jpg").read_bytes()[:20])
    (folder / "dead.gif").symlink_to(folder / "gone.gif")
    with pytest.raises(
        FolderError, match=r"4 of 5 image files .*: cut\.jpg, dead\.gif, empty\.jpg and 1 more.*--skip-bad"
    ):
        index_folder(folder, folder / "images.parquet")
    index = index_folder(folder, folder / "images.parquet", skip_bad=True)
    assert index.images.image_id.tolist() == ["good.jpg"]
    assert index.bad == ("cut.jpg", "dead.gif", "empty.jpg", "page.png")


def test_a_folder_without_images_is_refused(folder: Path) -> None:
    with pytest.raises(FolderError, match="no such folder"):
        index_folder(folder, folder / "images.parquet")
    folder.mkdir()
    with pytest.raises(FolderError, match=r"no images \(\.bmp, .*\) in it or below, no files"):
        index_folder(folder, folder / "images.parquet")
    (folder / "notes.txt").touch()
    with pytest.raises(FolderError, match="1 other files"):
        index_folder(folder, folder / "images.parquet")
    with pytest.raises(FolderError, match="not a folder"):
        index_folder(folder / "notes.txt", folder / "images.parquet")


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


def test_more_classes_than_an_id_can_hold_have_names_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simtool.datasets.folder.MOST_CLASSES", 1)
    photograph(folder / "a" / "x.jpg")
    photograph(folder / "b" / "x.jpg")
    images = index_folder(folder, folder / "images.parquet").images
    assert (images.class_id.tolist(), images.class_name.tolist()) == ([-1, -1], ["a", "b"])


def test_birds16_is_208_images_of_16_species_in_4_families(birds16: Path, tmp_path: Path) -> None:
    index = index_folder(birds16 / "images", tmp_path / "images.parquet")
    assert (len(index.images), index.others) == (208, 0)
    assert index.images.image_id[0] == "Bird/Cardinalidae/Blue_Grosbeak/Blue_Grosbeak_0002_36648.jpg"
    assert (len(set(index.images.class_id)), len(set(index.images.group_name))) == (16, 4)
    assert all(path.is_file() for path in image_paths(tmp_path / "images.parquet", index.images))
