"""Both networks can be trained with deterministic operations, which refuse random numbers without a seed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simtool import stages
from simtool.device import open_device
from simtool.tensorflow import load_tensorflow
from tests.photographs import write_table

FLOW = {"size": 8, "levels": 2, "steps": 1, "width": 4, "initial_images": 6}
CLASSIFIER = {"size": 16}
COMMON = {"preset": "tiny", "epochs": 1, "batch_size": 4, "validation": "none"}


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Other operations again after the test."""
    load_tensorflow()
    from tensorflow.python.framework.config import disable_op_determinism

    yield
    disable_op_determinism()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "changes"), [("train_glow", FLOW), ("train_resnet", CLASSIFIER)])
def test_a_training_needs_no_operation_without_a_deterministic_form(
    name: str, changes: dict[str, object], tmp_path: Path
) -> None:
    load_tensorflow().config.experimental.enable_op_determinism()
    images = write_table(tmp_path, 8, class_id=[0, 1] * 4, class_name=["wren", "robin"] * 4)
    trained = getattr(stages, name)(images, tmp_path / "model", **COMMON, **changes, deterministic=True)
    assert trained.result.steps == 2


def test_a_processor_keeps_its_operations() -> None:
    from tensorflow.python.framework.config import is_op_determinism_enabled

    if load_tensorflow().config.list_physical_devices("GPU"):
        pytest.skip("needs a machine without a GPU")
    assert open_device(deterministic=True).deterministic
    assert not is_op_determinism_enabled()
