"""What the commands that train a network have in common: options, decoded photographs, the course of a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simtool import console
from simtool.stages.run import Run
from simtool.text import printable, scaled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simtool.images.preprocessing import Preprocessing
    from simtool.models.interface import TrainedModel
    from simtool.tables.images import Images
    from simtool.training.data import TrainingData
    from simtool.training.devices import Devices
    from simtool.training.images import Rounding
    from simtool.training.outcome import Result
    from simtool.training.settings import Settings
    from simtool.training.split import Split
    from simtool.training.task import Task

__all__ = [
    "AsJson",
    "BatchSize",
    "Changes",
    "DryRun",
    "Epochs",
    "LearningRate",
    "MaxMinutes",
    "Out",
    "Restart",
    "Scratch",
    "Size",
    "SkipBad",
    "Validation",
    "alone",
    "decoded",
    "describe",
    "identity_of",
    "preset_of",
    "run_training",
]

Out = Annotated[Path, typer.Option("--out", metavar="MODEL", help="The model folder to write.")]
Size = Annotated[int | None, typer.Option(min=1, help="Height and width in pixels. [the preset's]")]
Validation = Annotated[
    str | None, typer.Option(help="Hold out: split, study, a fraction of each class, none. [the preset's]")
]
Epochs = Annotated[int | None, typer.Option(min=1, help="Passes over the images. [the preset's]")]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Images of one step, over all devices. [the preset's]")]
LearningRate = Annotated[float | None, typer.Option(help="The highest, after the warm-up. [the preset's]")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any other setting that --dry-run lists; repeatable."),
]
MaxMinutes = Annotated[float | None, typer.Option(help="End properly after so long. [no limit]")]
Restart = Annotated[bool, typer.Option("--restart", help="Forget an earlier training in MODEL.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out images that cannot be decoded.")]
Scratch = Annotated[Path | None, typer.Option(metavar="FOLDER", help="For decoded images. [TMPDIR]")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be trained, and how; train nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="With --dry-run: as one JSON object.")]


def preset_of(presets: Mapping[str, Any], name: str) -> Any:
    """The preset of that name; wrong usage where there is none."""
    if name not in presets:
        raise typer.BadParameter(f"the presets are {', '.join(presets)}, not {name}", param_hint="--preset")
    return presets[name]


def describe(facts: Mapping[str, Any], as_json: bool) -> None:
    """Print what would be trained.

    Args:
        facts: by name; the objects ``model`` and ``training`` are listed value by value, other objects where they
            hold bytes.
        as_json: print one JSON object, with everything.
    """
    if as_json:
        import json

        console.result_text(json.dumps(facts, indent=2))
        return
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in {**facts, **facts["model"], **facts["training"]}.items():
        if (shown := _shown(name, value)) is not None:
            table.add_row(name.replace("_", "-"), printable(shown))
    console.result(table)


def _shown(name: str, value: Any) -> str | None:
    """A fact as people read it; None for one that is listed elsewhere."""
    if "bytes" in name and isinstance(value, dict):
        return ", ".join(f"{key} {scaled(size, 'B')}" for key, size in value.items())
    if isinstance(value, dict):
        return None
    if "bytes" in name:
        return scaled(value, "B")
    return f"{value:,}" if type(value) is int else str(value)


def decoded(
    images: Path,
    table: Images,
    split: Split,
    recipe: Preprocessing,
    rounding: Rounding,
    skip_bad: bool,
    scratch: Path | None,
) -> tuple[NDArray[np.uint8], Split]:
    """The bytes of all photographs of a table, and which are for what, without those that cannot be decoded."""
    from simtool.images.pipeline import BadImage, check_files, described
    from simtool.tables.images import image_paths
    from simtool.training.images import decode_all

    paths = image_paths(images, table)
    check_files(table.image_id, paths)
    bad: list[BadImage] = []
    with console.progress("decoding", len(table), "images") as bar:
        pixels = decode_all(table, paths, recipe, rounding, scratch, bar, bad if skip_bad else None)
    if bad:
        console.warn(described(bad))
        rows = {str(name): row for row, name in enumerate(table.image_id)}
        split = split.without([rows[image.image_id] for image in bad])
    return pixels, split


def identity_of(images: Path, table: Images, out: Path) -> str:
    """What the images of a training are, by content; a stopped training goes on with the same only.

    Args:
        images: the table of images.
        table: what it holds.
        out: the model folder. A training that was begun there by a version that compared tables byte by byte goes on
            with the same table.
    """
    import json

    from simtool.tables.digest import labelled_digest
    from simtool.tables.images import image_paths
    from simtool.tables.provenance import sha256_of
    from simtool.training.folder import TRAINING

    with suppress(OSError, ValueError, AttributeError, RecursionError):
        known = json.loads((out / TRAINING / "settings.json").read_text("utf-8")).get("table")
        if images.is_file() and known == sha256_of(images):
            return str(known)
    return labelled_digest(table, image_paths(images, table))


def run_training(
    run: Run,
    out: Path,
    task: Task,
    data: TrainingData,
    settings: Settings,
    devices: Devices,
    configuration: Mapping[str, Any],
    restart: bool,
    model: Callable[[], TrainedModel],
    summary: Callable[[Result], str],
) -> None:
    """Train, and write the model; also that of the best epoch of a training that diverged.

    Args:
        run: the stage, which has read the table of images and nothing else.
        out: the model folder.
        task: what is trained.
        data: on which photographs.
        settings: of the training.
        devices: to train on.
        configuration: must be the same for a stopped training to resume; it includes the images.
        restart: forget an earlier training.
        model: made of what the task's variables hold then.
        summary: of the training, in a line.

    Raises:
        Diverged: after what was good of it is written.
    """
    from simtool.models.folder import MANIFEST, completed_folder
    from simtool.training.loop import train
    from simtool.training.outcome import Diverged

    provenance = run.provenance()

    def save(result: Result) -> None:
        if devices.chief:
            with completed_folder(out) as folder:
                model().save(folder, provenance)
            run.wrote(out, summary(result))

    try:
        result = train(task, data, settings, out, devices, configuration, restart)
    except Diverged as failure:
        if failure.result is not None:
            save(failure.result)
        raise
    if result.new_steps or not (out / MANIFEST).is_file():
        save(result)
    elif devices.chief:
        console.note(
            f"left   {out}: its training is complete; {_MORE.get(result.reason or '', '')}--restart begins again"
        )


#: What goes on with a training that ended for a reason.
_MORE = {"epochs": "more --epochs go on with it, ", "time": "more --max-minutes go on with it, "}


@contextmanager
def alone(out: Path, name: str, devices: Devices) -> Iterator[None]:
    """Keep other trainings out of a model folder; of several workers that train together, the first does so.

    Args:
        out: the model folder.
        name: of the subcommand.
        devices: to train on.

    Raises:
        LockedError: another process is there; a job of a cluster has waited for it first.
    """
    from simtool.models.folder import occupied

    with occupied(out, name) if devices.chief else nullcontext():
        yield
