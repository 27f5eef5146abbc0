from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from simtool.collections.layout import LayoutError, label

Row = tuple[str | None, str | None, str | None]


def labelled(*folders: str, layout: str = "auto") -> list[Row]:
    """Class, group and split of an image in each folder."""
    labels = label([PurePosixPath(folder) for folder in folders], layout)
    paths = [None if path is None else str(path) for path in labels.class_path]
    return list(zip(paths, labels.group, labels.split, strict=True))


@pytest.mark.parametrize(
    ("first", "second", "splits"),
    [
        ("train", "test", ("train", "test")),
        ("Train", "VAL", ("train", "validation")),
        ("training", "valid", ("train", "validation")),
        ("TRAINING", "testing", ("train", "test")),
        ("train_set", "validation-set", ("train", "validation")),
        ("train", "dev", ("train", "validation")),
        ("data/train", "data/test", ("train", "test")),
    ],
)
def test_folders_called_as_splits_are_splits(first: str, second: str, splits: tuple[str, str]) -> None:
    assert labelled(f"{first}/Wren", f"{first}/Tern", f"{second}/Wren") == [
        ("Wren", None, splits[0]),
        ("Tern", None, splits[0]),
        ("Wren", None, splits[1]),
    ]


def test_one_split_alone_is_a_split_where_classes_lie_in_it() -> None:
    assert labelled("train/Wren", "train/Tern") == [("Wren", None, "train"), ("Tern", None, "train")]


def test_groups_lie_between_splits_and_classes() -> None:
    assert labelled("train/Laridae/Tern", "test/Laridae/Gull", "test/Paridae/Tit") == [
        ("Laridae/Tern", "Laridae", "train"),
        ("Laridae/Gull", "Laridae", "test"),
        ("Paridae/Tit", "Paridae", "test"),
    ]


def test_splits_may_lie_in_the_classes() -> None:
    assert labelled("Wren/train", "Wren/test", "Tern/train") == [
        ("Wren", None, "train"),
        ("Wren", None, "test"),
        ("Tern", None, "train"),
    ]


def test_a_folder_called_images_is_no_class() -> None:
    assert labelled("Wren/images", "Tern/images") == [("Wren", None, None), ("Tern", None, None)]
    assert labelled("train/images", "test/images") == labelled("train", "test")


def test_splits_without_classes() -> None:
    assert labelled("train", "test") == [(None, None, "train"), (None, None, "test")]
    assert labelled("train/images", "test/images") == [(None, None, "train"), (None, None, "test")]


def test_folders_beside_the_splits_are_of_none() -> None:
    assert labelled("train/Wren", "test/Wren", "train/Tern", "extra")[-1] == ("extra", None, None)


@pytest.mark.parametrize("name", ["train", "test", "testing"])
def test_a_class_may_be_called_as_a_split_among_others(name: str) -> None:
    assert labelled(name, "bus", "car") == [(name, None, None), ("bus", None, None), ("car", None, None)]


@pytest.mark.parametrize("folder", ["images", "a/b", "train"])
def test_all_images_in_one_folder_have_no_class(folder: str) -> None:
    assert labelled(folder, folder) == [(None, None, None)] * 2


def test_a_folder_around_all_classes_is_no_group() -> None:
    assert labelled("images/Wren", "images/Tern") == [("images/Wren", None, None), ("images/Tern", None, None)]


def test_classes_of_one_name_in_two_groups_stay_two() -> None:
    assert labelled("a/red", "b/red") == [("a/red", "a", None), ("b/red", "b", None)]
    assert label([PurePosixPath("a/red"), PurePosixPath("b/red")]).note.startswith("2 classes: a/red, b/red; 2 groups")


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("flat", (None, None, None)),
        ("class", ("train/Laridae/Tern", None, None)),
        ("group/class", ("train/Laridae/Tern", "Laridae", None)),
        ("split/group/class", ("Laridae/Tern", "Laridae", "train")),
        ("split/other/class", ("Tern", None, "train")),
        ("split/class/other", ("Laridae", None, "train")),
        ("class/other", ("train/Laridae", None, None)),
        ("split", (None, None, "Tern")),
    ],
)
def test_a_layout_says_what_each_folder_is(layout: str, expected: Row) -> None:
    assert labelled("train/Laridae/Tern", layout=layout) == [expected]


def test_a_layout_applies_to_the_folders_that_exist() -> None:
    assert labelled("Tern", "", layout="split/class") == [("Tern", None, None), (None, None, None)]


@pytest.mark.parametrize("layout", ["species", "class/class", "", "class/", "flat/class"])
def test_what_is_no_layout_is_refused(layout: str) -> None:
    with pytest.raises(LayoutError, match=r"no layout is called .*; choose auto, flat, or a path such as group/class"):
        labelled("a", layout=layout)
