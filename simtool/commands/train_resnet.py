"""``simtool train-resnet``: a classifier of photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simtool.commands.options import (
    AsJson,
    BatchSize,
    Changes,
    DryRun,
    Epochs,
    LearningRate,
    MaxMinutes,
    Out,
    Restart,
    Scratch,
    Size,
    SkipBad,
    Validation,
    alone,
    decoded,
    describe,
    identity_of,
    preset_of,
    run_training,
)
from simtool.stages.run import Folder, Run, stage
from simtool.text import counted

if TYPE_CHECKING:
    from simtool.models.classifier.config import ClassifierConfig
    from simtool.models.classifier.presets import Preset
    from simtool.tables.images import Images
    from simtool.training.images import Classes
    from simtool.training.outcome import Result
    from simtool.training.split import Split

__all__ = ["train_resnet"]


def train_resnet(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="A table of images, each with a class.")],
    out: Out,
    preset: Annotated[str, typer.Option(help="study, fine-tune or tiny; options change its values.")] = "study",
    architecture: Annotated[
        str | None, typer.Option(metavar="NAME", help="A network of keras.applications, or ResNet20. [the preset's]")
    ] = None,
    size: Size = None,
    recipe: Annotated[str | None, typer.Option(help="Preprocessing. [the preset's, or the architecture's]")] = None,
    augmentation: Annotated[str | None, typer.Option(help="study, field, flip or none. [the preset's]")] = None,
    decode_scale: Annotated[
        float | None, typer.Option(help="Decode images larger by this factor, for crops. [the preset's]")
    ] = None,
    margin: Annotated[float | None, typer.Option(hidden=True)] = None,
    pretrained: Annotated[
        bool | None, typer.Option("--pretrained/--from-scratch", help="Start from ImageNet's weights. [the preset's]")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="ImageNet's weights (…_notop.h5), where none can be downloaded.")
    ] = None,
    label_smoothing: Annotated[
        float | None, typer.Option(help="Share of each label that is spread over all classes. [the preset's]")
    ] = None,
    layerwise_lr_decay: Annotated[
        float | None,
        typer.Option(
            help="Factor of the learning rate from one fifth of the network to the fifth before it. [the preset's]"
        ),
    ] = None,
    rate_decay: Annotated[float | None, typer.Option(hidden=True)] = None,
    validation: Validation = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    precision: Annotated[str | None, typer.Option(help="float32, bfloat16 or float16. [the preset's]")] = None,
    change: Changes = None,
    seed: Annotated[int, typer.Option(help="Of the weights, the order and the augmentation.")] = 0,
    max_minutes: MaxMinutes = None,
    restart: Restart = False,
    skip_bad: SkipBad = False,
    scratch: Scratch = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Train a classifier, whose layers embed then turns into vectors.

    The same command goes on where a stopped training was; Ctrl-C, SIGTERM and SIGUSR1 save and
    stop it with exit code 85. MODEL/training holds its log, its checkpoints and its settings. The
    epoch that predicts the held-out images best is kept.

    \b
    Example:
      simtool train-resnet cub/images.parquet --out resnet --preset study
      simtool train-resnet cub/images.parquet --out tuned --preset fine-tune --epochs 10 --set ema=0
      simtool embed cub/images.parquet --model resnet --layer penultimate --out penultimate.parquet
    """
    from simtool.models.classifier.presets import PRESETS
    from simtool.tables.images import read_images
    from simtool.training.images import Classes, check_classes
    from simtool.training.split import split_images

    if weights is not None and pretrained is False:
        raise typer.BadParameter("--weights are ImageNet's, and --from-scratch takes none: give one of them")
    chosen = preset_of(PRESETS, preset)
    of_model, of_training = _sorted(change or ())
    config = chosen.config.changed(
        **{
            "architecture": architecture,
            "recipe": recipe,
            "size": size,
            "augmentation": augmentation,
            "decode_scale": margin if decode_scale is None else decode_scale,
            "pretrained": True if weights is not None and pretrained is None else pretrained,
            "label_smoothing": label_smoothing,
            "layerwise_lr_decay": rate_decay if layerwise_lr_decay is None else layerwise_lr_decay,
            **of_model,
        }
    )
    settings = chosen.settings.changed(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        precision=precision,
        max_minutes=max_minutes,
        seed=seed,
    ).overridden(of_training)
    plan = replace(chosen, config=config, settings=settings, validation=validation or chosen.validation)
    with stage("train-resnet", reads=[images, weights], writes=[Folder(out)]) as run:
        table = read_images(images)
        run.read(images, counted(len(table), "images"))
        classes = Classes(table)
        split = split_images(table, plan.validation, settings.seed)
        check_classes(classes, split, least=2)
        if dry_run:
            _describe(plan, classes, split, as_json)
            return
        _train(run, plan, images, table, classes, split, out, weights, restart, skip_bad, scratch)


def _sorted(changes: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Changes of the model, whose values become numbers, and those of the training."""
    from simtool.models.classifier.config import ClassifierConfig
    from simtool.training.settings import current_names

    defaults = ClassifierConfig().to_json()
    of_model: dict[str, Any] = {}
    of_training = []
    for change in changes:
        name, _, value = change.partition("=")
        (known,) = current_names({name.strip().replace("-", "_"): value})
        if isinstance(defaults.get(known), float):
            try:
                of_model[known] = float(value)
            except ValueError:
                raise typer.BadParameter(f"{name} is a number, not {value}", param_hint="--set") from None
        elif known in defaults:
            raise typer.BadParameter(f"{name} has an option of its own", param_hint="--set")
        else:
            of_training.append(change)
    return of_model, of_training


def _describe(plan: Preset, classes: Classes, split: Split, as_json: bool) -> None:
    """What would be trained."""
    from simtool.models.classifier.footprint import training_bytes
    from simtool.models.classifier.network import build, count_parameters
    from simtool.training.images import decoded_bytes

    config = plan.config
    network = build(config, len(classes.names))
    photographs = decoded_bytes(len(split.train) + len(split.validation), config.decoded)
    facts = {
        "classes": len(classes.names),
        "training_images": len(split.train),
        "validation_images": len(split.validation),
        "validation": plan.validation,
        "trainable_parameters": count_parameters(network),
        "parameters": network.count_params(),
        "peak_bytes": training_bytes(network, plan.settings, photographs),
        "model": config.to_json(),
        "training": plan.settings.to_json(),
        "preprocessing": config.preprocessing.to_json(),
    }
    describe(facts, as_json)


def _train(
    run: Run,
    plan: Preset,
    images: Path,
    table: Images,
    classes: Classes,
    split: Split,
    out: Path,
    weights: Path | None,
    restart: bool,
    skip_bad: bool,
    scratch: Path | None,
) -> None:
    from simtool.training.data import check_even
    from simtool.training.devices import open_devices
    from simtool.training.images import TrainingImages, check_classes, decoded_bytes
    from simtool.training.optimizer import layer_precision

    # Before TensorFlow does anything else, the decoding of photographs included.
    devices = open_devices()
    from simtool.models.classifier.footprint import check_room
    from simtool.models.classifier.model import Classifier
    from simtool.models.classifier.network import build, load_backbone
    from simtool.models.classifier.task import Classification
    from simtool.system.memory import available_memory
    from simtool.tensorflow import load_tensorflow

    config, settings, room = plan.config, plan.settings, available_memory()
    with devices.scope(), layer_precision(settings.precision):
        import keras

        keras.utils.set_random_seed(settings.seed)
        network = build(config, len(classes.names))
        if config.pretrained:
            load_backbone(network, config, weights)
        task = Classification(network, config)
    if not load_tensorflow().config.list_physical_devices("GPU"):
        check_room(network, settings, decoded_bytes(len(table), config.decoded), room)
    with alone(out, run.name, devices):
        pixels, split = decoded(images, table, split, config.decoded, "nearest", skip_bad, scratch)
        check_classes(classes, split)
        data = TrainingImages(pixels, split, settings.batch_size, settings.seed, classes.labels)
        check_even(data.batch_size, devices)
        configuration = {
            "model": config.to_json(),
            "classes": list(classes.names),
            "validation": plan.validation,
            **({"scaled": True} if config.scaled else {}),
            "table": identity_of(images, table, out),
        }
        run_training(
            run,
            out,
            task,
            data,
            settings,
            devices,
            configuration,
            restart,
            model=lambda: Classifier(config, network, classes.names),
            summary=lambda result: _summary(result, config, len(classes.names)),
        )


def _summary(result: Result, config: ClassifierConfig, classes: int) -> str:
    kept = f"epoch {result.best_epoch} of {result.epochs}, " if result.best_epoch else f"epoch {result.epochs}, "
    accuracy = f" right on {result.best_value:.3f} of the held-out images," if result.best_epoch else ""
    steps = counted(result.steps, "steps")
    return f"{config.architecture} of {classes:,} classes: {kept}{accuracy} {steps}".replace(",  ", ", ")
