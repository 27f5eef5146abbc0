"""``simtool train-jet``: train a normalizing flow whose couplings are Vision Transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import stages
from simtool.commands import options

__all__ = ["train_jet"]

#: Values of a preset that have their own option.
_OPTIONS = (
    "size",
    "patch",
    "steps",
    "spatial_every",
    "width",
    "depth",
    "heads",
    "bits",
    "recipe",
    "flips",
    "deterministic",
    "xla",
)


def train_jet(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="A table of images.")],
    out: options.Out,
    preset: Annotated[
        str, options.word(help="imagenet64, small or tiny; the options below change its values.")
    ] = "small",
    size: options.Size = None,
    patch: Annotated[
        int | None, options.whole(min=1, help="Height and width of a patch in pixels. [the preset's]")
    ] = None,
    steps: Annotated[int | None, options.whole(min=1, help="Number of couplings. [the preset's]")] = None,
    spatial_every: Annotated[
        int | None,
        options.whole(min=0, help="Every so many couplings, one splits the patches; 0: none. [the preset's]"),
    ] = None,
    width: Annotated[
        int | None, options.whole(min=1, help="Width of the tokens of the networks. [the preset's]")
    ] = None,
    depth: Annotated[
        int | None, options.whole(min=1, help="Transformer blocks of each network. [the preset's]")
    ] = None,
    heads: Annotated[int | None, options.whole(min=1, help="Heads of the attention. [the preset's]")] = None,
    bits: options.Bits = None,
    recipe: options.Recipe = None,
    crop: options.Crop = None,
    flips: options.Flips = None,
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
    """Train Jet, a normalizing flow of Vision Transformers, to compare its layers with those of Glow.

    Training takes hours on a CPU. Ctrl-C, SIGTERM and SIGUSR1 save the training and stop it with
    exit code 85. Run the same command again to resume. MODEL/training holds the log, the
    checkpoints and sample images. The epoch with the fewest bits per dimension of the validation
    images is kept. With --backprop reversible, memory does not grow with the number of couplings.

    \b
    Example:
      simtool train-jet cub/images.parquet --out jet --max-minutes 60
      simtool train-jet cub/images.parquet --out jet --preset imagenet64 --dry-run
      simtool embed cub/images.parquet --model jet --layer latent --out latents.parquet
    """
    choices = options.choices(locals(), _OPTIONS, backprop="mode")
    if dry_run:
        options.describe(stages.plan_jet(images, out, **choices).facts(), as_json)
    else:
        stages.train_jet(images, out, device=device, restart=restart, skip_bad=skip_bad, scratch=scratch, **choices)
