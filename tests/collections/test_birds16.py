from __future__ import annotations

import csv
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from simtool.archive import ArchiveError
from simtool.collections import birds16 as birds
from simtool.collections.birds16 import Birds16Error
from simtool.collections.folder import index_folder
from simtool.ids import match_ids
from simtool.judgments.importing import import_judgments
from simtool.judgments.psiz.documents import judgments_in
from simtool.tables.images import Images, write_images
from simtool.tables.provenance import Provenance, sha256_of
from tests.studies import (
    IMAGES,
    write,
    write_photographs,
    zipped,
)

NAMES = np.array([name.removeprefix("Bird/") for name in IMAGES], object)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return write_photographs(tmp_path / "photographs")


def test_photographs_take_their_places_from_whatever_folders(tmp_path: Path, photographs: Path) -> None:
    tar = tmp_path / "photographs.tar.gz"
    with tarfile.open(tar, "w:gz") as archive:
        archive.add(photographs, "some/where")
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in photographs.rglob("*.jpg"):
        (flat / file.name).write_bytes(file.read_bytes())
    (flat / "other.jpg").write_bytes(b"not one of them")
    zip_file = write(tmp_path / "photographs.zip", zipped(photographs, "birds_16/"))
    for number, source in enumerate((photographs, flat, tar, zip_file)):
        folder = tmp_path / str(number)
        assert not birds.are_placed(NAMES, folder)
        birds.place_photographs(source, NAMES, folder)
        assert birds.are_placed(NAMES, folder)
        assert sorted(file.relative_to(folder / "images").as_posix() for file in folder.rglob("*.jpg")) == sorted(
            IMAGES
        )
        for name in IMAGES:
            assert (folder / "images" / name).read_bytes() == (photographs / name).read_bytes()
        assert birds.placed_ids(NAMES).tolist() == list(IMAGES)


def test_placing_photographs_where_they_are_leaves_them(tmp_path: Path, photographs: Path) -> None:
    photographs.rename(tmp_path / "images")
    before = {name: (tmp_path / "images" / name).stat().st_ino for name in IMAGES}
    birds.place_photographs(tmp_path / "images", NAMES, tmp_path)
    assert {name: (tmp_path / "images" / name).stat().st_ino for name in IMAGES} == before


def test_missing_and_repeated_photographs_are_refused_before_anything_is_written(
    tmp_path: Path, photographs: Path
) -> None:
    (photographs / "thumbnails").mkdir()
    (photographs / "thumbnails" / Path(IMAGES[0]).name).write_bytes(b"small")
    with pytest.raises(Birds16Error, match="41 files have the names of 40 photographs"):
        birds.place_photographs(photographs, NAMES, tmp_path / "out")
    (photographs / IMAGES[0]).unlink()
    (photographs / IMAGES[1]).unlink()
    with pytest.raises(Birds16Error, match=r"1 of 40 photographs are missing: bird_0007\.jpg"):
        birds.place_photographs(photographs, NAMES, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_without_family_and_species_have_no_place() -> None:
    with pytest.raises(Birds16Error, match=r"do not end in family/species/file: x\.jpg"):
        birds.placed_ids(np.array(["x.jpg"], object))


def test_other_images_beside_the_photographs_are_not_indexed(tmp_path: Path, photographs: Path) -> None:
    birds.place_photographs(photographs, NAMES, tmp_path)
    write_photographs(tmp_path / "images" / "more")
    images = birds.index_placed(NAMES, tmp_path, tmp_path / "images.parquet")
    assert sorted(images.image_id) == sorted(IMAGES)
    assert set(images.group_name) == {"Family_0", "Family_1"}


def test_a_table_of_other_images_is_not_overwritten(tmp_path: Path) -> None:
    table = tmp_path / "images.parquet"
    birds.require_replaceable(table, NAMES)
    write_images(table, Images.build(list(IMAGES), list(IMAGES)), Provenance.of([], []))
    birds.require_replaceable(table, NAMES)
    write_images(table, Images.build([*IMAGES, "a", "b"], [*IMAGES, "a", "b"]), Provenance.of([], []))
    with pytest.raises(Birds16Error, match=r"lists 2 other images and would be overwritten.*--images"):
        birds.require_replaceable(table, NAMES)


def _cub(birds16: Path, folder: Path) -> tuple[Images, Path]:
    """The available originals of the 208 photographs of CUB. The altered photographs get other bytes."""
    with (birds16 / "catalog.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        place, seen = folder / row["cub_path"], birds16 / "images" / row["filepath"]
        place.parent.mkdir(parents=True, exist_ok=True)
        if row["differs_from_cub_bytes"] == "1":
            place.write_bytes(seen.read_bytes() + b"as CUB has it")
        else:
            place.symlink_to(seen)
    paths = [row["cub_path"] for row in rows]
    return Images.build(paths, paths), folder / "images.parquet"


def test_the_seven_altered_photographs_of_birds16_are_named_if_cub_replaces_them(birds16: Path, tmp_path: Path) -> None:
    images, table = _cub(birds16, tmp_path)
    with (birds16 / "catalog.csv").open(newline="") as file:
        differing = [row["cub_path"] for row in csv.DictReader(file) if row["differs_from_cub_bytes"] == "1"]
    assert sorted(birds.altered(images, table, images.image_id)) == sorted(differing)
    assert len(differing) == 7
    assert birds.altered(images, table, images.image_id[images.image_id != differing[0]]) == differing[1:]


def test_where_the_photographs_are_those_that_people_saw_none_is_told(birds16: Path, tmp_path: Path) -> None:
    index = index_folder(birds16 / "images", tmp_path / "images.parquet")
    assert birds.altered(index.images, tmp_path / "images.parquet", index.images.image_id) == []
    assert all(
        sha256_of(next((birds16 / "images").rglob(name))) == checksum for name, checksum in birds.ALTERED.items()
    )


def test_the_judgments_of_birds16_join_cub_by_file_name(birds16: Path, tmp_path: Path) -> None:
    images, _ = _cub(birds16, tmp_path)
    assert birds.holds_photographs(birds16)
    found = judgments_in(birds16)
    assert found is not None
    assert found[0] == birds16 / "obs_v0.6.0.hdf5"
    trials = import_judgments(found[0], catalog=found[1]).judgments.trials
    assert len(trials) == 16_292
    matched = images.image_id[match_ids(trials.images, images.image_id).rows]
    assert set(matched) == set(images.image_id)
    assert [Path(name).name for name in matched] == [Path(name).name for name in trials.images]


def test_a_truncated_archive_changes_nothing(tmp_path: Path, photographs: Path) -> None:
    content = zipped(photographs)
    cut = write(tmp_path / "cut.zip", content[:-100])
    with pytest.raises(ArchiveError, match="a zip archive, but truncated"):
        birds.place_photographs(cut, NAMES, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert io.BytesIO(content).read(4) == b"PK\x03\x04"
