"""Deterministic operations change no weight on a processor, and both networks can be trained with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simtool import stages
from simtool.models.folder import read_manifest
from simtool.tensorflow import load_tensorflow
from tests.photographs import write_table

FLOW = {"size": 8, "levels": 2, "steps": 1, "width": 4, "initial_images": 6}
CLASSIFIER = {"size": 16}
COMMON = {"preset": "tiny", "epochs": 1, "batch_size": 4, "validation": "none"}


@pytest.fixture(autouse=True)
def _not_later() -> Iterator[None]:
    """Deterministic operations in the tests here only."""
    load_tensorflow()
    from tensorflow.python.framework.config import disable_op_determinism, is_op_determinism_enabled

    assert not is_op_determinism_enabled()
    yield
    disable_op_determinism()


@pytest.mark.parametrize(("name", "changes"), [("train_glow", FLOW), ("train_resnet", CLASSIFIER)])
def test_a_processor_trains_the_same_weights_with_and_without_it(
    name: str, changes: dict[str, object], tmp_path: Path
) -> None:
    from tensorflow.python.framework.config import is_op_determinism_enabled

    images = write_table(tmp_path, 8, class_id=[0, 1] * 4, class_name=["wren", "robin"] * 4)
    for out, deterministic in (("free", False), ("fixed", True)):
        train = getattr(stages, name)
        train(images, tmp_path / out, **COMMON, **changes, deterministic=deterministic)
        assert is_op_determinism_enabled() is deterministic
    free, fixed = (read_manifest(tmp_path / out) for out in ("free", "fixed"))
    assert free.weights == fixed.weights
