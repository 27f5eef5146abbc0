"""The training loop keeps the best weights, stops for a reason, and resumes without a difference."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.models.errors import ModelError
from simtool.models.folder import read_manifest
from simtool.system.cuda import Gpu
from simtool.system.space import SpaceError
from simtool.training.checkpoints import Checkpoints
from simtool.training.data import Batch
from simtool.training.devices import ALONE, Devices, Worker, open_devices
from simtool.training.evaluation import Evaluation
from simtool.training.loop import train
from simtool.training.optimizer import layer_precision
from simtool.training.outcome import Diverged, Preempted, Result, TrainingError
from simtool.training.settings import Precision, Schedule, Settings, learning_rates
from simtool.training.step import Step
from simtool.training.task import Task
from tests.training.tiny import CLOCK, Classifier, Coupling, TinyData, weights

SETTINGS = Settings(epochs=3, batch_size=8, learning_rate=0.02, ema=0.8, warmup_steps=3, clip_norm=1.0)


@pytest.fixture(scope="module")
def devices() -> Devices:
    return open_devices()


class Signalling(TinyData):
    """Data that once sends this process a signal, before the batch of a step or before a validation batch."""

    def __init__(self, step: int | None = None, validation: int | None = None, number: int = signal.SIGTERM) -> None:
        super().__init__()
        self.step, self.validation_batch, self.number = step, validation, number

    def batches(self, epoch: int, start: int, worker: Worker) -> Iterator[Batch]:
        for step, batch in enumerate(super().batches(epoch, start, worker), epoch * self.steps_per_epoch + start):
            if step == self.step:
                self.step = None
                os.kill(os.getpid(), self.number)
            yield batch

    def validation(self, worker: Worker) -> Iterator[Batch]:
        for index, batch in enumerate(super().validation(worker)):
            if index == self.validation_batch:
                self.validation_batch = None
                os.kill(os.getpid(), self.number)
            yield batch


def same(one: Task, other: Task) -> bool:
    return [array.tobytes() for array in weights(one)] == [array.tobytes() for array in weights(other)]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "training" / "log.csv").open() as file:
        return [{k: v for k, v in row.items() if k not in CLOCK} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def whole(devices: Devices, tmp_path_factory: pytest.TempPathFactory) -> tuple[Task, Result, Path]:
    """A training that was never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    task = Classifier()
    return task, train(task, TinyData(), SETTINGS, folder, devices), folder


def test_it_learns(whole: tuple[Task, Result, Path]) -> None:
    _, result, _ = whole
    assert (result.reason, result.epochs, result.steps, result.new_steps) == ("epochs", 3, 18, 18)
    assert result.history[-1]["loss"] < 0.8 * result.history[0]["loss"]
    assert result.best_value == max(row["val_accuracy"] for row in result.history)


class SlowData(TinyData):
    """Batches that take longer than a step."""

    def batches(self, epoch: int, start: int, worker: Worker) -> Iterator[Batch]:
        for batch in super().batches(epoch, start, worker):
            time.sleep(0.05)
            yield batch


def test_the_log_tells_the_share_of_the_time_in_which_batches_are_prepared(devices: Devices, tmp_path: Path) -> None:
    history = train(Classifier(), SlowData(), SETTINGS, tmp_path, devices).history
    for before, row in pairwise(history):
        # At least six pauses of 0.05 s; both numbers are rounded.
        assert row["waiting"] * (row["time"] - before["time"]) > 0.28
        assert row["waiting"] <= 1


def test_the_weights_to_keep_are_the_averaged_ones_of_the_best_epoch(
    whole: tuple[Task, Result, Path], devices: Devices
) -> None:
    task, result, _ = whole
    evaluation = Evaluation(task, TinyData(), devices, SETTINGS)
    assert evaluation.means(lambda: None)["loss"] == result.history[result.best_epoch - 1]["val_loss"]


def test_a_complete_training_is_not_trained_again(whole: tuple[Task, Result, Path], devices: Devices) -> None:
    task, result, folder = whole
    again = Classifier(seed=9)
    found = train(again, TinyData(), SETTINGS, folder, devices)
    assert (found.new_steps, found.reason) == (0, "epochs")
    assert found.history == result.history
    assert same(again, task)


@pytest.mark.parametrize("schedule", ["constant", "cosine-restarts"])
def test_more_epochs_end_with_the_weights_of_one_training_where_rates_do_not_depend_on_their_number(
    devices: Devices, tmp_path: Path, schedule: Schedule
) -> None:
    settings = SETTINGS.changed(schedule=schedule, first_period=1.5)
    longer, task = Classifier(), Classifier(seed=9)
    train(longer, TinyData(), settings.changed(epochs=5), tmp_path / "longer", devices)
    train(Classifier(), TinyData(), settings.changed(epochs=2), tmp_path / "more", devices)
    result = train(task, TinyData(), settings.changed(epochs=5), tmp_path / "more", devices)
    assert (result.epochs, result.new_steps, result.reason) == (5, 18, "epochs")
    assert same(task, longer)
    assert rows(tmp_path / "more") == rows(tmp_path / "longer")
    assert json.loads((tmp_path / "more" / "training" / "settings.json").read_text())["extended"] == [2]


def test_more_epochs_follow_the_longer_cosine_from_where_they_begin(
    devices: Devices, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = SETTINGS.changed(schedule="cosine", epochs=2)
    train(Classifier(), TinyData(), settings, tmp_path, devices)
    capsys.readouterr()
    with pytest.raises(Preempted):
        train(Classifier(), Signalling(20), settings.changed(epochs=4), tmp_path, devices)
    told = " ".join(capsys.readouterr().err.split())
    assert "this training had 2 epochs, and now has 4; the learning rate follows the longer cosine" in told
    train(Classifier(), TinyData(), settings.changed(epochs=5), tmp_path, devices)
    found = [float(row["learning_rate"]) for row in rows(tmp_path)]
    # Each epoch has six steps; its row has the rate of the last of them.
    expected = [learning_rates(settings.changed(epochs=epochs), 6)(step) for epochs, step in [(2, 5), (2, 11), (4, 17)]]
    assert found[:3] == expected
    assert found[4] == learning_rates(settings.changed(epochs=5), 6)(29)
    assert json.loads((tmp_path / "training" / "settings.json").read_text())["extended"] == [2, 4]


def test_fewer_epochs_are_another_training(devices: Devices, tmp_path: Path) -> None:
    train(Classifier(), TinyData(), SETTINGS.changed(epochs=2), tmp_path, devices)
    with pytest.raises(TrainingError, match=r"settings differ from the checkpoint: settings\.epochs was 2, is 1"):
        train(Classifier(), TinyData(), SETTINGS.changed(epochs=1), tmp_path, devices)


@pytest.mark.parametrize("restart", [True, False])
def test_an_older_model_does_not_pass_for_the_one_that_is_trained(
    devices: Devices, tmp_path: Path, restart: bool
) -> None:
    """A training that restarts, or gets more epochs, is stopped."""
    train(Classifier(), TinyData(), SETTINGS.changed(epochs=2), tmp_path, devices)
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(TrainingError, match="cannot resume: settings differ from the checkpoint"):
        train(Classifier(), TinyData(), SETTINGS.changed(seed=2), tmp_path, devices)
    assert (tmp_path / "model.json").exists()
    with pytest.raises(Preempted):
        train(Classifier(), Signalling(14 - 12 * restart), SETTINGS, tmp_path, devices, restart=restart)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model-before.json", "training"]
    with pytest.raises(ModelError, match=r"its training is not complete; .*model-before\.json in it describes"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("step", [0, 3, 11, 17])
def test_a_training_that_was_stopped_ends_with_the_same_weights(
    whole: tuple[Task, Result, Path], devices: Devices, tmp_path: Path, step: int
) -> None:
    with pytest.raises(Preempted, match=r"stopped by SIGTERM after step \d+; everything is saved"):
        train(Classifier(), Signalling(step), SETTINGS, tmp_path, devices)
    task = Classifier(seed=9)
    result = train(task, TinyData(), SETTINGS, tmp_path, devices)
    assert result.steps == 18
    assert 0 < result.new_steps <= 18 - step
    assert same(task, whole[0])
    assert rows(tmp_path) == rows(whole[2])


def test_a_training_that_was_stopped_while_it_evaluated_evaluates_again(
    whole: tuple[Task, Result, Path], devices: Devices, tmp_path: Path
) -> None:
    with pytest.raises(Preempted, match="after step 6"):
        train(Classifier(), Signalling(validation=1, number=signal.SIGINT), SETTINGS, tmp_path, devices)
    task = Classifier(seed=9)
    assert train(task, TinyData(), SETTINGS, tmp_path, devices).new_steps == 12
    assert same(task, whole[0])
    assert rows(tmp_path) == rows(whole[2])


def test_other_settings_are_refused_and_named(whole: tuple[Task, Result, Path], devices: Devices) -> None:
    with pytest.raises(TrainingError, match=r"settings\.learning_rate was 0\.02, is 0\.1; .*--restart"):
        train(Classifier(), TinyData(), SETTINGS.changed(learning_rate=0.1), whole[2], devices)
    with pytest.raises(TrainingError, match=r"width was not set, is 3"):
        train(Classifier(), TinyData(), SETTINGS, whole[2], devices, configuration={"width": 3})


def test_another_network_is_refused(whole: tuple[Task, Result, Path], devices: Devices) -> None:
    with pytest.raises(TrainingError, match=r"has the shape .*, the network expects .*; --restart begins again"):
        train(Coupling(), TinyData(), SETTINGS, whole[2], devices)


def test_restart_begins_again(devices: Devices, tmp_path: Path) -> None:
    train(Coupling(), TinyData(), SETTINGS.changed(illustrate_every=1), tmp_path, devices)
    result = train(Coupling(), TinyData(), SETTINGS.changed(epochs=1), tmp_path, devices, restart=True)
    assert (result.steps, result.new_steps) == (6, 6)
    assert not (tmp_path / "training" / "pictures").exists()


def test_the_resolved_settings_are_written_down(whole: tuple[Task, Result, Path]) -> None:
    content = json.loads((whole[2] / "training" / "settings.json").read_text())
    assert Settings.from_json(content["settings"]) == SETTINGS


def test_a_training_that_resumes_on_another_device_says_so_and_records_both(
    devices: Devices, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert devices.device is not None
    first = replace(devices, device=replace(devices.device, gpus=(Gpu("NVIDIA A100", 80 * 10**9),)))
    with pytest.raises(Preempted):
        train(Classifier(), Signalling(step=4), SETTINGS, tmp_path, first)
    capsys.readouterr()
    with pytest.raises(Preempted):
        train(Classifier(), Signalling(step=9), SETTINGS, tmp_path, devices)
    graphics = "1 GPU NVIDIA A100 (float32, TF32 off), deterministic"
    assert f"this training ran on {graphics} up to step 4, and now runs on CPU" in capsys.readouterr().err
    train(Classifier(), TinyData(), SETTINGS.changed(deterministic=True), tmp_path, devices)
    assert "another device" not in capsys.readouterr().err
    assert json.loads((tmp_path / "training" / "settings.json").read_text())["devices"] == [
        {"step": 0, "device": graphics},
        {"step": 4, "device": devices.words("float32", memory=False)},
    ]


def test_a_damaged_checkpoint_costs_only_the_steps_after_the_one_before(
    whole: tuple[Task, Result, Path], devices: Devices, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Preempted):
        train(Classifier(), Signalling(15), SETTINGS, tmp_path, devices)
    newest = Checkpoints(tmp_path / "training" / "checkpoints").files()[0]
    newest.write_bytes(newest.read_bytes()[:-3000])
    task = Classifier(seed=9)
    assert train(task, TinyData(), SETTINGS, tmp_path, devices).new_steps == 6
    assert "damaged" in capsys.readouterr().err
    assert same(task, whole[0])
    assert rows(tmp_path) == rows(whole[2])


def test_data_sets_the_weights_before_the_first_step(devices: Devices, tmp_path: Path) -> None:
    task = Coupling()
    with pytest.raises(Preempted, match="after step 1"):
        train(task, Signalling(0), SETTINGS.changed(learning_rate=1e-9), tmp_path, devices)
    image = next(TinyData().batches(0, 0, ALONE))["image"]
    assert task.shift.numpy() == pytest.approx(-image.reshape(-1, 108).mean(axis=0), abs=1e-6)


def test_a_few_bad_steps_are_skipped_and_counted(devices: Devices, tmp_path: Path) -> None:
    data = TinyData(bad_steps=(4, 5, 6, 12))
    task = Classifier()
    result = train(task, data, SETTINGS.changed(max_skipped=3), tmp_path, devices)
    assert [row["skipped"] for row in result.history] == [2, 3, 4]
    assert all(np.isfinite(array).all() for array in weights(task))
    assert np.isfinite(result.history[0]["loss"])


def test_many_bad_steps_in_a_row_stop_the_training_with_the_best_weights(devices: Devices, tmp_path: Path) -> None:
    task = Classifier()
    with pytest.raises(
        Diverged, match=r"not finite in 3 steps in a row, up to step 12; the weights of epoch 1"
    ) as found:
        train(task, TinyData(bad_steps=(9, 10, 11)), SETTINGS.changed(max_skipped=2), tmp_path, devices)
    result = found.value.result
    assert result is not None
    assert result.best_epoch == 1
    assert Evaluation(task, TinyData(), devices, SETTINGS).means(lambda: None)["loss"] == result.history[0]["val_loss"]
    assert Checkpoints(tmp_path / "training" / "checkpoints").files()[0].name == "step-000000006.npz"


def test_before_the_first_epoch_there_is_nothing_to_keep(devices: Devices, tmp_path: Path) -> None:
    with pytest.raises(Diverged, match="no epoch was complete before") as found:
        train(Classifier(), TinyData(bad_steps=(0,)), SETTINGS.changed(max_skipped=0), tmp_path, devices)
    assert found.value.result is None


def test_an_unhealthy_model_stops_the_training_with_the_reason(devices: Devices, tmp_path: Path) -> None:
    task = Coupling(sick_after=2)
    with pytest.raises(Diverged, match=r"stopped: the round trip is off by 3\.1, after step 18; the weights of epoch"):
        train(task, TinyData(), SETTINGS, tmp_path, devices)
    assert [row["epoch"] for row in rows(tmp_path)] == ["1", "2"]
    assert float(rows(tmp_path)[0]["round_trip"]) == 8e-6


def test_float16_lowers_its_scale_before_it_gives_up(devices: Devices, tmp_path: Path) -> None:
    settings = SETTINGS.changed(precision="float16", max_skipped=0, epochs=4)
    with pytest.raises(Diverged, match=r"in 1 steps in a row, up to step 16"):
        train(Classifier(), TinyData(bad_steps=tuple(range(24))), settings, tmp_path, devices)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_layers_of_lower_precision_learn_too(
    devices: Devices, tmp_path: Path, precision: Precision, whole: tuple[Task, Result, Path]
) -> None:
    with devices.scope(), layer_precision(precision):
        task = Classifier()
    result = train(task, TinyData(), SETTINGS.changed(precision=precision), tmp_path, devices)
    assert result.history[-1]["skipped"] == 0
    assert result.history[-1]["loss"] == pytest.approx(whole[1].history[-1]["loss"], rel=0.05)
    assert result.history[-1]["loss"] != whole[1].history[-1]["loss"]


def test_an_overflow_skips_its_step_and_halves_the_scale_which_a_resumed_training_continues(
    devices: Devices, tmp_path: Path
) -> None:
    settings = SETTINGS.changed(precision="float16", epochs=2, accumulate=2)

    def run(folder: Path, step: int | None) -> Task:
        data = Signalling(step=step)
        data.bad_steps = (2, 7)
        with devices.scope(), layer_precision("float16"):
            task = Classifier()
        train(task, data, settings, folder, devices)
        return task

    expected = run(tmp_path / "whole", None)
    with pytest.raises(Preempted):
        run(tmp_path / "stopped", 5)
    states: list[dict[str, Any]] = []

    def load(header: dict[str, Any], arrays: Any) -> int:
        del arrays
        states.append(header["state"])
        return int(header["state"]["step"])

    Checkpoints(tmp_path / "stopped" / "training" / "checkpoints").restore(load)
    assert states[0]["scale"] == {"value": 2.0**14, "good": states[0]["step"] - 3, "dynamic": True}
    assert states[0]["skipped"] == 1
    assert same(expected, run(tmp_path / "stopped", None))
    assert rows(tmp_path / "stopped") == rows(tmp_path / "whole")
    assert rows(tmp_path / "whole")[-1]["skipped"] == "2"


def test_early_stopping_waits_for_its_patience(devices: Devices, tmp_path: Path) -> None:
    settings = SETTINGS.changed(epochs=50, early_stop=2, learning_rate=0.05, ema=0.0)
    result = train(Coupling(), TinyData(), settings, tmp_path, devices)
    assert result.reason == "early stop"
    assert result.epochs == result.best_epoch + 2 < 50
    assert min(row["val_nats"] for row in result.history) == result.best_value


def test_when_time_is_up_the_training_ends_properly(
    devices: Devices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: tuple[Task, Result, Path]
) -> None:
    clock = [0.0]

    def tick() -> float:
        clock[0] += 1.0
        return clock[0]

    monkeypatch.setattr(time, "monotonic", tick)
    short = SETTINGS.changed(max_minutes=0.5, checkpoint_minutes=0)
    result = train(Classifier(), TinyData(), short, tmp_path, devices)
    assert result.reason == "time"
    assert 0 < result.steps < 18
    assert "val_accuracy" in result.history[-1]
    assert train(Classifier(), TinyData(), short, tmp_path, devices).new_steps == 0
    task = Classifier(seed=9)
    longer = train(task, TinyData(), short.changed(max_minutes=100), tmp_path, devices)
    assert (longer.reason, longer.steps) == ("epochs", 18)
    assert longer.history[-1]["val_loss"] == whole[1].history[-1]["val_loss"]


def test_without_a_validation_set_the_last_weights_are_kept(devices: Devices, tmp_path: Path) -> None:
    result = train(Classifier(), TinyData(held_out=0), SETTINGS, tmp_path, devices)
    assert (result.reason, result.best_epoch) == ("epochs", 0)


def test_sample_images_are_drawn_when_they_are_due(devices: Devices, tmp_path: Path) -> None:
    train(Coupling(), TinyData(), SETTINGS.changed(epochs=4, illustrate_every=2), tmp_path, devices)
    assert sorted(path.name for path in (tmp_path / "training" / "pictures").iterdir()) == [
        "step-000012.txt",
        "step-000024.txt",
    ]


def test_evaluations_are_as_rare_as_asked(devices: Devices, tmp_path: Path) -> None:
    train(Coupling(), TinyData(), SETTINGS.changed(evaluate_every=2), tmp_path, devices)
    assert [bool(row["val_nats"]) for row in rows(tmp_path)] == [False, True, True]


def test_checkpoints_come_as_often_as_asked(devices: Devices, tmp_path: Path) -> None:
    class Dying(TinyData):
        def batches(self, epoch: int, start: int, worker: Worker) -> Iterator[Batch]:
            for step, batch in enumerate(super().batches(epoch, start, worker), epoch * self.steps_per_epoch + start):
                if step == 11:
                    raise KeyboardInterrupt
                yield batch

    with pytest.raises(KeyboardInterrupt):
        train(Coupling(), Dying(), SETTINGS.changed(checkpoint_steps=4), tmp_path, devices)
    steps = [path.name for path in Checkpoints(tmp_path / "training" / "checkpoints").files()]
    assert steps == ["step-000000010.npz", "step-000000006.npz"]


def test_a_full_disk_keeps_the_checkpoint_before(
    devices: Devices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: tuple[Task, Result, Path]
) -> None:
    real, left = np.lib.format.write_array, [200]

    def write(file: Any, array: NDArray[Any], **options: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(file, array, **options)

    monkeypatch.setattr(np.lib.format, "write_array", write)
    with pytest.raises(SpaceError, match=r"step-0+\d+\.npz: the disk is full \(the file needs .*B\); free some space"):
        train(Classifier(), TinyData(), SETTINGS.changed(checkpoint_steps=2), tmp_path, devices)
    monkeypatch.setattr(np.lib.format, "write_array", real)
    task = Classifier(seed=9)
    assert 0 < train(task, TinyData(), SETTINGS, tmp_path, devices).new_steps < 18
    assert same(task, whole[0])


def test_data_that_ends_early_is_an_error(devices: Devices, tmp_path: Path) -> None:
    class Ending(TinyData):
        def batches(self, epoch: int, start: int, worker: Worker) -> Iterator[Batch]:
            yield from list(super().batches(epoch, start, worker))[:-2]

    with pytest.raises(TrainingError, match="the data gave 4 of the 6 batches of epoch 1"):
        train(Coupling(), Ending(), SETTINGS, tmp_path, devices)


def test_a_batch_without_examples_is_an_error(devices: Devices, tmp_path: Path) -> None:
    data = TinyData()
    data.steps_per_epoch = 7
    with pytest.raises(TrainingError, match="the batch of step 7 has no examples"):
        train(Coupling(), data, SETTINGS, tmp_path, devices)


def test_a_criterion_that_is_not_evaluated_is_an_error(devices: Devices, tmp_path: Path) -> None:
    class Careless(Classifier):
        def evaluate(self, *arguments: Any) -> dict[str, Any]:
            return {"loss": super().evaluate(*arguments)["loss"]}

    with pytest.raises(TrainingError, match="the evaluation gives loss, not accuracy"):
        train(Careless(), TinyData(), SETTINGS, tmp_path, devices)


def test_a_training_may_resume_in_other_parts_and_ends_like_one_of_whole_batches(
    devices: Devices, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, divided = Coupling(), Coupling()
    expected = train(whole, TinyData(examples=44), SETTINGS, tmp_path / "whole", devices)
    data = Signalling(step=9)
    data._train = TinyData(examples=44)._train
    with pytest.raises(Preempted):
        train(Coupling(), data, SETTINGS.changed(accumulate=4), tmp_path / "divided", devices)
    capsys.readouterr()
    found = train(divided, TinyData(examples=44), SETTINGS.changed(accumulate=2), tmp_path / "divided", devices)
    assert "(float32, batches in 2 parts)" in capsys.readouterr().err
    for one, other in zip(weights(whole), weights(divided), strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-5)
    assert [row["val_nats"] for row in found.history] == pytest.approx([row["val_nats"] for row in expected.history])


def test_too_little_memory_says_what_to_do(devices: Devices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    def refuse(*arguments: Any) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(Step, "start", refuse)
    with pytest.raises(
        TrainingError, match=r"not enough memory for batches of 8 in 1 part on 1 device; compute .* with --accumulate"
    ):
        train(Coupling(), TinyData(), SETTINGS, tmp_path, devices)
