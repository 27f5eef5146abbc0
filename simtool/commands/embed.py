"""``simtool embed``: images become vectors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simtool import console, stages
from simtool.commands.options import Deterministic, Device, file, number, whole, word
from simtool.errors import UsageError
from simtool.models.sources import labels, option_help, usages
from simtool.text import counted, printable

if TYPE_CHECKING:
    from simtool.models.interface import LayerShape

__all__ = ["embed"]

_POOLING = "; maps are averaged over their places, which --pool and --window change"


def embed(
    model: Annotated[str, typer.Option(metavar=usages(), help=f"{labels()}.")],
    images: Annotated[Path | None, typer.Argument(metavar="IMAGES", help="A table of images.")] = None,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out", metavar="TABLE", help="The Parquet table of embeddings to write; with --shard, a folder."
        ),
    ] = None,
    layer: Annotated[
        list[str] | None,
        word(help=f"Layer of the network; repeat --layer and --out for several layers. {option_help('layer')}"),
    ] = None,
    pool: Annotated[str | None, word(help=f"Pooling, for each --layer that states none. {option_help('pool')}")] = None,
    window: Annotated[float | None, number(help=option_help("window"))] = None,
    list_layers: Annotated[
        bool, typer.Option("--list-layers", help="List the layers of the model; do not embed. Needs no IMAGES.")
    ] = False,
    noise: Annotated[float | None, number(min=0, help=option_help("noise"))] = None,
    components: Annotated[int | None, whole(min=1, help=option_help("components"))] = None,
    precision: Annotated[str | None, word(help=option_help("precision"))] = None,
    runtime: Annotated[str | None, word(help=option_help("runtime"))] = None,
    xla: Annotated[bool, typer.Option("--xla/--no-xla", help=option_help("xla"))] = False,
    size: Annotated[int | None, whole(min=1, help=option_help("size"))] = None,
    crop: Annotated[float | None, number(help=option_help("crop"))] = None,
    recipe: Annotated[
        str | None, word(help=f"Preprocessing: a name, or a .json file with its steps. {option_help('preprocessing')}")
    ] = None,
    trust_code: Annotated[bool, typer.Option("--trust-code", help=option_help("trust_code"))] = False,
    weights: Annotated[Path | None, file(help=option_help("weights"))] = None,
    signature: Annotated[str | None, word(help=option_help("signature"))] = None,
    untrained: Annotated[
        bool, typer.Option("--untrained", help=f"Embed with an untrained control. {option_help('untrained')}")
    ] = False,
    seed: Annotated[int | None, whole(min=0, help=option_help("seed"))] = None,
    device: Device = "auto",
    deterministic: Deterministic = None,
    split: Annotated[str, word(help="Embed this split of the table only: train or test.")] = "all",
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N|none",
            help="Embed one of N parts, I from 0 to N-1; none: all images. [the part of a SLURM task, else none]",
        ),
    ] = None,
    name: Annotated[list[str] | None, word(help="The label in reports, one for each --out. [the model's name]")] = None,
    float16: Annotated[
        bool, typer.Option("--float16", help="Store 16-bit numbers: half the size, 3 significant digits.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out images that cannot be decoded, and record which.")
    ] = False,
    batch_size: Annotated[int, whole(min=1, help="Number of images that are embedded together.")] = 64,
) -> None:
    """Turn images into vectors: a table with one row per image, in the order of IMAGES.

    A model folder has its own preprocessing. With --shard, N runs (for example one per node)
    write parts into one folder, which the later stages read as one table. The tasks of a SLURM
    array choose their parts automatically. A part that the same command wrote from the same
    inputs is not written again. Several layers of a network are computed in one pass. Memory
    stays small, however many images there are.

    \b
    Example:
      simtool embed cub/images.parquet --model pixels --out pixels.parquet
      simtool embed cub/images.parquet --model colour --window 0.5 --out colour.parquet
      simtool embed cub/images.parquet --model pca --components 100 --out pca-100.parquet
      simtool embed cub/images.parquet --model pca --shard 3/16 --out pca-1000
      simtool embed cub/images.parquet --model glow --layer latent --out latent.parquet \\
          --layer posterior --out posterior.parquet
      simtool embed cub/images.parquet --model birds.keras --recipe caffe --out birds.parquet
      simtool embed cub/images.parquet --model keras:ResNet50 --layer avg_pool --out resnet50.parquet
      simtool embed cub/images.parquet --model glow --untrained --seed 1 --out control-1.parquet
      simtool embed --model keras:ResNet50 --list-layers
      simtool embed cub/images.parquet --model dino.onnx --recipe torch --precision bfloat16 \\
          --out dino.parquet
    """
    import os

    from simtool.images.shards import chosen_shard

    if list_layers:
        if untrained or seed is not None:
            raise UsageError("an untrained model has the layers of the trained one; leave out --untrained and --seed")
        found = stages.list_layers(
            model, preprocessing=recipe, size=size, trust_code=trust_code, weights=weights, signature=signature
        )
        if [layer.name for layer in found] == [""]:
            console.result_text(printable(f"{model}: {_described(found[0])}; there is no choice of layers"))
            return
        averaged = any(math.prod(layer.shape) > layer.dimension for layer in found)
        console.result_facts(
            f"{model}: {counted(len(found), 'layers')}{_POOLING if averaged else ''}",
            [(name, _described(layer)) for name, layer in _without_steps(found)],
        )
        return
    if images is None or not out:
        raise UsageError("embed needs IMAGES, a table of images, and --out; --list-layers needs --model alone")
    stages.embed(
        images,
        model,
        out,
        layers=layer or (),
        pool=pool,
        window=window,
        names=name or (),
        preprocessing=recipe,
        size=size,
        crop=crop,
        noise=noise,
        components=components,
        precision=precision,
        runtime=runtime,
        xla=xla,
        trust_code=trust_code,
        weights=weights,
        signature=signature,
        untrained=untrained,
        seed=seed,
        device=device,
        deterministic=bool(deterministic),
        split=split,
        shard=chosen_shard(shard, os.environ),
        float16=float16,
        skip_bad=skip_bad,
        batch_size=batch_size,
    )


def _without_steps(layers: Sequence[LayerShape]) -> Iterator[tuple[str, LayerShape]]:
    """The layers with their names; one line for the layers ``/step-1``, ``/step-2``, ... of a level."""
    for (_, of_steps), steps in groupby(layers, key=lambda layer: layer.name.partition("/step-")[:2]):
        first, *others = steps
        last = f" to step-{len(others) + 1}" if of_steps and others else ""
        yield first.name + last, first


def _described(layer: LayerShape) -> str:
    """The length of the vectors of a layer, and the map that they average."""
    values = counted(layer.dimension, "values")
    if layer.shape in ((), (layer.dimension,)):
        return values
    shape = " x ".join(f"{side:,}" for side in layer.shape)
    averaged = math.prod(layer.shape) > layer.dimension
    return f"{values}, the mean of a map of {shape}" if averaged else f"{values}, {shape}"
