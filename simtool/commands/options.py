"""Kinds of options, the options that the commands that train share, and the output of their dry run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from simtool import console
from simtool.errors import clipped
from simtool.text import printable, scaled

__all__ = [
    "Accumulate",
    "AsJson",
    "Backprop",
    "BatchSize",
    "Bits",
    "Changes",
    "Crop",
    "Deterministic",
    "Device",
    "DryRun",
    "Epochs",
    "Flips",
    "LearningRate",
    "MaxMinutes",
    "NoiseSeed",
    "Out",
    "Precision",
    "Recipe",
    "Restart",
    "Scratch",
    "Size",
    "SkipBad",
    "Split",
    "Validation",
    "Xla",
    "address",
    "choices",
    "describe",
    "file",
    "number",
    "pairs",
    "table",
    "whole",
    "word",
]

#: Kinds of options. Help texts show ``--size N``, not the type of the value.
whole = partial(typer.Option, metavar="N")
number = partial(typer.Option, metavar="X")
word = partial(typer.Option, metavar="NAME")
file = partial(typer.Option, metavar="FILE")
table = partial(typer.Option, metavar="IMAGES")
address = partial(typer.Option, metavar="URL")

Out = Annotated[Path, typer.Option("--out", metavar="MODEL", help="The model folder to write.")]
Size = Annotated[int | None, whole(min=1, help="Height and width in pixels. [the preset's]")]
Bits = Annotated[int | None, whole(min=1, max=8, help="Bits of each color value. [the preset's]")]
Recipe = Annotated[str | None, word(help="Preprocessing: study, antialiased or square. [the preset's]")]
Crop = Annotated[float | None, number(help="Central part of each side that is kept. [the preprocessing's]")]
Flips = Annotated[bool | None, typer.Option("--flips/--no-flips", help="Mirror half of the images. [the preset's]")]
Backprop = Annotated[str | None, typer.Option(metavar="MODE", help="plain, recompute or reversible. [the preset's]")]
Split = Annotated[str, word(help="Use only this split of the table: train or test.")]
Precision = Annotated[str | None, word(help="Precision of the networks: float32, bfloat16 or float16. [the preset's]")]
NoiseSeed = Annotated[int, whole(help="Seed of the weights, the order and the noise.")]
Validation = Annotated[
    str | None, word(help="Validation images: split, study, a fraction of each class, or none. [the preset's]")
]
Epochs = Annotated[int | None, whole(min=1, help="Number of passes over the images. [the preset's]")]
BatchSize = Annotated[int | None, whole(min=1, help="Number of images in one step, over all devices. [the preset's]")]
Accumulate = Annotated[
    int | None,
    whole(min=1, help="Compute each batch in N parts, which takes less memory, and add up their gradients. [1]"),
]
LearningRate = Annotated[float | None, number(help="Learning rate after the warm-up. [the preset's]")]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="Any other setting that --dry-run lists; may be given several times."
    ),
]
MaxMinutes = Annotated[
    float | None, number(help="End the training after this number of minutes, and write the model; 0 is no limit. [0]")
]
Device = Annotated[
    str,
    typer.Option(
        metavar="auto|cpu|gpu",
        help="auto: all GPUs, else the processor, which a job of SLURM with GPUs refuses; gpu: only GPUs; cpu.",
    ),
]
Deterministic = Annotated[
    bool | None,
    typer.Option("--deterministic", help="On GPUs: use slower operations that give the same bits in every run."),
]
Xla = Annotated[
    bool | None, typer.Option("--xla/--no-xla", help="Compile the network and its gradient with XLA. [--no-xla]")
]
Restart = Annotated[bool, typer.Option("--restart", help="Remove an earlier training in MODEL, and train again.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out images that cannot be decoded.")]
Scratch = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Folder for decoded images. [TMPDIR]")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the network, its training and its memory; do not train.")]
AsJson = Annotated[bool, typer.Option("--json", help="With --dry-run: print one JSON object.")]

#: Parameters of the commands that train, except values of a preset.
_OTHER = frozenset(("images", "out", "change", "device", "restart", "skip_bad", "scratch", "dry_run", "as_json"))


def choices(
    given: Mapping[str, Any], options: Collection[str], numbers: Collection[str] = (), **renamed: str
) -> dict[str, Any]:
    """The preset and the changes of it, as keyword arguments of a stage, from the parameters of a command.

    ``options`` are names that ``--set`` refuses, and ``numbers`` names whose values in ``--set`` become numbers.
    ``renamed`` gives the stage's name of parameters with another name; a value that has this name comes first.

    Raises:
        TrainingError: an assignment has no ``=``.
        BadParameter: a name has its own option, or a value is not a number.
    """
    from simtool.training.settings import assignments

    values = {name: value for name, value in given.items() if name not in _OTHER | renamed.keys()}
    for name, stated in renamed.items():
        if values.get(stated) is None:
            values[stated] = given[name]
    for name, value in assignments(given["change"] or ()).items():
        if name in options:
            raise typer.BadParameter(f"{name} has its own option, --{name.replace('_', '-')}", param_hint="--set")
        try:
            values[name] = float(value) if name in numbers else value
        except ValueError:
            raise typer.BadParameter(f"{name} must be a number, not {value}", param_hint="--set") from None
    return values


def describe(facts: Mapping[str, Any], as_json: bool) -> None:
    """Print the facts of a planned training, as one JSON object or as lines.

    Lines list ``model`` and ``training`` value by value, and another object only if it holds bytes.
    """
    if as_json:
        import json

        console.result_text(json.dumps(facts, indent=2))
        return
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in {**facts, **facts["model"], **facts["training"]}.items():
        if (shown := _shown(name, value)) is not None:
            table.add_row(name, printable(shown))
    console.result(table)


def _shown(name: str, value: Any) -> str | None:
    """A fact as text; None if it is listed elsewhere."""
    if "bytes" in name and isinstance(value, dict):
        return ", ".join(f"{key} {scaled(size, 'B')}" for key, size in value.items())
    if isinstance(value, dict):
        return None
    if "bytes" in name:
        return scaled(value, "B")
    return f"{value:,}" if type(value) is int else str(value)


def pairs(option: str, texts: Iterable[str] | None) -> dict[str, str]:
    """Return what is before and after the first ``=`` of each value of an option.

    Raises:
        typer.BadParameter: a value has no ``=``, nothing before it, or the same as another value before it.
    """
    found: dict[str, str] = {}
    for text in texts or ():
        key, equals, value = (part.strip() for part in text.partition("="))
        if not (key and equals):
            raise typer.BadParameter(f"{clipped(text)} is not of the form NAME=COLUMN", param_hint=option)
        if key in found:
            raise typer.BadParameter(f"{clipped(key)} is given twice", param_hint=option)
        found[key] = value
    return found
