"""``simtool train-glow``: train a normalizing flow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import stages
from simtool.commands import options

__all__ = ["train_glow"]

#: Values of a preset that have their own option.
_OPTIONS = (
    "size",
    "levels",
    "steps",
    "width",
    "coupling",
    "variant",
    "bits",
    "recipe",
    "flips",
    "initial_images",
    "deterministic",
    "xla",
)


def train_glow(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="A table of images.")],
    out: options.Out,
    preset: Annotated[
        str, options.word(help="study, openai, small or tiny; the options below change its values.")
    ] = "study",
    size: options.Size = None,
    levels: Annotated[int | None, options.whole(min=1, help="Number of scales of the latents. [the preset's]")] = None,
    steps: Annotated[int | None, options.whole(min=1, help="Number of steps at each scale. [the preset's]")] = None,
    width: Annotated[
        int | None, options.whole(min=1, help="Hidden channels of the coupling networks. [the preset's]")
    ] = None,
    coupling: Annotated[str | None, options.word(help="affine or additive. [the preset's]")] = None,
    variant: Annotated[str | None, options.word(help="glow or study. [the preset's]")] = None,
    arrangement: Annotated[str | None, typer.Option(hidden=True)] = None,
    bits: options.Bits = None,
    class_conditional: Annotated[
        bool, typer.Option("--class-conditional", help="Learn a prior of the deepest scale for each class.")
    ] = False,
    recipe: options.Recipe = None,
    crop: options.Crop = None,
    flips: options.Flips = None,
    initial_images: Annotated[
        int | None,
        options.whole(min=1, help="Number of images for data-dependent initialisation (actnorm). [the preset's]"),
    ] = None,
    backprop: options.Backprop = None,
    split: options.Split = "all",
    validation: options.Validation = None,
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    accumulate: options.Accumulate = None,
    learning_rate: options.LearningRate = None,
    precision: options.Precision = None,
    change: options.Changes = None,
    seed: options.NoiseSeed = 0,
    max_minutes: options.MaxMinutes = None,
    device: options.Device = "auto",
    deterministic: options.Deterministic = None,
    xla: options.Xla = None,
    restart: options.Restart = False,
    skip_bad: options.SkipBad = False,
    scratch: options.Scratch = None,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> None:
    """Train Glow, a normalizing flow. The command embed turns its latents into vectors.

    Training takes hours: small presets on a CPU, the study's preset on a GPU. Ctrl-C, SIGTERM and
    SIGUSR1 save the training and stop it with exit code 85. Run the same command again to resume.
    MODEL/training holds the log, the checkpoints and sample images. The epoch with the fewest bits
    per dimension of the validation images is kept. With --backprop reversible, memory does not
    grow with the number of steps.

    \b
    Example:
      simtool train-glow cub/images.parquet --out glow --preset small --max-minutes 60
      simtool train-glow cub/images.parquet --out glow --preset study --dry-run
      simtool embed cub/images.parquet --model glow --layer latent --out latents.parquet
    """
    choices = options.choices(locals(), _OPTIONS, arrangement="variant", backprop="mode")
    if dry_run:
        options.describe(stages.plan_glow(images, out, **choices).facts(), as_json)
    else:
        stages.train_glow(images, out, device=device, restart=restart, skip_bad=skip_bad, scratch=scratch, **choices)
