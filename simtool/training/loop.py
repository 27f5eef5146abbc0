"""The training loop: steps, an evaluation after each epoch, checkpoints, and the weights to keep."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool import console
from simtool.tables.atomic import discard_folder, remove_leftovers
from simtool.tensorflow import load_tensorflow, xla_reason
from simtool.text import counted
from simtool.training.arrays import ArraysError, assign_arrays, named, to_arrays, write_arrays
from simtool.training.checkpoints import Checkpoints, check_same, digest_of
from simtool.training.data import Batch, TrainingData, in_parts, replica_batches, step_seed
from simtool.training.devices import ALONE, Devices
from simtool.training.evaluation import Evaluation
from simtool.training.folder import TRAINING, set_aside
from simtool.training.logger import TrainingLogger
from simtool.training.optimizer import Optimizer
from simtool.training.outcome import Diverged, Preempted, Preemption, Result, TrainingError, WorkerLost
from simtool.training.settings import Settings, learning_rates
from simtool.training.state import LossScale, State
from simtool.training.step import Step, StepInputs, StepResult
from simtool.training.task import Task, Unhealthy

__all__ = ["train"]


class _Interrupted(Exception):  # noqa: N818 - the loop catches it
    """A signal arrived between two batches of an evaluation."""


def train(
    task: Task,
    data: TrainingData,
    settings: Settings,
    folder: Path,
    devices: Devices,
    configuration: Mapping[str, Any] | None = None,
    restart: bool = False,
    keep: Callable[[int], None] | None = None,
) -> Result:
    """Train until the training is complete, or resume a training that was stopped.

    Every worker calls this with the same arguments; the first worker writes the files and reports the progress. A
    resumed training ends with the same weights as a training that never stopped, bit for bit on the same device. The
    number of epochs may be larger than before; all other settings that affect the weights must be the same. An older
    model in the folder is set aside before the first new step.

    Args:
        task: the network and its loss; at the end its variables hold the weights to keep.
        data: the examples.
        settings: of the training.
        folder: the model folder; the training uses the folder ``training`` in it.
        devices: to train on.
        configuration: an object for JSON with other values that must be the same to resume (architecture, data).
        restart: remove an earlier training in this folder.
        keep: keeps the model of an epoch, whose weights the task's variables hold then; only the first worker calls it,
            after every ``keep_every`` epochs.

    Raises:
        Preempted: a signal asked to stop; everything is saved.
        Diverged: the values were not finite for too long, or the task found the model unhealthy.
        TrainingError: the training cannot start or resume.
        OSError: a file cannot be written; earlier checkpoints are complete.
    """
    tf = load_tensorflow()
    try:
        with Preemption() as preemption:
            training = _Training(task, data, settings, folder, devices, preemption, configuration or {}, keep)
            return training.run(restart)
    except tf.errors.ResourceExhaustedError as failure:
        raise TrainingError(
            f"not enough memory for batches of {settings.batch_size} in {counted(settings.accumulate, 'parts')} on "
            f"{counted(devices.replicas, 'devices')}; compute them in more parts with --accumulate, or use a smaller "
            "--batch-size or a smaller model"
        ) from failure
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError, tf.errors.InternalError) as failure:
        if not settings.xla:
            raise
        raise TrainingError(
            f"XLA cannot compile this network ({xla_reason(failure)}); train it with --no-xla"
        ) from failure
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as failure:
        if devices.worker.count == 1:
            raise
        raise WorkerLost(
            "another worker was lost; run all workers again to resume from the last checkpoint"
        ) from failure


class _Training:
    """One run of a training."""

    def __init__(
        self,
        task: Task,
        data: TrainingData,
        settings: Settings,
        folder: Path,
        devices: Devices,
        preemption: Preemption,
        configuration: Mapping[str, Any],
        keep: Callable[[int], None] | None,
    ) -> None:
        self._task, self._data, self._settings = task, data, settings
        self._model_folder, self._folder = folder, folder / TRAINING
        self._devices, self._preemption = devices, preemption
        self._configuration = {"settings": settings.binding(), **configuration}
        self._keep = keep
        # The digest of the checkpoint that was restored.
        self._restored = 0
        # The earlier numbers of epochs, if the training was extended.
        self._extended: list[int] = []
        # The devices so far, each with its first step.
        self._ran_on: list[dict[str, Any]] = []
        self._device = devices.words(settings.computation, memory=False)
        self._rates = learning_rates(settings, data.steps_per_epoch)
        self._optimizer = Optimizer(task, settings, devices)
        self._step = Step(task, self._optimizer, devices, settings)
        self._evaluation = Evaluation(task, data, devices, settings)
        self._checkpoints = Checkpoints(self._folder / "checkpoints")
        self._model = named(weights=task.variables, state=task.state)
        self._everything = {**self._model, **named(optimizer=self._optimizer.variables)}
        self._state = State(scale=LossScale.of(settings.precision))
        self._resumed_at, self._resumed_seconds, self._resumed_step = time.monotonic(), 0.0, 0
        self._saved_at, self._saved_step = time.monotonic(), -1
        # Since the last row of the log: its time, and the seconds in which batches were prepared.
        self._row_at, self._waited = time.monotonic(), 0.0

    def run(self, restart: bool) -> Result:
        """Resume or begin, train, and leave the weights to keep in the task."""
        if self._devices.chief:
            if restart:
                self._forget()
            remove_leftovers(self._folder)
        self._devices.barrier()
        if not self._resume():
            self._begin()
        if not self._state.ended:
            if self._devices.chief:
                set_aside(self._model_folder)
            self._run_epochs()
        self._keep_best()
        self._devices.shutdown_barrier()
        return self._result()

    def _forget(self) -> None:
        """Remove an earlier training and set its model aside. A killed process leaves neither of them incomplete."""
        set_aside(self._model_folder)
        discard_folder(self._folder)

    def _begin(self) -> None:
        """Start at step 0."""
        self._note_device()
        self._task.initialize(in_parts(self._data.batches(0, 0, ALONE), self._settings.accumulate))
        self._optimizer.begin()
        self._save()

    def _resume(self) -> bool:
        """Restore the newest checkpoint that the first worker finds, if there is one."""
        step = self._checkpoints.restore(self._load) if self._devices.chief else None
        own = np.array([-1.0 if step is None else step, self._restored])
        first, digest = (int(number) for number in self._devices.gathered(own)[0])
        if first >= 0 and not self._devices.chief:
            self._checkpoints.restore_same(first, digest, self._load)
        return first >= 0

    def _load(self, header: dict[str, Any], arrays: Iterator[tuple[str, NDArray[Any]]]) -> int:
        """Restore a checkpoint, and return its step."""
        then: dict[str, Any] = header.get("configuration", {})
        settings, before = self._settings, then.get("settings", {}).get("epochs")
        if not isinstance(before, int):
            raise ArraysError(f"{self._folder}: damaged: a checkpoint does not give its number of epochs")
        more = before < settings.epochs
        if more:
            then = {**then, "settings": {**then["settings"], "epochs": settings.epochs}}
        check_same(then, self._configuration, self._folder)
        self._extended = [*header.get("extended", []), *([before] if more else [])]
        if more and self._devices.chief:
            had = counted(before, "epochs")
            console.note(f"this training had {had}, and now has {settings.epochs}{_longer_cosine(settings)}")
        assign_arrays(self._everything, arrays, "; --restart begins again")
        self._state = state = State.from_json(header["state"])
        self._ran_on = header.get("devices", [])
        self._note_device()
        # The time limit may be higher than before.
        state.time_up = not state.has_time(self._settings)
        state.ended = state.ended and state.reason_to_end(self._settings)
        self._saved_step = self._resumed_step = state.step
        self._resumed_seconds = state.seconds
        self._restored = digest_of(header)
        return state.step

    def _note_device(self) -> None:
        """Record the device from this step on, and say if the training ran on another one before."""
        before = self._ran_on[-1]["device"] if self._ran_on else None
        if self._device in ("", before):
            return
        step = self._state.step
        self._ran_on = [*self._ran_on, {"step": step, "device": self._device}]
        if before and self._devices.chief:
            console.note(
                f"this training ran on {before} up to step {step:,}, and now runs on {self._device}; the last bits of "
                "its weights differ from those of a training without a change"
            )

    def _run_epochs(self) -> None:
        """Train until there is a reason to end."""
        state = self._state
        self._row_at = time.monotonic()
        with self._open_logger() as logger:
            while not state.reason_to_end(self._settings):
                if state.step_in_epoch < self._data.steps_per_epoch:
                    with closing(self._batches()) as batches:
                        self._take_steps(batches, logger)
                if state.step_in_epoch >= self._data.steps_per_epoch:
                    self._close_epoch(logger)
            if state.counted:
                self._close_epoch(logger)
            state.ended = state.reason_to_end(self._settings)
            self._save()

    def _open_logger(self) -> AbstractContextManager[TrainingLogger | None]:
        if not self._devices.chief:
            return nullcontext()
        steps = self._data.steps_per_epoch
        return TrainingLogger.opened(
            self._folder, self._settings, {**self._configuration, **self._history()}, self._state, steps
        )

    def _history(self) -> dict[str, Any]:
        """The changes between the runs of this training, for JSON."""
        found = {"extended": self._extended, "devices": self._ran_on}
        return {name: values for name, values in found.items() if values}

    def _batches(self) -> Generator[Batch]:
        """This worker's batches of the epoch, from the next step on; a generator, so that it can be closed early."""
        yield from self._data.batches(self._state.epoch, self._state.step_in_epoch, self._devices.worker)

    def _take_steps(self, batches: Iterator[Batch], logger: TrainingLogger | None) -> None:
        """Take the remaining steps of an epoch, or stop when the time is up."""
        state, steps = self._state, self._data.steps_per_epoch
        parts = self._next_parts(batches)
        while parts is not None:
            seed = step_seed(self._settings.seed, "training", state.step)
            outcome = self._step.start(parts, seed, self._step_inputs())
            # Prepared while a GPU is computing.
            parts = self._next_parts(batches)
            result = self._step.finish(outcome)
            self._add(result)
            if logger:
                logger.step(state)
            if result.stop or (self._devices.worker.count == 1 and self._preemption.requested):
                self._stop()
            if state.time_up:
                return
            if self._checkpoint_is_due():
                self._save()
        if state.step_in_epoch < steps:
            raise TrainingError(
                f"the data gave {state.step_in_epoch} of the {steps} batches of epoch {state.epoch + 1}"
            )

    def _next_parts(self, batches: Iterator[Batch]) -> list[Any] | None:
        began, batch, settings = time.monotonic(), next(batches, None), self._settings
        if batch is None:
            return None
        parts = replica_batches(batch, self._devices, settings.batch_size, False, settings.accumulate)
        self._waited += time.monotonic() - began
        return parts

    def _step_inputs(self) -> StepInputs:
        state, settings = self._state, self._settings
        updates = state.step - state.skipped
        return StepInputs(
            rate=self._rates(state.step),
            scale=state.scale.value,
            # Early averages follow the weights more closely, so that they forget the initial weights.
            ema_decay=min(settings.ema, (1 + updates) / (10 + updates)),
            stop=self._preemption.requested is not None,
            time_up=not state.has_time(settings),
        )

    def _add(self, result: StepResult) -> None:
        """Count a step; stop if the training diverged."""
        state = self._state
        if not result.rows:
            raise TrainingError(f"the batch of step {state.step + 1:,} has no examples")
        state.add(result)
        state.seconds = self._resumed_seconds + time.monotonic() - self._resumed_at
        if state.skipped_in_row > self._settings.max_skipped:
            self._diverge(
                f"the loss or its gradients were not finite in {state.skipped_in_row} steps in a row, "
                f"up to step {state.step:,}"
            )

    def _stop(self) -> None:
        self._save()
        self._devices.barrier()
        self._devices.shutdown_barrier()
        signal = self._preemption.requested or "the signal of another worker"
        at = f"stopped by {signal} after step {self._state.step:,}"
        raise Preempted(f"{at}; everything is saved: run the same command again to resume")

    def _close_epoch(self, logger: TrainingLogger | None) -> None:
        """Evaluate if it is due, keep the weights if they are the best, log, and save."""
        state, settings = self._state, self._settings
        whole = state.step_in_epoch >= self._data.steps_per_epoch
        epoch = state.epoch + whole
        due = epoch % settings.evaluate_every == 0 or epoch >= settings.epochs or not whole
        try:
            measured = self._measure(epoch) if due else {}
        except _Interrupted:
            self._stop()
        except Unhealthy as found:
            self._diverge(f"{found}, after step {state.step:,}")
        if whole:
            self._keep_epoch(epoch)
        now = time.monotonic()
        waiting, self._row_at, self._waited = self._waited / max(now - self._row_at, 1e-9), now, 0.0
        measured = {"waiting": round(waiting, 4), **measured}
        state.close_epoch(measured, self._rates(max(state.step - 1, 0)), self._data.steps_per_epoch)
        self._save()
        if logger:
            logger.epoch(state)

    def _measure(self, epoch: int) -> dict[str, float]:
        """Evaluate the weights, or their moving average, and keep them if they are the best so far."""
        with self._optimizer.averaged():
            health = self._evaluation.health()
            metrics = self._evaluation.means(after_batch=self._interrupt)
            if metrics:
                self._choose(metrics)
            every = self._settings.illustrate_every
            if every and epoch % every == 0 and self._devices.chief:
                pictures = self._folder / "pictures"
                pictures.mkdir(parents=True, exist_ok=True)
                self._task.illustrate(pictures, self._state.step)
        return {**{f"val_{name}": value for name, value in metrics.items()}, **health}

    def _keep_epoch(self, epoch: int) -> None:
        """Keep the model of this epoch if it is due. A killed process repeats it: the checkpoint comes later."""
        every = self._settings.keep_every
        if self._keep and every and epoch % every == 0 and self._devices.chief:
            with self._optimizer.averaged():
                self._keep(epoch)

    def _choose(self, metrics: Mapping[str, float]) -> None:
        """Keep the current weights if they are better than the best so far."""
        state = self._state
        if not state.improved(self._evaluation.criterion(metrics), self._task.criterion.better):
            return
        best = self._checkpoints.best(state.step)
        if self._devices.chief:
            write_arrays(best, {}, to_arrays(self._model))
        state.best_file = best.name

    def _interrupt(self) -> None:
        # Several workers must agree first; they stop at their next step.
        if self._devices.worker.count == 1 and self._preemption.requested:
            raise _Interrupted

    def _diverge(self, cause: str) -> None:
        """End the training, with the best weights in the task if there are any. No checkpoint is written."""
        best = self._state.best_epoch
        if best:
            self._keep_best()
        self._devices.shutdown_barrier()
        kept = f"the weights of epoch {best}, the best epoch, are kept" if best else "no epoch was complete before"
        raise Diverged(
            f"the training was stopped: {cause}; {kept}; {self._task.advice}", self._result() if best else None
        )

    def _keep_best(self) -> None:
        """Assign the weights to keep: those of the best epoch, or the moving average of the last weights."""
        if self._state.best_file:
            self._devices.barrier()
            assign_arrays(self._model, self._checkpoints.read_best(self._state.best_file))
        else:
            self._optimizer.average()

    def _result(self) -> Result:
        return self._state.result(self._state.step - self._resumed_step)

    def _checkpoint_is_due(self) -> bool:
        settings, state = self._settings, self._state
        if settings.checkpoint_steps and state.step - self._saved_step >= settings.checkpoint_steps:
            return True
        minutes = (time.monotonic() - self._saved_at) / 60
        return bool(settings.checkpoint_minutes) and minutes >= settings.checkpoint_minutes

    def _save(self) -> None:
        state = self._state
        if self._devices.chief:
            header = {
                "state": state.to_json(),
                "configuration": self._configuration,
                **self._history(),
            }
            self._checkpoints.save(state.step, header, to_arrays(self._everything), state.best_file)
        self._saved_at, self._saved_step = time.monotonic(), state.step


def _longer_cosine(settings: Settings) -> str:
    """The effect of more epochs on the learning rate, if it depends on the number of epochs."""
    if settings.schedule != "cosine":
        return ""
    return (
        "; the learning rate follows the longer cosine from here on, so that the weights differ from those of a "
        f"training that had {settings.epochs} epochs from its start"
    )
