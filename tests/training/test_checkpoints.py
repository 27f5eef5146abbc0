"""The two newest checkpoints are kept; if the newest is damaged, the one before it is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.models.classifier.config import ClassifierConfig
from simtool.models.flows.glow.presets import PRESETS
from simtool.tables.atomic import remove_leftovers
from simtool.training.arrays import ArraysError, read_arrays, read_header, write_arrays
from simtool.training.checkpoints import Checkpoints, check_same, differences, digest_of
from simtool.training.outcome import TrainingError


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints")


def save(checkpoints: Checkpoints, step: int, best: str = "") -> None:
    checkpoints.save(step, {"step": step}, [("x", np.full(1000, step))], best)


def load(header: dict[str, Any], arrays: Iterator[tuple[str, NDArray[Any]]]) -> tuple[int, int]:
    return header["step"], sum(int(array[0]) for _, array in arrays)


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_the_newest_is_restored(checkpoints: Checkpoints) -> None:
    assert checkpoints.restore(load) is None
    for step in (5, 10, 999, 1000):
        save(checkpoints, step)
    assert checkpoints.restore(load) == (1000, 1000)
    assert [path.name for path in checkpoints.files()] == ["step-000001000.npz", "step-000000999.npz"]


def test_a_damaged_one_gives_way_to_the_one_before(
    checkpoints: Checkpoints, capsys: pytest.CaptureFixture[str]
) -> None:
    save(checkpoints, 5)
    save(checkpoints, 10)
    damage(checkpoints.files()[0])
    assert checkpoints.restore(load) == (5, 5)
    assert "step-000000010.npz: damaged: Bad CRC-32" in (said := capsys.readouterr().err)
    assert said.endswith("resuming from step-000000005.npz\n")


def test_only_damaged_checkpoints_are_an_error(checkpoints: Checkpoints) -> None:
    save(checkpoints, 5)
    save(checkpoints, 10)
    for path in checkpoints.files():
        damage(path)
    with pytest.raises(ArraysError, match=r"step-000000005\.npz: damaged"):
        checkpoints.restore(load)


def test_a_new_checkpoint_clears_away_a_damaged_one(checkpoints: Checkpoints) -> None:
    for step in (5, 10, 15):
        save(checkpoints, step)
        checkpoints.files()[0].write_bytes(b"")
    save(checkpoints, 20)
    assert [path.name for path in checkpoints.files()] == ["step-000000020.npz", "step-000000015.npz"]


def test_best_weights_are_kept_as_long_as_a_checkpoint_refers_to_them(checkpoints: Checkpoints) -> None:
    write_arrays(checkpoints.best(5), {}, [("x", np.arange(5))])
    save(checkpoints, 5, checkpoints.best(5).name)
    write_arrays(checkpoints.best(10), {}, [("x", np.arange(10))])
    save(checkpoints, 10, checkpoints.best(10).name)
    assert [len(array) for _, array in read_arrays(checkpoints.best(5))] == [5]
    save(checkpoints, 15, checkpoints.best(10).name)
    assert sorted(path.name for path in checkpoints.folder.glob("best-*")) == ["best-000000010.npz"]


def test_another_worker_restores_the_same_checkpoint_as_the_first(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (5, 10):
        save(checkpoints, step)
    header = read_header(checkpoints.files()[1])
    assert checkpoints.restore_same(5, digest_of(header), load) == (5, 5)
    monkeypatch.setattr("simtool.system.shared._PATIENCE", 0.0)
    # A checkpoint of the same step with another state, and a step that is not there.
    for step, digest in ((5, digest_of(header | {"epoch": 2})), (15, digest_of(header))):
        with pytest.raises(TrainingError, match=rf"step-0000000{step:02}\.npz: the first worker sees this file"):
            checkpoints.restore_same(step, digest, load)


def test_at_no_moment_a_checkpoint_refers_to_removed_weights(checkpoints: Checkpoints) -> None:
    for step in (5, 10, 15):
        write_arrays(checkpoints.best(step), {}, [("x", np.arange(5))])
        save(checkpoints, step, checkpoints.best(step).name)
    write_arrays(checkpoints.best(20), {}, [("x", np.arange(5))])
    removed: list[str] = []
    remove = Path.unlink

    def noted(path: Path, missing_ok: bool = False) -> None:
        removed.append(path.name[:4])
        remove(path, missing_ok)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "unlink", noted)
        save(checkpoints, 20, checkpoints.best(20).name)
    assert [name for name in removed if not name.startswith(".")] == ["step", "best"]


def test_temporary_files_of_a_killed_process_are_removed(checkpoints: Checkpoints) -> None:
    save(checkpoints, 5)
    half = checkpoints.folder / ".step-000000010.npz.0a1b2c3d.tmp"
    half.write_bytes(b"half")
    remove_leftovers(checkpoints.folder)
    assert not half.exists()
    assert checkpoints.restore(load) == (5, 5)


def test_differences_are_named_with_both_values() -> None:
    then = {"settings": {"learning_rate": 0.1, "seed": 0}, "levels": [1, 2], "gone": 1}
    now = {"settings": {"learning_rate": 0.2, "seed": 0}, "levels": [1, 3], "added": True}
    assert differences(then, now) == [
        "added was not set, is True",
        "gone was 1, is not set",
        "levels[1] was 2, is 3",
        "settings.learning_rate was 0.1, is 0.2",
    ]


def test_tuples_equal_the_lists_that_they_become_in_json() -> None:
    assert differences({"shape": [1, 2]}, {"shape": (1, 2)}) == []


def test_a_setting_with_its_name_of_version_0_1_is_the_same_setting() -> None:
    then = {"model": {"arrangement": "study", "margin": 1.15}}
    assert differences(then, {"model": {"variant": "study", "decode_scale": 1.15}}) == []


def test_digests_of_images_are_not_shown() -> None:
    assert differences({"table": "0ab1"}, {"table": "7ef3"}) == [
        "the images are not the same (ids, classes, splits or files)"
    ]


def test_another_configuration_is_refused_with_what_differs(tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"cannot resume: settings differ from the checkpoint: width was 3, is 4; .* --restart"
    ):
        check_same({"width": 3}, {"width": 4}, tmp_path)


def test_a_training_of_another_kind_of_model_is_refused_as_such(tmp_path: Path) -> None:
    models = [config.to_json() for config in (PRESETS["tiny"].flow, ClassifierConfig())]
    for then, now in (models, models[::-1]):
        with pytest.raises(TrainingError, match="another kind of model; name another folder"):
            check_same({"model": then}, {"model": now}, tmp_path)
