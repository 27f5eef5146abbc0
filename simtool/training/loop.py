"""The training loop: epochs of steps, what is measured after each of them, and what is kept."""

from __future__ import annotations

import shutil
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool import console
from simtool.errors import listed
from simtool.tensorflow import load_tensorflow
from simtool.training.arrays import ArraysError
from simtool.training.checkpoints import Checkpoints, check_same
from simtool.training.contents import assign_arrays, named, to_arrays
from simtool.training.data import ALONE, Batch, TrainingData
from simtool.training.devices import Devices
from simtool.training.errors import TrainingError
from simtool.training.evaluation import Evaluation
from simtool.training.folder import TRAINING, set_aside
from simtool.training.logger import Journal, Silence
from simtool.training.optimizer import Optimizer
from simtool.training.outcome import Diverged, Result
from simtool.training.precision import LossScale
from simtool.training.preemption import Preempted, Preemption
from simtool.training.schedules import learning_rates
from simtool.training.seeds import step_seed
from simtool.training.settings import Settings
from simtool.training.sharing import shared
from simtool.training.state import State
from simtool.training.step import Controls, Step, Taken
from simtool.training.task import Task, Unhealthy

__all__ = ["train"]

#: Of a training that was forgotten, until it is removed.
_FORGOTTEN = ".forgotten"


class _Interrupted(Exception):  # noqa: N818 - caught by the loop itself
    """A signal has come between two batches of an evaluation."""


def train(
    task: Task,
    data: TrainingData,
    settings: Settings,
    folder: Path,
    devices: Devices,
    configuration: Mapping[str, Any] | None = None,
    restart: bool = False,
) -> Result:
    """Train, or go on with a training that was stopped, until it is complete.

    Every worker calls this with the same arguments; the first writes files and says how it goes. A training that is
    stopped and goes on ends with the same weights, bit for bit on the same device, as one that never stopped. More
    epochs than before are the only other setting that it may go on with; an older model in the folder is set aside
    before the first new step.

    Args:
        task: what is trained; its variables hold the weights to keep at the end.
        data: to train on.
        settings: of the training.
        folder: of the model; the training keeps its own things in ``training`` there.
        devices: to train on.
        configuration: for JSON; what else must be the same for a training to go on (architecture, data).
        restart: forget an earlier training in this folder.

    Raises:
        Preempted: a signal asked to stop; everything is saved.
        Diverged: the values were not finite for too long, or the task found the model unhealthy.
        TrainingError: it cannot begin, or go on; it says why.
        OSError: something cannot be written; checkpoints that were written before are whole.
    """
    tf = load_tensorflow()
    try:
        with Preemption() as preemption:
            training = _Training(task, data, settings, folder, devices, preemption, configuration or {})
            return training.run(restart)
    except tf.errors.ResourceExhaustedError as failure:
        raise TrainingError(
            f"not enough memory for batches of {settings.batch_size} on {devices.replicas} devices; "
            "make them smaller, or the model"
        ) from failure
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as failure:
        if devices.worker.count == 1:
            raise
        raise TrainingError(
            "another worker was lost; run all of them again to go on from the last checkpoint"
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
    ) -> None:
        self._task, self._data, self._settings = task, data, settings
        self._model_folder, self._folder = folder, folder / TRAINING
        self._devices, self._preemption = devices, preemption
        self._configuration = {"settings": settings.binding(), **configuration}
        # The epochs that this training was to have before, each time that it was given more.
        self._extended: list[int] = []
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

    # --- The course of a training -------------------------------------------------------------------------------

    def run(self, restart: bool) -> Result:
        """Resume or begin, train, and leave the weights to keep in the task."""
        if self._devices.chief:
            if restart:
                self._forget()
            self._checkpoints.clean()
        self._devices.barrier()
        if not self._resume():
            self._begin()
        if not self._state.ended:
            if self._devices.chief:
                set_aside(self._model_folder)
            self._run_epochs()
        self._keep_best()
        self._devices.part()
        return self._result()

    def _forget(self) -> None:
        """Remove an earlier training and set its model aside; a process that is killed leaves no half of either."""
        set_aside(self._model_folder)
        forgotten = self._folder.with_name(_FORGOTTEN)
        shutil.rmtree(forgotten, ignore_errors=True)
        if self._folder.exists():
            self._folder.rename(forgotten)
        shutil.rmtree(forgotten, ignore_errors=True)

    def _begin(self) -> None:
        """Start at step 0."""
        self._task.initialize(self._data.batches(0, 0, ALONE))
        self._optimizer.begin()
        self._save()

    def _resume(self) -> bool:
        """Start where the newest checkpoint was written, if there is one."""
        step = self._checkpoints.restore(self._load)
        found = self._devices.gathered(np.array([-1.0 if step is None else step]))[:, 0]
        if len(set(found)) > 1:
            raise TrainingError(
                f"{self._folder}: the workers find checkpoints of different steps there ({listed(found.astype(int))}); "
                "it has to be on a file system that all of them share"
            )
        return step is not None

    def _load(self, header: dict[str, Any], arrays: Iterator[tuple[str, NDArray[Any]]]) -> int:
        """Take over a checkpoint; say at which step it was written."""
        then: dict[str, Any] = header.get("configuration", {})
        settings, before = self._settings, then.get("settings", {}).get("epochs")
        if not isinstance(before, int):
            raise ArraysError(f"{self._folder}: damaged: a checkpoint does not say how many epochs it is for")
        more = before < settings.epochs
        if more:
            then = {**then, "settings": {**then["settings"], "epochs": settings.epochs}}
        check_same(then, self._configuration, self._folder)
        self._extended = [*header.get("extended", []), *([before] if more else [])]
        if more and self._devices.chief:
            gets = f"now has {settings.epochs}{_rates_now(settings)}"
            console.note(f"this training was planned with {before} epochs, and {gets}")
        assign_arrays(self._everything, arrays)
        self._state = state = State.from_json(header["state"])
        # More time may have been granted since.
        state.time_up = not state.has_time(self._settings)
        state.ended = state.ended and state.reason_to_end(self._settings)
        self._saved_step = self._resumed_step = state.step
        self._resumed_seconds = state.seconds
        return state.step

    def _run_epochs(self) -> None:
        """Train until there is a reason to end."""
        state = self._state
        with self._open_journal() as journal:
            while not state.reason_to_end(self._settings):
                if state.step_in_epoch < self._data.steps_per_epoch:
                    with closing(self._batches()) as batches:
                        self._take_steps(batches, journal)
                if state.step_in_epoch >= self._data.steps_per_epoch:
                    self._close_epoch(journal)
            if state.counted:
                self._close_epoch(journal)
            state.ended = state.reason_to_end(self._settings)
            self._save()

    def _open_journal(self) -> AbstractContextManager[Silence]:
        if not self._devices.chief:
            return nullcontext(Silence())
        steps = self._data.steps_per_epoch
        history = {"extended": self._extended} if self._extended else {}
        return Journal.opened(self._folder, self._settings, {**self._configuration, **history}, self._state, steps)

    def _batches(self) -> Generator[Batch]:
        """This worker's batches of the epoch, from the next step on; one that is left early is closed."""
        yield from self._data.batches(self._state.epoch, self._state.step_in_epoch, self._devices.worker)

    def _take_steps(self, batches: Iterator[Batch], journal: Silence) -> None:
        """Take the steps that an epoch still has, or those that there is time for."""
        state, steps = self._state, self._data.steps_per_epoch
        share = self._next_share(batches)
        while share is not None:
            controls = self._controls()
            outcome = self._step.start(share, step_seed(self._settings.seed, "training", state.step), controls)
            # Made while a GPU is at work.
            share = self._next_share(batches)
            taken = self._step.finish(outcome)
            self._account(taken)
            journal.step(state)
            if taken.stop or (self._devices.worker.count == 1 and self._preemption.requested):
                self._stop()
            if state.time_up:
                return
            if self._checkpoint_is_due():
                self._save()
        if state.step_in_epoch < steps:
            raise TrainingError(
                f"the data gave {state.step_in_epoch} of the {steps} batches of epoch {state.epoch + 1}"
            )

    def _next_share(self, batches: Iterator[Batch]) -> Any:
        batch = next(batches, None)
        return None if batch is None else shared(batch, self._devices, self._settings.batch_size, fill=False)

    def _controls(self) -> Controls:
        state, settings = self._state, self._settings
        updates = state.step - state.skipped
        return Controls(
            rate=self._rates(state.step),
            scale=state.scale.value,
            # A young mean follows the weights more closely, or it would long remember where they started.
            mean_decay=min(settings.ema, (1 + updates) / (10 + updates)),
            stop=self._preemption.requested is not None,
            time_up=not state.has_time(settings),
        )

    def _account(self, taken: Taken) -> None:
        """Note what came of a step; stop if it makes no sense to go on."""
        state = self._state
        if not taken.rows:
            raise TrainingError(f"the batch of step {state.step + 1:,} has no examples")
        state.step += 1
        state.step_in_epoch += 1
        state.seconds = self._resumed_seconds + time.monotonic() - self._resumed_at
        state.time_up = taken.time_up
        if taken.finite:
            state.skipped_in_row = 0
            state.rows += taken.rows
            state.norms += taken.norm
            state.counted += 1
            for name, value in taken.sums.items():
                state.sums[name] = state.sums.get(name, 0.0) + value
        else:
            state.skipped += 1
            # While the scale of a float16 loss can be lowered, an overflow says nothing about the model.
            state.skipped_in_row += state.scale.value == 1
        state.scale = state.scale.after(taken.finite)
        if state.skipped_in_row > self._settings.max_skipped:
            self._diverge(
                f"the loss or its gradients were not finite in {state.skipped_in_row} steps in a row, "
                f"up to step {state.step:,}"
            )

    def _stop(self) -> None:
        self._save()
        self._devices.barrier()
        self._devices.part()
        signal = self._preemption.requested or "the signal of another worker"
        raise Preempted(
            f"stopped by {signal} after step {self._state.step:,}; everything is saved: run the same command to go on"
        )

    # --- The end of an epoch -------------------------------------------------------------------------------------

    def _close_epoch(self, journal: Silence) -> None:
        """Evaluate where it is due, keep the weights if they are the best, log, and save."""
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
        state.history.append(self._row(measured))
        state.epoch, state.step_in_epoch = epoch, 0 if whole else state.step_in_epoch
        state.rows, state.sums, state.norms, state.counted = 0, {}, 0.0, 0
        self._save()
        journal.epoch(state)

    def _measure(self, epoch: int) -> dict[str, float]:
        """Judge the weights that would be kept, and keep them if they are the best so far."""
        with self._optimizer.averaged():
            health = self._health()
            metrics = self._evaluation.means(after_batch=self._interrupt)
            if metrics:
                self._choose(metrics)
            every = self._settings.illustrate_every
            if every and epoch % every == 0 and self._devices.chief:
                pictures = self._folder / "pictures"
                pictures.mkdir(parents=True, exist_ok=True)
                self._task.illustrate(pictures, self._state.step)
        return {**{f"val_{name}": value for name, value in metrics.items()}, **health}

    def _choose(self, metrics: Mapping[str, float]) -> None:
        """Keep the weights at hand if they are better than the best so far."""
        state, (metric, better) = self._state, self._task.criterion
        if metric not in metrics:
            raise TrainingError(
                f"the evaluation gives {', '.join(metrics)}, not {metric}, which chooses the best epoch"
            )
        value = metrics[metric]
        if np.isnan(value):
            raise Unhealthy(f"the {metric} of the validation set is not a number")
        if state.best_epoch and not (value < state.best_value if better == "low" else value > state.best_value):
            state.worse += 1
            return
        state.best_epoch, state.best_value, state.worse = state.epoch + 1, value, 0
        if self._devices.chief:
            self._checkpoints.save_best(state.step, to_arrays(self._model))
        state.best_file = self._checkpoints.best_name(state.step)

    def _health(self) -> dict[str, float]:
        """What the task finds on one device's part of a batch; all workers stop if one of them finds it unhealthy."""
        found: dict[str, float] = {}
        reason = ""
        batch = next(self._data.validation(ALONE), None)
        if batch is not None:
            most = -(-self._settings.batch_size // self._devices.replicas)
            try:
                found = self._task.health({name: array[:most] for name, array in batch.items()})
            except Unhealthy as failure:
                reason = str(failure)
        if self._devices.gathered(np.array([float(bool(reason))])).any():
            raise Unhealthy(reason or "another worker found the model unhealthy")
        return {name: float(value) for name, value in found.items()}

    def _interrupt(self) -> None:
        # Several workers would have to agree; they stop at their next step.
        if self._devices.worker.count == 1 and self._preemption.requested:
            raise _Interrupted

    def _row(self, measured: Mapping[str, float]) -> dict[str, Any]:
        state = self._state
        fraction = state.step_in_epoch / self._data.steps_per_epoch
        return {
            "epoch": state.epoch + (1 if fraction >= 1 else round(fraction, 4)),
            "step": state.step,
            "time": round(time.time(), 3),
            "seconds": round(state.seconds, 3),
            "learning_rate": self._rates(max(state.step - 1, 0)),
            "gradient_norm": state.norms / max(state.counted, 1),
            "skipped": state.skipped,
            **{name: value / max(state.rows, 1) for name, value in state.sums.items()},
            **measured,
        }

    # --- Ends ----------------------------------------------------------------------------------------------------

    def _diverge(self, what: str) -> None:
        """Stop for good, with the best weights in the task if there are any; no checkpoint is written."""
        best = self._state.best_epoch
        if best:
            self._keep_best()
        self._devices.part()
        kept = f"the weights of epoch {best}, the best, are kept" if best else "no epoch before it was complete"
        raise Diverged(
            f"the training was stopped: {what}; {kept}; {self._task.advice}",
            self._result() if best else None,
        )

    def _keep_best(self) -> None:
        """Let the task's variables be the weights to keep: those of the best epoch, or the mean of the last."""
        if self._state.best_file:
            self._devices.barrier()
            assign_arrays(self._model, self._checkpoints.read_best(self._state.best_file))
        else:
            self._optimizer.average()

    def _result(self) -> Result:
        state = self._state
        return Result(
            reason=state.ended,
            epochs=state.epoch,
            steps=state.step,
            new_steps=state.step - self._resumed_step,
            seconds=state.seconds,
            best_epoch=state.best_epoch,
            best_value=state.best_value,
            history=state.history,
        )

    # --- What is written -----------------------------------------------------------------------------------------

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
                **({"extended": self._extended} if self._extended else {}),
            }
            self._checkpoints.save(state.step, header, to_arrays(self._everything), state.best_file)
        self._saved_at, self._saved_step = time.monotonic(), state.step


def _rates_now(settings: Settings) -> str:
    """What more epochs do to the learning rate, where that depends on their number."""
    if settings.schedule != "cosine":
        return ""
    return (
        "; the learning rate follows the longer cosine from here on, so that the weights are not those of one training "
        "of so many epochs"
    )
