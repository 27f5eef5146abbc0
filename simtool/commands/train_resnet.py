"""``simtool train-resnet``: a classifier of photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simtool import console
from simtool.commands.stage import Stage, stage

if TYPE_CHECKING:
    from simtool.images.holdout import Holdout
    from simtool.images.training import Classes, TrainingImages
    from simtool.models.classifier.config import ClassifierConfig
    from simtool.models.classifier.presets import Preset
    from simtool.models.training.outcome import Result
    from simtool.tables.images import Images

__all__ = ["train_resnet"]


def train_resnet(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="A table of images, each with a class.")],
    out: Annotated[Path, typer.Option("--out", metavar="MODEL", help="The model folder to write.")],
    preset: Annotated[str, typer.Option(help="study, fine-tune or tiny; options change its values.")] = "study",
    architecture: Annotated[
        str | None, typer.Option(metavar="NAME", help="A network of keras.applications, or ResNet20. [the preset's]")
    ] = None,
    size: Annotated[int | None, typer.Option(min=1, help="Height and width in pixels. [the preset's]")] = None,
    recipe: Annotated[str | None, typer.Option(help="Preprocessing. [the preset's, or the architecture's]")] = None,
    augmentation: Annotated[str | None, typer.Option(help="study, field, flip or none. [the preset's]")] = None,
    margin: Annotated[
        float | None, typer.Option(help="Decode photographs larger by this factor, to cut from. [the preset's]")
    ] = None,
    pretrained: Annotated[
        bool | None, typer.Option("--pretrained/--from-scratch", help="Start from ImageNet's weights. [the preset's]")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="ImageNet's weights (…_notop.h5), where none can be downloaded.")
    ] = None,
    label_smoothing: Annotated[float | None, typer.Option(help="[the preset's]")] = None,
    rate_decay: Annotated[
        float | None, typer.Option(help="Each fifth of the network learns slower than the next by this. [the preset's]")
    ] = None,
    validation: Annotated[
        str | None, typer.Option(help="Hold out: split, study, a fraction of each class, none. [the preset's]")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="[the preset's]")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="[the preset's]")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="[the preset's]")] = None,
    precision: Annotated[str | None, typer.Option(help="float32, bfloat16 or float16. [the preset's]")] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other setting that --dry-run lists; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the weights, the order and the augmentation.")] = 0,
    max_minutes: Annotated[float | None, typer.Option(help="End properly after so long. [no limit]")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Forget an earlier training in MODEL.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out images that cannot be decoded.")] = False,
    scratch: Annotated[Path | None, typer.Option(metavar="FOLDER", help="For decoded images. [TMPDIR]")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be trained, and how; train nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --dry-run: as one JSON object.")] = False,
) -> None:
    """Train a classifier, whose layers embed then turns into vectors.

    The same command goes on where a stopped training was; SIGTERM and SIGUSR1 save and stop it with
    exit code 85. MODEL/training holds its log, its checkpoints and its settings. The epoch that
    predicts the held-out images best is kept.

    \b
    Example:
      simtool train-resnet cub/images.parquet --out resnet --preset study
      simtool train-resnet cub/images.parquet --out tuned --preset fine-tune --epochs 10 --set ema=0
      simtool embed cub/images.parquet --model resnet --layer penultimate --out penultimate.parquet
    """
    from simtool.images.holdout import hold_out
    from simtool.images.training import Classes, check_classes
    from simtool.models.classifier.presets import PRESETS
    from simtool.tables.images import read_images

    if preset not in PRESETS:
        raise typer.BadParameter(f"the presets are {', '.join(PRESETS)}, not {preset}", param_hint="--preset")
    chosen = PRESETS[preset]
    of_model, of_training = _sorted(change or ())
    config = chosen.config.changed(
        **{
            "architecture": architecture,
            "recipe": recipe,
            "size": size,
            "augmentation": augmentation,
            "margin": margin,
            "pretrained": True if weights is not None and pretrained is None else pretrained,
            "label_smoothing": label_smoothing,
            "rate_decay": rate_decay,
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
    with stage("train-resnet") as run:
        table = read_images(images)
        run.read(images, f"{len(table):,} images")
        classes = Classes(table)
        holdout = hold_out(table, plan.validation, settings.seed)
        check_classes(classes, holdout)
        if dry_run:
            _describe(plan, classes, holdout, as_json)
            return
        data = _decoded(images, table, classes, holdout, plan, skip_bad, scratch)
        _train(run, plan, classes, data, out, weights, restart)


def _sorted(changes: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Changes of the model, whose values become numbers, and those of the training."""
    from simtool.models.classifier.config import ClassifierConfig

    defaults = ClassifierConfig().to_json()
    of_model: dict[str, Any] = {}
    of_training = []
    for change in changes:
        name, _, value = change.partition("=")
        known = name.strip().replace("-", "_")
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


def _describe(plan: Preset, classes: Classes, holdout: Holdout, as_json: bool) -> None:
    """What would be trained."""
    import json

    from simtool.models.classifier.footprint import training_bytes
    from simtool.models.classifier.network import build, count_parameters

    config, settings = plan.config, plan.settings
    network = build(config, len(classes.names))
    decoded = config.decoded.dimension * (len(holdout.train) + len(holdout.validation))
    facts: dict[str, Any] = {
        "classes": len(classes.names),
        "training_images": len(holdout.train),
        "validation_images": len(holdout.validation),
        "validation": plan.validation,
        "trainable_parameters": count_parameters(network),
        "parameters": network.count_params(),
        "peak_bytes": training_bytes(network, settings, decoded),
        "model": config.to_json(),
        "training": settings.to_json(),
        "preprocessing": config.preparation.to_json(),
    }
    if as_json:
        console.result_text(json.dumps(facts, indent=2))
        return
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in {**facts, **facts.pop("model"), **facts.pop("training")}.items():
        if name in ("model", "training", "preprocessing"):
            continue
        shown = (
            console.scaled(value, "B") if name == "peak_bytes" else f"{value:,}" if type(value) is int else str(value)
        )
        table.add_row(name.replace("_", "-"), shown)
    console.result(table)


def _train(
    run: Stage, plan: Preset, classes: Classes, data: TrainingImages, out: Path, weights: Path | None, restart: bool
) -> None:
    from simtool.models.training.devices import open_devices
    from simtool.models.training.loop import train
    from simtool.models.training.outcome import Diverged
    from simtool.models.training.precision import layer_precision

    devices = open_devices()
    from simtool.models.classifier.model import Classifier
    from simtool.models.classifier.network import build, load_backbone
    from simtool.models.classifier.task import Classification
    from simtool.models.folder import MANIFEST, completed_folder

    config, provenance = plan.config, run.provenance()
    with devices.scope(), layer_precision(plan.settings.precision):
        import keras

        keras.utils.set_random_seed(plan.settings.seed)
        network = build(config, len(classes.names))
        if config.pretrained:
            load_backbone(network, config, weights)
        task = Classification(network, config)

    def save(result: Result) -> None:
        if devices.chief:
            with completed_folder(out) as folder:
                Classifier(config, network, classes.names).save(folder, provenance)
            run.wrote(out, _summary(result, config, len(classes.names)))

    configuration = {
        "model": config.to_json(),
        "classes": list(classes.names),
        "validation": plan.validation,
        "images": provenance.inputs[0].sha256,
    }
    try:
        result = train(task, data, plan.settings, out, devices, configuration, restart)
    except Diverged as failure:
        if failure.result is not None:
            save(failure.result)
        raise
    if not result.new_steps and (out / MANIFEST).is_file():
        console.note(f"left   {out}: its training is complete; --restart begins anew")
    else:
        save(result)


def _decoded(
    images: Path,
    table: Images,
    classes: Classes,
    holdout: Holdout,
    plan: Preset,
    skip_bad: bool,
    scratch: Path | None,
) -> TrainingImages:
    from simtool.images.pipeline import BadImage, check_files, described
    from simtool.images.training import TrainingImages, decode_all
    from simtool.tables.images import image_paths

    paths = image_paths(images, table)
    check_files(table.image_id, paths)
    bad: list[BadImage] = []
    with console.progress("decoding", len(table), "images") as bar:
        pixels = decode_all(table, paths, plan.config.decoded, "nearest", scratch, bar, bad if skip_bad else None)
    if bad:
        console.warn(described(bad))
        rows = {str(name): row for row, name in enumerate(table.image_id)}
        holdout = holdout.without([rows[image.image_id] for image in bad])
    return TrainingImages(pixels, holdout, plan.settings.batch_size, plan.settings.seed, classes.labels)


def _summary(result: Result, config: ClassifierConfig, classes: int) -> str:
    kept = f"epoch {result.best_epoch} of {result.epochs}, " if result.best_epoch else f"epoch {result.epochs}, "
    accuracy = f" right on {result.best_value:.3f} of the held-out images," if result.best_epoch else ""
    return f"{config.architecture} of {classes:,} classes: {kept}{accuracy} {result.steps:,} steps".replace(",  ", ", ")
