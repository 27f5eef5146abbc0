"""Train Glow: a normalizing flow between images and latents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from simtool.errors import UsageError
from simtool.images.preprocessing import named_preprocessing
from simtool.models.flows.config import MODES
from simtool.models.flows.glow.footprint import check_room, training_bytes
from simtool.models.flows.glow.presets import PRESETS, Preset
from simtool.models.interface import TrainedModel
from simtool.stages.run import Folder, Run, api, in_words, path_of, stage
from simtool.stages.training import Trained, TrainingPlan, changed_preset, run_plan
from simtool.tables.images import Images
from simtool.tensorflow import load_tensorflow
from simtool.text import counted
from simtool.training.images import Classes, Rounding, check_classes
from simtool.training.outcome import Result
from simtool.training.split import Split, split_images
from simtool.training.task import Task

if TYPE_CHECKING:
    from simtool.models.flows.glow.flow import GlowFlow

__all__ = ["GlowPlan", "plan_glow", "train_glow"]

#: The number of images in the sample images of a training.
_EXAMPLES = 6


class GlowPlan(TrainingPlan):
    """The training of a flow. See :class:`TrainingPlan`, as for the methods."""

    rounding: ClassVar[Rounding] = "floor"
    halves: ClassVar[bool] = True
    preset: Preset
    _flow: GlowFlow

    def facts(self) -> dict[str, Any]:
        """See :meth:`TrainingPlan.facts`."""
        preset = self.preset
        load_tensorflow()
        from simtool.models.flows.glow.flow import GlowFlow

        sizes, images = GlowFlow.shapes(preset.flow), self.image_bytes()
        peaks = {mode: training_bytes(preset.flow, preset.settings, mode, sizes, images) for mode in MODES}
        return {
            **self.images_facts,
            "trainable_parameters": GlowFlow.count_parameters(preset.flow),
            "backprop": preset.mode,
            "peak_bytes": peaks[preset.mode],
            "peak_bytes_by_backprop": peaks,
            "initial_images": preset.initial_images,
            "flips": preset.flips,
            "model": preset.flow.to_json(),
            "training": preset.settings.to_json(),
            "preprocessing": self.decoded.to_json(),
        }

    def check(self, split: Split) -> None:
        """See :meth:`TrainingPlan.check`."""
        self.preset.flow.check_initial_images(min(self.preset.initial_images, len(split.train)))
        super().check(split)

    def check_memory(self, available: int | None) -> None:
        """See :meth:`TrainingPlan.check_memory`."""
        load_tensorflow()
        from simtool.models.flows.glow.flow import GlowFlow

        flow = self.preset.flow
        check_room(flow, self.settings, self.preset.mode, GlowFlow.shapes(flow), self.image_bytes(), available)

    def task(self, pixels: NDArray[np.uint8], split: Split) -> Task:
        """See :meth:`TrainingPlan.task`."""
        from simtool.models.flows.glow.flow import GlowFlow
        from simtool.models.flows.task import FlowTask

        preset, seed = self.preset, self.settings.seed
        examples = pixels[(split.validation if len(split.validation) else split.train)[:_EXAMPLES]]
        self._flow = GlowFlow(preset.flow, seed)
        return FlowTask(self._flow, self.decoded, preset.mode, preset.flips, preset.initial_images, examples, seed)

    def configuration(self) -> dict[str, Any]:
        """See :meth:`TrainingPlan.configuration`."""
        return {
            "model": self.preset.flow.to_json(),
            "preprocessing": self.decoded.to_json(),
            "flips": self.preset.flips,
            "initial_images": self.preset.initial_images,
            "classes": self._names(),
            "images": len(self.table),
        }

    def model(self) -> TrainedModel:
        """See :meth:`TrainingPlan.model`."""
        from simtool.models.flows.glow.model import Glow

        return Glow(self.decoded, self._flow, self._names())

    def summary(self, result: Result) -> str:
        """See :meth:`TrainingPlan.summary`."""
        steps = counted(result.steps, "steps")
        if not result.best_epoch:
            return f"Glow after {steps}"
        bits = f"{result.best_value:.3f} bits per dimension of validation images"
        return f"Glow of epoch {result.best_epoch}: {bits}; {steps}"

    def _names(self) -> list[str]:
        return list(self.classes.names) if self.classes else []


@api
def plan_glow(images: str | Path | Images, out: str | Path | None = None, **choices: Any) -> GlowPlan:
    """Plan a training of Glow, and train nothing.

    Args:
        images: a table of images.
        out: the model folder; it is only checked.
        choices: the preset and changes of it, as for :func:`train_glow`.

    Returns:
        The plan. Its method ``facts`` gives the number of parameters and the peak memory.

    Raises:
        SimtoolError: an argument is not valid, or the table cannot be read.

    Example:
        >>> from simtool import stages
        >>> stages.plan_glow("images.parquet", preset="study").facts()["peak_bytes"]  # doctest: +SKIP
        7034000000
    """
    with stage("train-glow", reads=[path_of(images)], writes=[None if out is None else Folder(Path(out))]) as run:
        plan = _plan(run, images, **choices)
        plan.note_images(run)
        return plan


@api
def train_glow(
    images: str | Path | Images,
    out: str | Path,
    *,
    preset: str | Preset = "study",
    split: str = "all",
    class_conditional: bool = False,
    crop: float | None = None,
    device: str = "auto",
    restart: bool = False,
    skip_bad: bool = False,
    scratch: str | Path | None = None,
    **changes: Any,
) -> Trained:
    """Train Glow, a normalizing flow (Kingma & Dhariwal, 2018), or resume its training.

    Args:
        images: a table of images.
        out: the model folder to write. ``out/training`` holds the log and the checkpoints.
        preset: a name of :data:`~simtool.models.flows.glow.presets.PRESETS`, or a preset.
        split: ``all``, or use only the images of this split of the table.
        class_conditional: learn a prior of the deepest scale for each class.
        crop: the central part of each side that is kept. None is the preprocessing's.
        device: ``auto`` takes all GPUs, else the processor; it refuses the processor in a job of SLURM with GPUs.
            ``gpu`` needs a GPU, and ``cpu`` uses none.
        restart: remove an earlier training in ``out``.
        skip_bad: leave out images that cannot be decoded, with a warning.
        scratch: a folder for decoded images that do not fit in memory. None is the system's temporary folder.
        changes: values of the preset to change, by name; None keeps a value. The names are those of
            :class:`~simtool.models.flows.glow.config.GlowConfig` (``size``, ``levels``, ``width``, ...), of
            :class:`~simtool.models.flows.glow.presets.Preset` (``validation``, ``mode``, ``initial_images``, ...) and
            of :class:`~simtool.training.settings.Settings` (``epochs``, ``batch_size``, ``seed``, ...).

    Returns:
        The model and the course of its training.

    Raises:
        Preempted: a signal asked to stop; the same call resumes the training.
        Diverged: the training diverged; the model of the best epoch is written if there is one.
        UsageError: an argument is not valid.
        SimtoolError: the training cannot start or resume.

    Example:
        >>> from simtool import stages
        >>> trained = stages.train_glow("images.parquet", "glow", preset="small", epochs=20)  # doctest: +SKIP
        >>> trained.result.best_value  # doctest: +SKIP
        3.41
    """
    with stage("train-glow", reads=[path_of(images)], writes=[Folder(Path(out))]) as run:
        plan = _plan(run, images, preset, split, class_conditional, crop, **changes)
        return run_plan(plan, run, out, device, restart, skip_bad, scratch)


def _plan(
    run: Run,
    images: str | Path | Images,
    preset: str | Preset = "study",
    split: str = "all",
    class_conditional: bool = False,
    crop: float | None = None,
    **changes: Any,
) -> GlowPlan:
    if (mode := changes.get("mode")) is not None and mode not in MODES:
        raise UsageError(f"the modes of backpropagation are {', '.join(MODES)}, not {mode}")
    if derived := changes.keys() & {"classes", "compute_dtype"}:
        raise UsageError(f"{min(derived)} cannot be changed; it follows from class_conditional or precision")
    chosen = changed_preset(PRESETS, preset, "flow", changes)
    table = run.read_images(images, split, note=False)
    classes = Classes(table) if class_conditional else None
    count = len(classes.names) if classes else 0
    chosen = chosen.changed(flow=chosen.flow.changed(classes=count, compute_dtype=chosen.settings.precision))
    preprocessing = named_preprocessing(chosen.recipe).adjusted(chosen.flow.size, crop)
    if preprocessing.colors != named_preprocessing("study").colors:
        raise UsageError(f"Glow needs colors from -0.5 to 0.5, which the preprocessing {chosen.recipe} does not give")
    rows = split_images(table, chosen.validation, chosen.settings.seed)
    if classes:
        check_classes(classes, rows)
    path = path_of(images)
    said = "" if path is None else in_words(table, split)
    return GlowPlan(table, path or Path("images"), rows, classes, chosen, preprocessing, images_read=said)
