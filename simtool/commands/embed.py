"""``simtool embed``: images become vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simtool import console
from simtool.errors import listed
from simtool.stages.run import Folder, Place, TableFile, stage
from simtool.text import counted

if TYPE_CHECKING:
    from simtool.images.pipeline import BadImage, Batch
    from simtool.images.shards import Shard
    from simtool.models.interface import Model
    from simtool.tables.embeddings import EmbeddingInfo
    from simtool.tables.images import Images
    from simtool.tables.provenance import Provenance

__all__ = ["embed"]

#: The model that needs no folder; a folder of that name is ./pixels.
PIXELS = "pixels"
#: No part: all images, even in a task of a SLURM array.
WHOLE = "none"
#: The layer that --noise is for.
_POSTERIOR = "posterior"


@dataclass(frozen=True)
class _Table:
    """A table to write: which layer, where, and what it says of itself."""

    layer: str | None
    out: Path
    info: EmbeddingInfo


def _shard(text: str | None) -> Shard | None:
    """The part that was asked for; without a word, that of a SLURM task."""
    import os

    from simtool.images.shards import Shard

    if text == WHOLE:
        return None
    if text is None:
        return Shard.from_slurm(os.environ)
    try:
        return Shard.parse(text)
    except ValueError as failure:
        raise typer.BadParameter(f"{failure}; or say --shard {WHOLE}") from failure


def embed(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="A table of images.")],
    model: Annotated[
        str, typer.Option(metavar="pixels|MODEL", help="pixels, a model folder, or a .keras file from elsewhere.")
    ],
    out: Annotated[
        list[Path],
        typer.Option("--out", metavar="TABLE", help="The Parquet table of embeddings to write; with --shard a folder."),
    ],
    layer: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Of a network; several, each with its --out. [its model.json's first]"),
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(min=0, help="Of Glow's posterior: the same variance for all dimensions. [measured for each]"),
    ] = None,
    components: Annotated[int | None, typer.Option(min=1, help="Of a PCA: only the first few. [all]")] = None,
    size: Annotated[
        int | None, typer.Option(min=1, help="Of pixels, or a .keras file: height and width. [the recipe's]")
    ] = None,
    crop: Annotated[
        float | None, typer.Option(help="Of pixels: central part of each side that is kept. [the recipe's: 0.8]")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="Of pixels: study, or square (keeps the aspect); of a .keras file: its preprocessing."),
    ] = None,
    trust_code: Annotated[
        bool, typer.Option("--trust-code", help="Run code that a .keras file holds (Lambda layers).")
    ] = False,
    split: Annotated[str, typer.Option(help="Embed this split of the table only: train or test.")] = "all",
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N|none",
            help="Embed one of N parts, I from 0 to N-1; none: all images. [a SLURM task's part, else none]",
        ),
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="The label in reports, one for each --out. [the model's]")
    ] = None,
    float16: Annotated[bool, typer.Option("--float16", help="Write half the bytes, with 3 digits.")] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out images that cannot be decoded, and record which.")
    ] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Images that are embedded at once.")] = 64,
) -> None:
    """Turn images into vectors: a table with one row per image, in the order of IMAGES.

    A model folder brings its own preprocessing. With --shard, N runs (for example one per
    node) write parts into one folder, which the later stages read as one table. The tasks of a
    SLURM array do so by themselves. A part that is there already, made by the same command from
    the same inputs, is left as it is. Several layers of a network are computed in one pass.
    Memory stays small however many images there are.

    \b
    Example:
      simtool embed cub/images.parquet --model pixels --out pixels.parquet
      simtool embed cub/images.parquet --model pca --components 100 --out pca-100.parquet
      simtool embed cub/images.parquet --model pca --shard 3/16 --out pca-1000
      simtool embed cub/images.parquet --model glow --layer latent --out latent.parquet \\
          --layer posterior --out posterior.parquet
      simtool embed cub/images.parquet --model birds.keras --recipe caffe --out birds.parquet
    """
    from simtool.images.pipeline import check_files, described, stream
    from simtool.models.folder import MANIFEST
    from simtool.tables.digest import files_digest, images_digest, images_sample
    from simtool.tables.files import part_name, require_set_of
    from simtool.tables.images import image_paths

    layers = _with_noise(_one_each("--layer", layer, out), noise)
    names = _one_each("--name", name, out)
    part = _shard(shard)
    places: list[Place] = [TableFile(path) for path in out] if part is None else [Folder(folder) for folder in out]
    with stage("embed", reads=[images, *_origins(model)], writes=places) as run:
        table = run.read_images(images).where_split(split)
        digests: dict[str, Any] = {
            "images_digest": images_digest(table),
            "images_sample": images_sample(image_paths(images, table)),
        }
        if part is not None:
            for folder in out:
                require_set_of(folder, part.count)
            table = table.take(part.rows(len(table)))
            out = [folder / part_name(part.index, part.count) for folder in out]
        run.read(images, counted(len(table), "images") + ("" if part is None else f" of part {part}"))
        paths = image_paths(images, table)
        check_files(table.image_id, paths)
        embedder = _model(model, components, {"--recipe": recipe, "--size": size, "--crop": crop}, trust_code)
        if part is not None:
            digests["files_digest"] = files_digest(paths)
        tables = [_described(embedder, *one, digests) for one in zip(layers, out, names, strict=True)]
        if model != PIXELS:
            origins = [Path(model)] if _is_file(model) else [Path(model) / MANIFEST]
            run.read(Path(model), listed([one.info.name for one in tables]), origins)
        origin = run.provenance()
        if part is not None and not (tables := _stale(tables, table, origin, float16)):
            return
        bad: list[BadImage] = []
        batches = stream(table.image_id, paths, embedder.preprocessing, batch_size, bad.append if skip_bad else None)
        _write(tables, embedder, table, batches, bad, origin, float16, whole=part is None)
        if bad:
            console.warn(described(bad))
        for one in tables:
            vectors = f"{counted(len(table) - len(bad), 'vectors')} of {counted(one.info.dimension, 'values')}"
            run.wrote(one.out, f"{vectors} ({one.info.name})")


def _one_each(option: str, given: Sequence[str] | None, out: Sequence[Path]) -> list[str | None]:
    """What was given for each table; nothing for any of them where the option is left out."""
    if given and len(given) != len(out):
        raise typer.BadParameter(f"{len(given)} times {option} for {len(out)} tables: each --out needs its own")
    if not given and len(out) > 1 and option == "--layer":
        raise typer.BadParameter(f"{len(out)} tables of the same layer: each --out needs its own --layer")
    return list(given) if given else [None] * len(out)


def _with_noise(layers: list[str | None], noise: float | None) -> list[str | None]:
    """Layers, with the noise that a posterior shall assume."""
    if noise is None:
        return layers
    if _POSTERIOR not in layers:
        raise typer.BadParameter(f"--noise is for --layer {_POSTERIOR}")
    return [f"{layer}:noise={noise:g}" if layer == _POSTERIOR else layer for layer in layers]


def _described(embedder: Model, layer: str | None, out: Path, name: str | None, digests: Mapping[str, Any]) -> _Table:
    from simtool.tables.embeddings import EmbeddingInfo

    output = embedder.output(layer)
    info = EmbeddingInfo(
        name=name or output.name,
        dimension=output.dimension,
        shape=output.shape,
        segments=output.segments,
        preprocessing=embedder.preprocessing.to_text(),
        model=embedder.weights,
        **digests,
    )
    return _Table(layer, out, info)


def _stale(tables: Sequence[_Table], images: Images, origin: Provenance, float16: bool) -> list[_Table]:
    """The tables that have to be written; says of the others that they stand."""
    from simtool.tables.freshness import is_fresh

    stale = []
    for one in tables:
        if is_fresh(one.out, images.image_id, one.info, origin, float16):
            console.note(f"left   {one.out}: the same command wrote it from the same inputs; delete it to embed again")
        else:
            stale.append(one)
    return stale


def _write(
    tables: Sequence[_Table],
    embedder: Model,
    images: Images,
    batches: Iterable[Batch],
    bad: Sequence[BadImage],
    origin: Provenance,
    float16: bool,
    whole: bool,
) -> None:
    """Embed all images, and write every table as it goes; ``bad`` fills up on the way."""
    from simtool.images.decoding import ImageError
    from simtool.images.pipeline import described
    from simtool.tables.embeddings import EmbeddingWriter

    with ExitStack() as stack:
        writers = [stack.enter_context(EmbeddingWriter(one.out, one.info, origin, float16)) for one in tables]
        layers = [one.layer for one in tables]
        with console.progress("embedding", len(images), "images") as bar:
            for batch in batches:
                for writer, vectors in zip(writers, embedder.embed_layers(batch.pixels, layers), strict=True):
                    writer.write(images.image_id[batch.rows], vectors)
                bar.advance(len(batch.rows))
        if bad and len(bad) == len(images) and whole:
            raise ImageError(f"no image can be decoded; {described(bad)}")
        for writer in writers:
            writer.skip([image.image_id for image in bad])


def _origins(choice: str) -> list[Place]:
    """What the model is read from."""
    if choice == PIXELS:
        return []
    return [Path(choice)] if _is_file(choice) else [Folder(Path(choice))]


def _is_file(choice: str) -> bool:
    """Whether the model is a Keras file, and not a model folder; told by its content.

    Raises:
        ModelError: it is neither of them, nor ``pixels``; the message says what it is.
    """
    from simtool.kinds import Door, KindError, What, explain, kind_of
    from simtool.models.errors import ModelError
    from simtool.models.folder import check_trained

    if choice == PIXELS:
        return False
    check_trained(Path(choice))
    try:
        kind = kind_of(Path(choice))
    except KindError as failure:
        raise ModelError(f"{failure}; --model takes {PIXELS}, a model folder or a .keras file") from failure
    if kind.damage or kind.what not in Door.MODEL.takes:
        raise ModelError(explain(Path(choice), Door.MODEL))
    return kind.what is What.KERAS


def _model(choice: str, components: int | None, of_pixels: dict[str, Any], trust_code: bool) -> Model:
    """The model that the options ask for."""
    from simtool.images.preprocessing import named_preprocessing
    from simtool.models.pixels import Pixels
    from simtool.models.registry import load_model

    given = [option for option, value in of_pixels.items() if value is not None]
    if trust_code and not _is_file(choice):
        raise typer.BadParameter("--trust-code is for .keras files; a model folder holds no code")
    if choice != PIXELS and not _is_file(choice) and given:
        raise typer.BadParameter(f"{listed(given)} is for --model pixels; a model folder has its own preprocessing")
    loaded: Model
    recipe, size, crop = of_pixels.values()
    if _is_file(choice):
        from simtool.models.classifier.keras_file import load_keras_file

        if recipe is None:
            raise typer.BadParameter("a .keras file does not say which preprocessing it needs: name it with --recipe")
        loaded = load_keras_file(Path(choice), named_preprocessing(recipe).adjusted(None, crop), size, trust_code)
    elif choice == PIXELS:
        loaded = Pixels(named_preprocessing(recipe or "study").adjusted(size, crop))
    else:
        loaded = load_model(Path(choice))
    return loaded if components is None else loaded.cut(components)
