"""Train ResNet50 and other classifiers of images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from simtool.errors import UsageError
from simtool.models.classifier.footprint import check_room, training_bytes
from simtool.models.classifier.presets import PRESETS, Preset
from simtool.models.interface import TrainedModel
from simtool.stages.run import Folder, Run, api, in_words, path_of, stage
from simtool.stages.training import Trained, TrainingPlan, changed_preset, run_plan
from simtool.tables.images import Images
from simtool.text import counted
from simtool.training.devices import Devices
from simtool.training.images import Classes, Rounding, check_classes
from simtool.training.optimizer import layer_precision
from simtool.training.outcome import Result
from simtool.training.split import Split, split_images
from simtool.training.task import Task

__all__ = ["ClassifierPlan", "plan_resnet", "train_resnet"]


@dataclass
class ClassifierPlan(TrainingPlan):
    """The training of a classifier. See :class:`TrainingPlan`, as for the methods.

    Attributes:
        weights: a file of ImageNet weights; None downloads them if the network needs them.
    """

    rounding: ClassVar[Rounding] = "nearest"
    # Batch normalization uses the statistics of the whole batch.
    even: ClassVar[bool] = True
    classes: Classes
    preset: Preset
    weights: Path | None

    def facts(self) -> dict[str, Any]:
        """See :meth:`TrainingPlan.facts`."""
        from simtool.models.classifier.network import build, count_parameters

        config = self.preset.config
        network = build(config, len(self.classes.names))
        return {
            "classes": len(self.classes.names),
            **self.images_facts,
            "trainable_parameters": count_parameters(network),
            "parameters": network.count_params(),
            "peak_bytes": training_bytes(network, self.settings, self.image_bytes()),
            "model": config.to_json(),
            "training": self.settings.to_json(),
            "preprocessing": config.preprocessing.to_json(),
        }

    def open(self, devices: Devices) -> None:
        """See :meth:`TrainingPlan.open`."""
        from simtool.models.classifier.network import build, load_backbone
        from simtool.models.classifier.task import Classification
        from simtool.tensorflow import load_tensorflow

        load_tensorflow()
        import keras

        config = self.preset.config
        with devices.scope(), layer_precision(self.settings.precision):
            keras.utils.set_random_seed(self.settings.seed)
            network = build(config, len(self.classes.names))
            if config.pretrained:
                load_backbone(network, config, self.weights)
            self._task = Classification(network, config)

    def check_memory(self, available: int | None) -> None:
        """See :meth:`TrainingPlan.check_memory`."""
        check_room(self._task.network, self.settings, self.image_bytes(), available)

    def task(self, pixels: NDArray[np.uint8], split: Split) -> Task:
        """See :meth:`TrainingPlan.task`."""
        del pixels, split
        return self._task

    def configuration(self) -> dict[str, Any]:
        """See :meth:`TrainingPlan.configuration`."""
        config = self.preset.config
        return {
            "model": config.to_json(),
            "classes": list(self.classes.names),
            **({"scaled": True} if config.scaled else {}),
            # Batch normalization uses the statistics of each part.
            **({"accumulate": parts} if (parts := self.settings.accumulate) > 1 else {}),
        }

    def model(self) -> TrainedModel:
        """See :meth:`TrainingPlan.model`."""
        from simtool.models.classifier.model import Classifier

        return Classifier(self.preset.config, self._task.network, self.classes.names)

    def summary(self, result: Result) -> str:
        """See :meth:`TrainingPlan.summary`."""
        network = f"{self.preset.config.architecture} of {len(self.classes.names):,} classes"
        steps = counted(result.steps, "steps")
        if not result.best_epoch:
            return f"{network}: epoch {result.epochs}, {steps}"
        epochs = max(result.epochs, result.best_epoch)  # the kept epoch can be one that the time limit ended
        accuracy = f"right on {result.best_value:.3f} of the validation images"
        return f"{network}: epoch {result.best_epoch} of {epochs}, {accuracy}, {steps}"


@api
def plan_resnet(
    images: str | Path | Images, out: str | Path | None = None, *, weights: str | Path | None = None, **choices: Any
) -> ClassifierPlan:
    """Plan a training of a classifier, and train nothing.

    Args:
        images: a table of images, each with a class.
        out: the model folder; it is only checked.
        weights: a file of ImageNet weights.
        choices: the preset and changes of it, as for :func:`train_resnet`.

    Returns:
        The plan. Its method ``facts`` gives the number of parameters and the peak memory.

    Raises:
        SimtoolError: an argument is not valid, or the table cannot be read.

    Example:
        >>> from simtool import stages
        >>> stages.plan_resnet("images.parquet", preset="study").facts()["peak_bytes"]  # doctest: +SKIP
        3410000000
    """
    writes = [None if out is None else Folder(Path(out))]
    with stage("train-resnet", reads=[path_of(images), path_of(weights)], writes=writes) as run:
        plan = _plan(run, images, path_of(weights), **choices)
        plan.note_images(run)
        return plan


@api
def train_resnet(
    images: str | Path | Images,
    out: str | Path,
    *,
    preset: str | Preset = "study",
    weights: str | Path | None = None,
    device: str = "auto",
    restart: bool = False,
    skip_bad: bool = False,
    scratch: str | Path | None = None,
    **changes: Any,
) -> Trained:
    """Train a classifier of images, or resume its training.

    Args:
        images: a table of images, each with a class.
        out: the model folder to write. ``out/training`` holds the log and the checkpoints.
        preset: a name of :data:`~simtool.models.classifier.presets.PRESETS`, or a preset.
        weights: a file of ImageNet weights (``..._notop.h5``) to start from, if they cannot be downloaded.
        device: ``auto`` takes all GPUs, else the processor; it refuses the processor in a job of SLURM with GPUs.
            ``gpu`` needs a GPU, and ``cpu`` uses none.
        restart: remove an earlier training in ``out``.
        skip_bad: leave out images that cannot be decoded, with a warning.
        scratch: a folder for decoded images that do not fit in memory. None is the system's temporary folder.
        changes: values of the preset to change, by name; None keeps a value. The names are ``validation``, those of
            :class:`~simtool.models.classifier.config.ClassifierConfig` (``architecture``, ``size``, ...) and those of
            :class:`~simtool.training.settings.Settings` (``epochs``, ``batch_size``, ``seed``, ...).

    Returns:
        The model and the course of its training.

    Raises:
        Preempted: a signal asked to stop; the same call resumes the training.
        Diverged: the training diverged; the model of the best epoch is written if there is one.
        UsageError: an argument is not valid.
        SimtoolError: the training cannot start or resume.

    Example:
        >>> from simtool import stages
        >>> trained = stages.train_resnet("images.parquet", "resnet", preset="tiny")  # doctest: +SKIP
        >>> trained.result.best_value  # doctest: +SKIP
        0.83
    """
    with stage("train-resnet", reads=[path_of(images), path_of(weights)], writes=[Folder(Path(out))]) as run:
        plan = _plan(run, images, path_of(weights), preset, **changes)
        return run_plan(plan, run, out, device, restart, skip_bad, scratch)


def _plan(
    run: Run, images: str | Path | Images, weights: Path | None, preset: str | Preset = "study", **changes: Any
) -> ClassifierPlan:
    if weights is not None:
        if changes.get("pretrained") is False:
            raise UsageError("--weights starts from ImageNet weights and --from-scratch does not: use one of them")
        changes["pretrained"] = True
    chosen = changed_preset(PRESETS, preset, "config", changes)
    table = run.read_images(images, note=False)
    classes = Classes(table)
    rows = split_images(table, chosen.validation, chosen.settings.seed)
    check_classes(classes, rows, least=2)
    path = path_of(images)
    said = "" if path is None else in_words(table)
    preprocessing = chosen.config.decoded
    return ClassifierPlan(
        table, path or Path("images"), rows, classes, chosen, preprocessing, weights, images_read=said
    )
