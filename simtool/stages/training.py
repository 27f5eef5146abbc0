"""Train networks: plan a training, train, and write the model folder."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from simtool import console
from simtool.device import CHOICES, check_precision, open_device
from simtool.errors import UsageError, wrong_usage
from simtool.images.pipeline import BadImage, check_files, described
from simtool.images.preprocessing import Preprocessing
from simtool.models.folder import MANIFEST, completed_folder, occupied
from simtool.models.interface import TrainedModel
from simtool.stages.run import Run, chosen
from simtool.system.memory import available_memory
from simtool.tables.atomic import atomic_folder
from simtool.tables.digest import labelled_digest
from simtool.tables.images import Images, image_paths
from simtool.tables.provenance import sha256_of
from simtool.training.data import check_even
from simtool.training.devices import Devices, open_devices
from simtool.training.folder import TRAINING, epoch_folder
from simtool.training.images import Classes, Rounding, TrainingImages, check_classes, decode_all, decoded_bytes
from simtool.training.outcome import Diverged, Result
from simtool.training.settings import Settings
from simtool.training.split import Split
from simtool.training.task import Task, check_xla

__all__ = ["Trained", "TrainingPlan", "changed_preset", "identity_of", "run_plan"]

_P = TypeVar("_P")
#: Options that continue a complete training, by the reason for its end.
_CONTINUE = {"epochs": "use more --epochs to continue it, ", "time": "use more --max-minutes to continue it, "}


@dataclass(frozen=True)
class Trained:
    """The model folder of a training, and the course of the training."""

    path: Path
    result: Result
    _home: Path = field(default_factory=Path.cwd, repr=False, compare=False)

    @cached_property
    def model(self) -> TrainedModel:
        """The trained model; its folder is read when this is first used."""
        from simtool.models.registry import load_model

        return load_model(self._home / self.path)


@dataclass
class TrainingPlan(ABC):
    """A training that has not started: its images, its network and its settings.

    Attributes:
        table: the images.
        path: of the table; the paths of images are relative to its folder.
        split: the rows for training and for validation.
        classes: that the network learns; None if it learns no classes.
        preset: the network, the settings of the training, and the rule of the split.
        decoded: the preprocessing of the decoded images.
        rounding: of decoded images to bytes.
        even: whether every device needs the same number of images in a step.
        halves: whether the network computes two halves of a batch at the same time on a CPU.
        images_read: the images in words, for the note about their table; empty for a table in memory.
    """

    rounding: ClassVar[Rounding]
    even: ClassVar[bool] = False
    halves: ClassVar[bool] = False

    table: Images
    path: Path
    split: Split
    classes: Classes | None
    preset: Any
    decoded: Preprocessing
    images_read: str = field(default="", kw_only=True)

    def note_images(self, run: Run) -> None:
        """Note the table of images, which the plan was made from."""
        if self.images_read:
            run.read(self.path, self.images_read)

    @property
    def settings(self) -> Settings:
        """The settings of the training."""
        settings: Settings = self.preset.settings
        return settings

    @property
    def images_facts(self) -> dict[str, Any]:
        """The part of :meth:`facts` about the images."""
        return {
            "training_images": len(self.split.train),
            "validation_images": len(self.split.validation),
            "validation": self.preset.validation,
        }

    def image_bytes(self) -> int:
        """The memory of the decoded images."""
        return decoded_bytes(len(self.table), self.decoded)

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """The network and the training as an object for JSON, with the number of parameters and the peak memory."""

    def check(self, split: Split) -> None:
        """Refuse a split with too few images for the network."""
        if self.classes:
            check_classes(self.classes, split)

    def open(self, devices: Devices) -> None:  # noqa: B027 - a network may be built later
        """Build the parts that the estimate of memory needs."""

    @abstractmethod
    def check_memory(self, available: int | None) -> None:
        """Refuse a training that does not fit in the available bytes of memory, and say which options fit.

        None is an unknown amount.
        """

    @abstractmethod
    def task(self, pixels: NDArray[np.uint8], split: Split) -> Task:
        """Create the task for the training loop, within the scope of the devices.

        ``pixels`` are the decoded images, (n, height, width, 3).
        """

    @abstractmethod
    def configuration(self) -> dict[str, Any]:
        """The values that must be the same to resume a training, in addition to its settings and its images."""

    @abstractmethod
    def model(self) -> TrainedModel:
        """The model with the current weights of the task."""

    @abstractmethod
    def summary(self, result: Result) -> str:
        """One line about a complete training."""


@wrong_usage()
def changed_preset(presets: Mapping[str, _P], preset: str | _P, part: str, changes: Mapping[str, Any]) -> _P:
    """A preset, or the preset of a name, with changes by name; None keeps a value.

    A change belongs to ``part``, which describes the network, to the preset itself, or to the settings of the training.

    Raises:
        UsageError: there is no preset of this name, or the object is no preset.
        TrainingError: a name is unknown, or a setting has a wrong value.
    """
    chosen: Any = presets.get(preset) if isinstance(preset, str) else preset
    kind: Any = type(next(iter(presets.values())))
    if not isinstance(chosen, kind):
        raise UsageError(f"the presets are {', '.join(presets)}, not {preset}")
    of_part = {field.name for field in fields(getattr(chosen, part)) if field.init} & changes.keys()
    of_preset = ({field.name for field in fields(chosen)} - {part, "settings"}) & changes.keys() - of_part
    settings = chosen.settings.changed(**{name: changes[name] for name in changes.keys() - of_part - of_preset})
    network = getattr(chosen, part).changed(**{name: changes[name] for name in of_part})
    changed: _P = chosen.changed(**{name: changes[name] for name in of_preset}, **{part: network, "settings": settings})
    return changed


def run_plan(
    plan: TrainingPlan,
    run: Run,
    out: str | Path,
    device: str,
    restart: bool,
    skip_bad: bool,
    scratch: str | Path | None,
) -> Trained:
    """Train, and write the model folder; also the best epoch of a training that diverged.

    The run has read nothing but the table of images. The other arguments and the errors are those of the stages.
    """
    chosen(CHOICES, "--device", device)
    folder, settings = Path(out), plan.settings
    # Before TensorFlow does anything else, the decoding of images included.
    hardware = open_device(device, settings.deterministic)
    check_precision(settings.precision)
    from simtool.training.loop import train  # it imports TensorFlow

    devices = open_devices(hardware, plan.halves)
    if devices.chief:
        run.computes_on(devices.words(settings.computation))
    plan.note_images(run)
    available = available_memory()
    plan.check(plan.split)
    plan.open(devices)
    if not hardware.gpus:
        plan.check_memory(available)
    # Keep other trainings out of the folder. Of several workers, only the first locks it.
    with occupied(folder, run.name) if devices.chief else nullcontext():
        pixels, split = _decoded(plan, skip_bad, None if scratch is None else Path(scratch))
        plan.check(split)
        labels = plan.classes.labels if plan.classes else None
        data = TrainingImages(pixels, split, settings.batch_size, settings.seed, labels)
        if plan.even:
            check_even(data.batch_size, settings.batch_size, devices, settings.accumulate)
        with devices.scope():
            task = plan.task(pixels, split)
        if settings.xla:
            check_xla(task, devices)
        configuration = {
            **plan.configuration(),
            "validation": plan.preset.validation,
            "table": identity_of(plan.path, plan.table, folder),
        }
        provenance = run.provenance()

        def save(result: Result) -> None:
            if devices.chief:
                with completed_folder(folder) as temporary:
                    plan.model().save(temporary, provenance)
                ended = "; the time of --max-minutes is up" if result.reason == "time" else ""
                run.wrote(folder, plan.summary(result) + ended)

        def keep(epoch: int) -> None:
            with atomic_folder(epoch_folder(folder, epoch)) as temporary:
                plan.model().save(temporary, provenance)

        try:
            result = train(task, data, settings, folder, devices, configuration, restart, keep)
        except Diverged as failure:
            if failure.result is not None:
                save(failure.result)
            devices.shutdown_barrier()
            raise
        if result.new_steps or not (folder / MANIFEST).is_file():
            save(result)
        elif devices.chief:
            more = _CONTINUE.get(result.reason or "", "")
            console.note(f"left   {folder}: its training is complete; {more}--restart to train from the beginning")
        # A scheduler ends the first worker, which still writes the model, some time after the others have ended.
        devices.shutdown_barrier()
    return Trained(folder, result)


def _decoded(plan: TrainingPlan, skip_bad: bool, scratch: Path | None) -> tuple[NDArray[np.uint8], Split]:
    """The bytes of all images, and the split without the images that cannot be decoded."""
    table, bad = plan.table, list[BadImage]()
    paths = image_paths(plan.path, table)
    check_files(table.image_id, paths)
    with console.progress("decoding", len(table), "images") as bar:
        pixels = decode_all(table, paths, plan.decoded, plan.rounding, scratch, bar, bad if skip_bad else None)
    if not bad:
        return pixels, plan.split
    console.warn(described(bad))
    rows = {str(name): row for row, name in enumerate(table.image_id)}
    return pixels, plan.split.without([rows[image.image_id] for image in bad])


def identity_of(path: Path, table: Images, out: Path) -> str:
    """A digest of the content of a table of images; a training resumes only with the same images.

    If a version that compared tables byte by byte started the training in ``out``, this is the digest of the file.
    """
    with suppress(OSError, ValueError, AttributeError, RecursionError):
        known = json.loads((out / TRAINING / "settings.json").read_text("utf-8")).get("table")
        if path.is_file() and known == sha256_of(path):
            return str(known)
    return labelled_digest(table, image_paths(path, table))
