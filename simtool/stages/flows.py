"""The training of a flow of any kind."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from simtool.errors import UsageError, wrong_usage
from simtool.images.preprocessing import named_preprocessing
from simtool.models.flows.config import MODES, Mode
from simtool.models.flows.footprint import check_room, training_bytes
from simtool.models.flows.preset import FlowPreset
from simtool.models.interface import TrainedModel
from simtool.stages.run import Run, in_words, path_of
from simtool.stages.run import chosen as of_known
from simtool.stages.training import TrainingPlan, changed_preset
from simtool.tables.images import Images
from simtool.tensorflow import load_tensorflow
from simtool.text import counted
from simtool.training.images import Classes, Rounding, check_classes
from simtool.training.outcome import Result
from simtool.training.split import Split, split_images
from simtool.training.task import Task

if TYPE_CHECKING:
    from simtool.models.flows.flow import Flow
    from simtool.models.flows.model import FlowModel

__all__ = ["FlowPlan", "plan_flow"]

_Plan = TypeVar("_Plan", bound="FlowPlan")

#: The precisions of the networks of a flow, and one that rounds all of it.
_PRECISIONS, _TF32 = ("float32", "bfloat16", "float16"), "tf32"
#: The number of images in the sample images of a training.
_EXAMPLES = 6


class FlowPlan(TrainingPlan):
    """The training of a flow. See :class:`TrainingPlan`, as for the methods.

    Attributes:
        title: the name of this kind of flow.
        presets: of this kind.
        initial_images: number of images for data-dependent initialisation; 0 if the flow has none.
    """

    rounding: ClassVar[Rounding] = "floor"
    halves: ClassVar[bool] = True
    title: ClassVar[str]
    presets: ClassVar[Mapping[str, FlowPreset]]
    preset: FlowPreset
    _flow: Flow

    @staticmethod
    @abstractmethod
    def kinds() -> tuple[type[Flow], type[FlowModel]]:
        """The flow and its model; they import TensorFlow."""

    @abstractmethod
    def activation_bytes(self) -> Mapping[Mode, int]:
        """The most bytes per image in training, by mode of backpropagation."""

    @property
    def initial_images(self) -> int:
        """See :class:`FlowPlan`."""
        return 0

    def facts(self) -> dict[str, Any]:
        """See :meth:`TrainingPlan.facts`."""
        preset = self.preset
        shapes, images, activations = self._shapes(), self.image_bytes(), self.activation_bytes()
        peaks = {mode: training_bytes(activations, preset.settings, mode, shapes, images) for mode in MODES}
        return {
            **self.images_facts,
            "trainable_parameters": self.kinds()[0].count_parameters(preset.flow),
            "backprop": preset.mode,
            "peak_bytes": peaks[preset.mode],
            "peak_bytes_by_backprop": peaks,
            **self._initialization(),
            "flips": preset.flips,
            "model": preset.flow.to_json(),
            "training": preset.settings.to_json(),
            "preprocessing": self.decoded.to_json(),
        }

    def check_memory(self, available: int | None) -> None:
        """See :meth:`TrainingPlan.check_memory`."""
        mode, images = self.preset.mode, self.image_bytes()
        check_room(self.activation_bytes(), self.settings, mode, self._shapes(), images, available)

    def task(self, pixels: NDArray[np.uint8], split: Split) -> Task:
        """See :meth:`TrainingPlan.task`."""
        from simtool.models.flows.task import FlowTask

        preset, seed = self.preset, self.settings.seed
        examples = pixels[(split.validation if len(split.validation) else split.train)[:_EXAMPLES]]
        self._flow = self.kinds()[0](preset.flow, seed)
        return FlowTask(self._flow, self.decoded, preset.mode, preset.flips, self.initial_images, examples, seed)

    def configuration(self) -> dict[str, Any]:
        """See :meth:`TrainingPlan.configuration`."""
        return {
            "model": self.preset.flow.to_json(),
            "preprocessing": self.decoded.to_json(),
            "flips": self.preset.flips,
            **self._initialization(),
            "classes": self._names(),
            "images": len(self.table),
        }

    def model(self) -> TrainedModel:
        """See :meth:`TrainingPlan.model`."""
        return self.kinds()[1](self.decoded, self._flow, self._names())

    def summary(self, result: Result) -> str:
        """See :meth:`TrainingPlan.summary`."""
        steps = counted(result.steps, "steps")
        if not result.best_epoch:
            return f"{self.title} after {steps}"
        bits = f"{result.best_value:.3f} bits per dimension of validation images"
        return f"{self.title} of epoch {result.best_epoch}: {bits}; {steps}"

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        load_tensorflow()
        return self.kinds()[0].shapes(self.preset.flow)

    def _initialization(self) -> dict[str, int]:
        return {"initial_images": self.initial_images} if self.initial_images else {}

    def _names(self) -> list[str]:
        return list(self.classes.names) if self.classes else []


def plan_flow(
    kind: type[_Plan],
    run: Run,
    images: str | Path | Images,
    preset: str | FlowPreset,
    split: str = "all",
    class_conditional: bool = False,
    crop: float | None = None,
    **changes: Any,
) -> _Plan:
    """Plan a training of a kind of flow. The arguments are those of the stage.

    Raises:
        SimtoolError: an argument is not valid, or the table cannot be read.
    """
    if (mode := changes.get("mode")) is not None and mode not in MODES:
        raise UsageError(f"the modes of backpropagation are {', '.join(MODES)}, not {mode}")
    if derived := changes.keys() & {"classes", "compute_dtype"}:
        raise UsageError(f"{min(derived)} cannot be changed; it follows from class_conditional or precision")
    if (precision := changes.get("precision")) not in (None, _TF32):
        of_known(_PRECISIONS, "--precision", precision)
    chosen = changed_preset(kind.presets, preset, "flow", changes)
    if chosen.settings.precision == _TF32:
        raise UsageError(
            "--precision tf32 rounds all of a flow, and its inverse needs more digits; bfloat16 and float16 round the "
            "networks only"
        )
    table = run.read_images(images, split, note=False)
    classes = Classes(table) if class_conditional else None
    count = len(classes.names) if classes else 0
    chosen = chosen.changed(flow=chosen.flow.changed(classes=count, compute_dtype=chosen.settings.precision))
    with wrong_usage():
        preprocessing = named_preprocessing(chosen.recipe).adjusted(chosen.flow.size, crop)
    if preprocessing.colors != named_preprocessing("study").colors:
        raise UsageError(
            f"{kind.title} needs colors from -0.5 to 0.5, which the preprocessing {chosen.recipe} does not give"
        )
    rows = split_images(table, chosen.validation, chosen.settings.seed)
    if classes:
        check_classes(classes, rows)
    path = path_of(images)
    said = "" if path is None else in_words(table, split)
    return kind(table, path or Path("images"), rows, classes, chosen, preprocessing, images_read=said)
