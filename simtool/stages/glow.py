"""Train Glow: a normalizing flow between images and latents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from simtool.models.flows.config import Mode
from simtool.models.flows.glow.footprint import activation_bytes
from simtool.models.flows.glow.presets import PRESETS, Preset
from simtool.models.flows.preset import FlowPreset
from simtool.stages.flows import FlowPlan, plan_flow
from simtool.stages.run import Folder, api, path_of, stage
from simtool.stages.training import Trained, run_plan
from simtool.tables.images import Images
from simtool.training.split import Split

if TYPE_CHECKING:
    from simtool.models.flows.flow import Flow
    from simtool.models.flows.model import FlowModel

__all__ = ["GlowPlan", "plan_glow", "train_glow"]


class GlowPlan(FlowPlan):
    """The training of a Glow. See :class:`FlowPlan`, as for the methods."""

    title: ClassVar[str] = "Glow"
    presets: ClassVar[Mapping[str, FlowPreset]] = PRESETS
    preset: Preset

    @staticmethod
    def kinds() -> tuple[type[Flow], type[FlowModel]]:
        """See :meth:`FlowPlan.kinds`."""
        from simtool.models.flows.glow.flow import GlowFlow
        from simtool.models.flows.glow.model import Glow

        return GlowFlow, Glow

    def activation_bytes(self) -> Mapping[Mode, int]:
        """See :meth:`FlowPlan.activation_bytes`."""
        return activation_bytes(self.preset.flow)

    @property
    def initial_images(self) -> int:
        """See :class:`FlowPlan`."""
        return self.preset.initial_images

    def check(self, split: Split) -> None:
        """See :meth:`TrainingPlan.check`."""
        self.preset.flow.check_initial_images(min(self.initial_images, len(split.train)))
        super().check(split)


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
        plan = plan_flow(GlowPlan, run, images, **{"preset": "study", **choices})
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
        plan = plan_flow(GlowPlan, run, images, preset, split, class_conditional, crop, **changes)
        return run_plan(plan, run, out, device, restart, skip_bad, scratch)
