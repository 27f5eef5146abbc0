"""``simtool train-glow``: a flow between photographs and latents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    from simtool.images.preprocessing import Preprocessing
    from simtool.models.flows.glow.presets import Preset
    from simtool.tables.images import Images
    from simtool.training.images import Classes
    from simtool.training.outcome import Result
    from simtool.training.split import Split

__all__ = ["train_glow"]


def train_glow(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="A table of images.")],
    out: Out,
    preset: Annotated[str, typer.Option(help="study, openai, small or tiny; options change its values.")] = "study",
    size: Size = None,
    levels: Annotated[int | None, typer.Option(min=1, help="Scales of the latents. [the preset's]")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps at each scale. [the preset's]")] = None,
    width: Annotated[
        int | None, typer.Option(min=1, help="Hidden channels of the coupling networks. [the preset's]")
    ] = None,
    coupling: Annotated[str | None, typer.Option(help="affine or additive. [the preset's]")] = None,
    variant: Annotated[str | None, typer.Option(help="glow or study. [the preset's]")] = None,
    arrangement: Annotated[str | None, typer.Option(hidden=True)] = None,
    bits: Annotated[int | None, typer.Option(min=1, max=8, help="Of each color value. [the preset's]")] = None,
    class_conditional: Annotated[
        bool, typer.Option("--class-conditional", help="Learn a prior of the deepest scale for each class.")
    ] = False,
    recipe: Annotated[str | None, typer.Option(help="Preprocessing: study or square. [the preset's]")] = None,
    crop: Annotated[float | None, typer.Option(help="Central part of each side that is kept. [the recipe's]")] = None,
    flips: Annotated[
        bool | None, typer.Option("--flips/--no-flips", help="Mirror half of the images. [the preset's]")
    ] = None,
    initial_images: Annotated[
        int | None, typer.Option(min=1, help="Images that set the first scales. [the preset's]")
    ] = None,
    backprop: Annotated[
        str | None, typer.Option(metavar="MODE", help="plain, recompute or reversible. [the preset's]")
    ] = None,
    split: Annotated[str, typer.Option(help="Use this split of the table only: train or test.")] = "all",
    validation: Validation = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    precision: Annotated[
        str | None, typer.Option(help="In the networks: float32, bfloat16 or float16. [the preset's]")
    ] = None,
    change: Changes = None,
    seed: Annotated[int, typer.Option(help="Of the weights, the order and the noise.")] = 0,
    max_minutes: MaxMinutes = None,
    restart: Restart = False,
    skip_bad: SkipBad = False,
    scratch: Scratch = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Train Glow, a normalizing flow, whose latents embed then turns into vectors.

    The same command goes on where a stopped training was; Ctrl-C, SIGTERM and SIGUSR1 save and
    stop it with exit code 85. MODEL/training holds its log, its checkpoints and its pictures. The epoch that
    gives the held-out images the shortest code (bits per dimension) is kept. With --backprop
    reversible, memory does not grow with the steps.

    \b
    Example:
      simtool train-glow cub/images.parquet --out glow --preset small --max-minutes 60
      simtool train-glow cub/images.parquet --out glow --preset study --dry-run
      simtool embed cub/images.parquet --model glow --layer latent --out latents.parquet
    """
    from simtool.models.flows.config import MODES
    from simtool.models.flows.glow.presets import PRESETS
    from simtool.tables.images import read_images
    from simtool.training.images import Classes, check_classes
    from simtool.training.settings import with_given
    from simtool.training.split import split_images

    if backprop is not None and backprop not in MODES:
        raise typer.BadParameter(f"the modes are {', '.join(MODES)}, not {backprop}", param_hint="--backprop")
    chosen = preset_of(PRESETS, preset)
    settings = chosen.settings.changed(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        precision=precision,
        max_minutes=max_minutes,
        seed=seed,
    ).overridden(change or ())
    with stage("train-glow", reads=[images], writes=[Folder(out)]) as run:
        table = read_images(images).where_split(split)
        run.read(images, counted(len(table), "images") + ("" if split == "all" else f" of split {split}"))
        classes = Classes(table) if class_conditional else None
        plan = with_given(
            chosen,
            flow=with_given(
                chosen.flow,
                size=size,
                levels=levels,
                steps=steps,
                width=width,
                coupling=coupling,
                variant=arrangement if variant is None else variant,
                bits=bits,
                classes=len(classes.names) if classes else 0,
                compute_dtype=settings.precision,
            ),
            settings=settings,
            validation=validation,
            mode=backprop,
            initial_images=initial_images,
            recipe=recipe,
            flips=flips,
        )
        preparation = _preparation(plan, crop)
        holdout = split_images(table, plan.validation, settings.seed)
        if classes:
            check_classes(classes, holdout)
        if dry_run:
            _describe(plan, preparation, holdout, as_json)
            return
        _train(run, plan, preparation, images, table, classes, holdout, out, restart, skip_bad, scratch)


def _preparation(plan: Preset, crop: float | None) -> Preprocessing:
    """What each image goes through before the flow."""
    from simtool.images.preprocessing import named_preprocessing

    found = named_preprocessing(plan.recipe).adjusted(plan.flow.size, crop)
    if found.colors != named_preprocessing("study").colors:
        raise typer.BadParameter(f"Glow needs colors from -0.5 to 0.5, which {plan.recipe} does not give")
    return found


def _describe(plan: Preset, preparation: Preprocessing, holdout: Split, as_json: bool) -> None:
    """What would be trained."""
    from simtool.models.flows.config import MODES
    from simtool.models.flows.glow.footprint import training_bytes
    from simtool.tensorflow import load_tensorflow
    from simtool.training.images import decoded_bytes

    load_tensorflow()
    from simtool.models.flows.glow.flow import GlowFlow

    photographs = decoded_bytes(len(holdout.train) + len(holdout.validation), preparation)
    shapes = GlowFlow.shapes(plan.flow)
    peaks = {mode: training_bytes(plan.flow, plan.settings, mode, shapes, photographs) for mode in MODES}
    facts = {
        "training_images": len(holdout.train),
        "validation_images": len(holdout.validation),
        "validation": plan.validation,
        "trainable_parameters": GlowFlow.count_parameters(plan.flow),
        "backprop": plan.mode,
        "peak_bytes": peaks[plan.mode],
        "peak_bytes_by_backprop": peaks,
        "initial_images": plan.initial_images,
        "flips": plan.flips,
        "model": plan.flow.to_json(),
        "training": plan.settings.to_json(),
        "preprocessing": preparation.to_json(),
    }
    describe(facts, as_json)


def _train(
    run: Run,
    plan: Preset,
    preparation: Preprocessing,
    images: Path,
    table: Images,
    classes: Classes | None,
    holdout: Split,
    out: Path,
    restart: bool,
    skip_bad: bool,
    scratch: Path | None,
) -> None:
    from simtool.training.devices import open_devices
    from simtool.training.images import TrainingImages, check_classes, decoded_bytes

    # Before TensorFlow does anything else, the decoding of photographs included.
    devices = open_devices()
    from simtool.models.flows.glow.flow import GlowFlow
    from simtool.models.flows.glow.footprint import check_room
    from simtool.models.flows.glow.model import Glow
    from simtool.models.flows.task import FlowTask
    from simtool.system.memory import available_memory
    from simtool.tensorflow import load_tensorflow

    settings, names = plan.settings, classes.names if classes else ()
    plan.flow.check_initial_images(min(plan.initial_images, len(holdout.train)))
    if not load_tensorflow().config.list_physical_devices("GPU"):
        photographs = decoded_bytes(len(table), preparation)
        check_room(plan.flow, settings, plan.mode, GlowFlow.shapes(plan.flow), photographs, available_memory())
    with alone(out, run.name, devices):
        pixels, holdout = decoded(images, table, holdout, preparation, "floor", skip_bad, scratch)
        plan.flow.check_initial_images(min(plan.initial_images, len(holdout.train)))
        if classes:
            check_classes(classes, holdout)
        data = TrainingImages(pixels, holdout, settings.batch_size, settings.seed, classes.labels if classes else None)
        examples = pixels[(holdout.validation if len(holdout.validation) else holdout.train)[:_EXAMPLES]]
        with devices.scope():
            flow = GlowFlow(plan.flow, settings.seed)
            task = FlowTask(flow, preparation, plan.mode, plan.flips, plan.initial_images, examples, settings.seed)
        configuration = {
            "model": plan.flow.to_json(),
            "preprocessing": preparation.to_json(),
            "flips": plan.flips,
            "initial_images": plan.initial_images,
            "classes": list(names),
            "validation": plan.validation,
            "images": len(table),
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
            model=lambda: Glow(preparation, flow, names),
            summary=_summary,
        )


#: Photographs that pictures are made from.
_EXAMPLES = 6


def _summary(result: Result) -> str:
    steps = counted(result.steps, "steps")
    if not result.best_epoch:
        return f"Glow after {steps}"
    return f"Glow of epoch {result.best_epoch}: {result.best_value:.3f} bits per dimension of held-out images; {steps}"
