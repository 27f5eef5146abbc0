"""``simtool embed``: images become vectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simtool import console
from simtool.commands.stage import stage
from simtool.errors import listed

if TYPE_CHECKING:
    from simtool.images.shards import Shard
    from simtool.models.interface import Model

__all__ = ["embed"]

#: The model that needs no folder; a folder of that name is ./pixels.
PIXELS = "pixels"
#: No part: all images, even in a task of a SLURM array.
WHOLE = "none"


def _shard(text: str | None) -> Shard | None:
    """The part that was asked for; without a word, that of a SLURM task."""
    import os

    from simtool.images.shards import Shard

    if text == WHOLE:
        return None
    try:
        return Shard.from_slurm(os.environ) if text is None else Shard.parse(text)
    except ValueError as failure:
        raise typer.BadParameter(f"{failure}; or say --shard {WHOLE}") from failure


def embed(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="A table of images.")],
    model: Annotated[str, typer.Option(metavar="pixels|MODEL", help="pixels, or a model folder.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="TABLE", help="The table of embeddings to write; with --shard a folder.")
    ],
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of a network. [the one that its model.json names first]")
    ] = None,
    components: Annotated[int | None, typer.Option(min=1, help="Of a PCA: only the first few. [all]")] = None,
    size: Annotated[int | None, typer.Option(min=1, help="Of pixels: height and width. [the recipe's: 128]")] = None,
    crop: Annotated[
        float | None, typer.Option(help="Of pixels: central part of each side that is kept. [the recipe's: 0.8]")
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="Of pixels: study, or square (keeps the aspect). [study]")] = None,
    split: Annotated[str, typer.Option(help="Embed this split of the table only: train or test.")] = "all",
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N|none",
            help="Embed one of N parts, I from 0 to N-1; none: all images. [a SLURM task's part, else none]",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The label in reports. [the model's]")] = None,
    float16: Annotated[bool, typer.Option("--float16", help="Write half the bytes, with 3 digits.")] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out images that cannot be decoded, and record which.")
    ] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Images that are embedded at once.")] = 64,
) -> None:
    """Turn images into vectors: a table with one row per image, in the order of IMAGES.

    A model folder brings its own preprocessing. With --shard, N runs (one per node, say) write
    parts into one folder, which the later stages read as one table. The tasks of a SLURM array
    do so by themselves. A part that stands already, made by the same command from the same inputs,
    is left as it is. Memory stays small however many images there are.

    \b
    Example:
      simtool embed cub/images.parquet --model pixels --out pixels.parquet
      simtool embed cub/images.parquet --model pca --components 100 --out pca-100.parquet
      simtool embed cub/images.parquet --model pca --shard 3/16 --out pca-1000
    """
    from simtool.images.decoding import ImageError
    from simtool.images.pipeline import BadImage, check_files, described, stream
    from simtool.models.folder import MANIFEST
    from simtool.tables.embeddings import EmbeddingInfo, EmbeddingWriter
    from simtool.tables.files import part_name, require_set_of
    from simtool.tables.freshness import is_fresh
    from simtool.tables.images import image_paths, read_images

    if out.resolve() == images.resolve():
        raise typer.BadParameter("--out is the table of images itself")
    part = _shard(shard)
    with stage("embed") as run:
        table = read_images(images).where_split(split)
        if part is not None:
            require_set_of(out, part.count)
            table, out = table.take(part.rows(len(table))), out / part_name(part.index, part.count)
        run.read(images, f"{len(table):,} images" + ("" if part is None else f" of part {part}"))
        paths = image_paths(images, table)
        check_files(table.image_id, paths)
        embedder = _model(model, components, {"--recipe": recipe, "--size": size, "--crop": crop})
        output = embedder.output(layer)
        if model != PIXELS:
            run.read(Path(model), output.name, [Path(model) / MANIFEST])
        info = EmbeddingInfo(
            name=name or output.name,
            dimension=output.dimension,
            shape=output.shape,
            segments=output.segments,
            preprocessing=embedder.recipe.to_text(),
            model=embedder.weights,
        )
        origin = run.provenance()
        if part is not None and is_fresh(out, table.image_id, info, origin, float16):
            console.note(f"left   {out}: the same command wrote it from the same inputs; delete it to embed anew")
            return
        bad: list[BadImage] = []
        with EmbeddingWriter(out, info, origin, float16) as writer:
            batches = stream(table.image_id, paths, embedder.recipe, batch_size, bad.append if skip_bad else None)
            with console.progress("embedding", len(table), "images") as bar:
                for batch in batches:
                    writer.write(table.image_id[batch.rows], embedder.embed(batch.pixels, layer))
                    bar.advance(len(batch.rows))
            if bad and len(bad) == len(table) and part is None:
                raise ImageError(f"no image can be decoded; {described(bad)}")
            writer.skip([image.image_id for image in bad])
        if bad:
            console.warn(described(bad))
        run.wrote(out, f"{len(table) - len(bad):,} vectors of {output.dimension:,} values ({info.name})")


def _model(choice: str, components: int | None, of_pixels: dict[str, Any]) -> Model:
    """The model that the options ask for."""
    from simtool.images.recipes import named_recipe
    from simtool.models.pixels import Pixels
    from simtool.models.registry import load_model

    given = [option for option, value in of_pixels.items() if value is not None]
    if choice != PIXELS and given:
        raise typer.BadParameter(f"{listed(given)} is for --model pixels; a model folder has its own preprocessing")
    loaded: Model
    if choice == PIXELS:
        recipe, size, crop = of_pixels.values()
        loaded = Pixels(named_recipe(recipe or "study").adjusted(size, crop))
    else:
        loaded = load_model(Path(choice))
    return loaded if components is None else loaded.cut(components)
