"""``simtool train-resnet``: train a classifier of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import stages
from simtool.commands import options

__all__ = ["train_resnet"]

#: Values of a preset that have their own option.
_OPTIONS = ("architecture", "size", "recipe", "augmentation", "pretrained", "deterministic", "xla")
#: Values of a preset that are numbers.
_NUMBERS = ("decode_scale", "label_smoothing", "layerwise_lr_decay", "batch_norm_momentum")


def train_resnet(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="A table of images, each with a class.")],
    out: options.Out,
    preset: Annotated[
        str, options.word(help="study, fine-tune or tiny; the options below change its values.")
    ] = "study",
    architecture: Annotated[
        str | None, options.word(help="A network of keras.applications, or ResNet20. [the preset's]")
    ] = None,
    size: options.Size = None,
    recipe: Annotated[
        str | None,
        options.word(
            help="study-resnet, square, caffe, symmetric, torch, unit or bytes. [the preset's, or the architecture's]"
        ),
    ] = None,
    augmentation: Annotated[str | None, options.word(help="study, field, flip or none. [the preset's]")] = None,
    decode_scale: Annotated[
        float | None, options.number(help="Decode images larger by this factor, for crops. [the preset's]")
    ] = None,
    margin: Annotated[float | None, typer.Option(hidden=True)] = None,
    pretrained: Annotated[
        bool | None, typer.Option("--pretrained/--from-scratch", help="Start from ImageNet weights. [the preset's]")
    ] = None,
    weights: Annotated[
        Path | None, options.file(help="A file of ImageNet weights (…_notop.h5), if they cannot be downloaded.")
    ] = None,
    label_smoothing: Annotated[
        float | None, options.number(help="Share of each label that is spread over all classes. [the preset's]")
    ] = None,
    layerwise_lr_decay: Annotated[
        float | None,
        options.number(
            help="Learning rate of each fifth of the network, divided by that of the next fifth. [the preset's]"
        ),
    ] = None,
    rate_decay: Annotated[float | None, typer.Option(hidden=True)] = None,
    validation: options.Validation = None,
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    accumulate: Annotated[
        int | None,
        options.whole(
            min=1,
            help="Compute each batch in N parts, which takes less memory, and add up their gradients. "
            "Batch normalization uses the statistics of each part. [1]",
        ),
    ] = None,
    learning_rate: options.LearningRate = None,
    precision: Annotated[str | None, options.word(help="float32, tf32, bfloat16 or float16. [the preset's]")] = None,
    change: options.Changes = None,
    seed: Annotated[int, options.whole(help="Seed of the weights, the order and the augmentation.")] = 0,
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
    """Train a classifier. The command embed turns its layers into vectors.

    Training takes hours: small presets on a CPU, the study's preset on a GPU. Ctrl-C, SIGTERM and
    SIGUSR1 save the training and stop it with exit code 85. Run the same command again to resume.
    MODEL/training holds the log, the checkpoints and the settings. The epoch with the highest
    accuracy on the validation images is kept.

    \b
    Example:
      simtool train-resnet cub/images.parquet --out resnet --preset study
      simtool train-resnet cub/images.parquet --out tuned --preset fine-tune --epochs 10 --set ema=0
      simtool embed cub/images.parquet --model resnet --layer penultimate --out penultimate.parquet
    """
    choices = options.choices(locals(), _OPTIONS, _NUMBERS, margin="decode_scale", rate_decay="layerwise_lr_decay")
    if dry_run:
        options.describe(stages.plan_resnet(images, out, **choices).facts(), as_json)
    else:
        stages.train_resnet(images, out, device=device, restart=restart, skip_bad=skip_bad, scratch=scratch, **choices)
