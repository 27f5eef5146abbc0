"""What the commands that train a network have in common."""

from __future__ import annotations

import json
from pathlib import Path

from simtool.commands.options import identity_of
from simtool.tables.images import read_images
from simtool.tables.provenance import sha256_of
from simtool.training.folder import TRAINING
from tests.photographs import write_table


def test_a_training_goes_on_after_the_table_of_the_same_images_was_written_again(tmp_path: Path) -> None:
    images = write_table(tmp_path, 3)
    first, before = identity_of(images, read_images(images), tmp_path / "model"), images.read_bytes()
    images.write_bytes(before[:-8].replace(b'"created_at": "2', b'"created_at": "1') + before[-8:])
    assert images.read_bytes() != before
    assert identity_of(images, read_images(images), tmp_path / "model") == first


def test_a_training_does_not_go_on_with_another_photograph_or_class(tmp_path: Path) -> None:
    images = write_table(tmp_path, 3, class_name=["x", "x", "y"])
    first = identity_of(images, read_images(images), tmp_path / "model")
    write_table(tmp_path, 3, class_name=["x", "y", "y"])
    assert identity_of(images, read_images(images), tmp_path / "model") != first
    write_table(tmp_path, 3, class_name=["x", "x", "y"])
    assert identity_of(images, read_images(images), tmp_path / "model") == first
    photograph = bytearray((tmp_path / "photographs" / "1.jpg").read_bytes())
    photograph[-10] ^= 1
    (tmp_path / "photographs" / "1.jpg").write_bytes(photograph)
    assert identity_of(images, read_images(images), tmp_path / "model") != first


def test_a_training_that_knows_the_hash_of_its_table_goes_on_with_that_table(tmp_path: Path) -> None:
    images, folder = write_table(tmp_path, 3), tmp_path / "model" / TRAINING
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text(json.dumps({"table": sha256_of(images)}))
    assert identity_of(images, read_images(images), tmp_path / "model") == sha256_of(images)
    (folder / "settings.json").write_text(json.dumps({"table": "another"}))
    assert identity_of(images, read_images(images), tmp_path / "model") != sha256_of(images)
