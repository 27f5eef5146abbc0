"""Embed: from images to vectors."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simtool import console
from simtool.errors import UsageError, listed, wrong_usage
from simtool.images.given import GivenImages
from simtool.images.pipeline import BadImage, check_files, described, stream
from simtool.images.preprocessing import Preprocessing
from simtool.images.shards import Shard
from simtool.models.interface import LayerShape, Model
from simtool.models.runtimes import Execution
from simtool.models.sources import ModelOptions, source_of
from simtool.pillow import ImageError
from simtool.stages.arguments import at_least
from simtool.stages.device import starting, use_device
from simtool.stages.run import Folder, Place, Run, api, files_of, path_of, stage, table_file
from simtool.system.space import running_out_of_space
from simtool.tables.digest import files_digest, images_digest, images_sample
from simtool.tables.embeddings import (
    EmbeddingCollector,
    EmbeddingInfo,
    EmbeddingTable,
    EmbeddingWriter,
    open_embeddings,
)
from simtool.tables.files import part_name, require_set_of
from simtool.tables.freshness import is_fresh
from simtool.tables.images import Images
from simtool.text import counted

__all__ = ["embed", "list_layers"]


@dataclass(frozen=True)
class _Selection:
    """The images to embed, with their files.

    Attributes:
        images: of this part.
        paths: their files.
        digests: the fields of :class:`EmbeddingInfo` that identify the images.
        given: the images of all parts, from which initial weights can follow.
    """

    images: Images
    paths: list[Path]
    digests: dict[str, Any]
    given: GivenImages


@dataclass(frozen=True)
class _Output:
    """A table to make. None is the default layer, and a table in memory."""

    layer: str | None
    path: Path | None
    info: EmbeddingInfo


@api
def embed(
    images: str | Path | Images,
    model: str | Path | Model,
    out: str | Path | Sequence[str | Path] | None = None,
    *,
    layers: Sequence[str] = (),
    pool: str | None = None,
    window: float | None = None,
    names: Sequence[str] = (),
    preprocessing: str | Preprocessing | None = None,
    size: int | None = None,
    crop: float | None = None,
    noise: float | None = None,
    components: int | None = None,
    precision: str | None = None,
    runtime: str | None = None,
    xla: bool = False,
    trust_code: bool = False,
    weights: str | Path | None = None,
    signature: str | None = None,
    untrained: bool = False,
    seed: int | None = None,
    device: str = "auto",
    deterministic: bool = False,
    split: str = "all",
    shard: Shard | None = None,
    float16: bool = False,
    skip_bad: bool = False,
    batch_size: int = 64,
) -> list[EmbeddingTable]:
    """Turn images into vectors: one table for each layer, with one row for each image.

    Several layers are computed in one pass. With ``out``, memory stays small, however many images there are.

    Args:
        images: a table of images. The files of a table in memory lie below the current folder.
        model: ``pixels``, ``colour``, ``histogram``, ``gabor``, ``keras:NAME`` for a network of ``keras.applications``,
            the path of a model folder, a ``.keras`` file, an ``.onnx`` file or a SavedModel (see
            :mod:`simtool.models.sources`), or an open model.
        out: the Parquet file of each table; with ``shard``, the folder of each table. None keeps the tables in memory.
        layers: of the model, one for each table. Empty for the model's default. A layer can state its pooling after its
            name: ``conv4_block6_out:pool=mean+std,window=0.5``.
        pool: how maps of activations become vectors: ``mean``, ``mean+std``, ``max``, ``flat``, or for a flow
            ``surprise``; for each layer that states no pooling. None is ``mean``.
        window: the central part of each side of a map that is used, above 0, at most 1; for each layer that states no
            pooling. None uses the whole map. For ``colour``, ``histogram`` and ``gabor``, the part of the image.
        names: the label of each table in reports. Empty for the model's names.
        preprocessing: for pixels, baselines and files of networks, a preprocessing or its name.
        size: height and width in pixels, for pixels, baselines and files of networks.
        crop: the fraction of each side that the central crop keeps, for pixels, baselines and files of networks.
        noise: the variance that Glow's posterior assumes for all dimensions. None measures it for each dimension.
        components: how many components of a PCA to keep. None keeps all.
        precision: ``float32`` or ``bfloat16``, for networks. None is ``float32``.
        runtime: ``tensorflow`` or ``openvino``, which computes a network. None is the usual one of the model.
        xla: compile a network with XLA, for the runtime ``tensorflow``.
        trust_code: run code that a ``.keras`` file holds.
        weights: a file of weights for ``keras:NAME``. None downloads the published weights of ImageNet once.
        signature: the function of a SavedModel that is called. None is ``serving_default``, or the only one.
        untrained: embed with the same architecture at initialisation, as a control: a model folder, ``keras:NAME`` or
            a trained model object.
        seed: of the initial weights, with ``untrained``. None is 0.
        device: for networks: ``auto`` takes a GPU, else the processor; it refuses the processor in a job of SLURM with
            GPUs. ``gpu`` needs a GPU, and ``cpu`` uses none.
        deterministic: on a GPU, use slower operations of TensorFlow that give the same bits in every run.
        split: embed the images of this split only.
        shard: embed this part of the images only. A part that exists and is up to date is not written again.
        float16: write half the bytes, with 3 significant digits.
        skip_bad: leave out images that cannot be decoded, and record them in the metadata.
        batch_size: images that are embedded together.

    Returns:
        The tables, in the order of ``layers``. A part without images gives no table.

    Raises:
        UsageError: options do not apply to the model or do not fit together.
        DeviceError: the device cannot be used.
        ModelError: the model cannot be read, or has no such layer or components.
        ImageError: an image is missing or cannot be decoded.
        PlaceError: an output would replace an input.
        TableError: the table of images cannot be read.

    Example:
        >>> from simtool import stages
        >>> [pixels] = stages.embed("cub/images.parquet", "pixels")  # doctest: +SKIP
        >>> layers = ["latent", "posterior"]
        >>> latent, posterior = stages.embed("cub/images.parquet", "glow", layers=layers)  # doctest: +SKIP
    """
    at_least(1, batch_size=batch_size, components=components)
    at_least(0, noise=noise)
    options = ModelOptions(
        preprocessing=preprocessing,
        size=size,
        crop=crop,
        trust_code=trust_code,
        layer=tuple(layers),
        pool=pool,
        window=window,
        noise=noise,
        components=components,
        precision=precision,
        runtime=runtime,
        xla=xla,
        weights=path_of(weights),
        signature=signature,
        untrained=untrained,
        seed=seed,
    )
    source = source_of(model, options)
    places = [Path(path) for path in ([out] if isinstance(out, str | Path) else out or ())]
    tables = len(places) or len(layers) or 1
    _one_each("--layer", layers, tables)
    chosen_names = _one_each("--name", names, tables)
    writes = [table_file(path) if shard is None else Folder(path) for path in places]
    with stage(
        "embed", reads=[path_of(images), _place(source.path), *source.inputs, options.weights], writes=writes
    ) as run:
        with starting(source, options) as started:
            use_device(run, source, options, device, deterministic)
            started()
            selection = _select(run, images, split, shard, skip_bad)
            files: list[Path | None] = [*_files(places, shard)] or [None] * tables
            embedder = source.control(options, selection.given) if untrained else source.open(options)
            started()
        chosen_layers = _one_each("--layer", source.layers(options, embedder), tables)
        outputs = [
            _described(embedder, *each, selection) for each in zip(chosen_layers, files, chosen_names, strict=True)
        ]
        if source.path is not None:
            run.read(source.path, listed([output.info.name for output in outputs]), source.inputs)
        if options.weights is not None:
            run.read(options.weights, f"weights of {listed([output.info.name for output in outputs])}")
        left = [output for output in outputs if _is_left(output, run, selection.images, float16)]
        stale = [output for output in outputs if output not in left]
        bad: list[BadImage] = []
        writers = [run.embeddings(output.path, output.info, float16) for output in stale]
        if stale:
            wanted = [output.layer for output in stale]
            values = len(selection.images) * sum(output.info.dimension for output in stale)
            size, what = (2 if float16 else 4) * values, "the table" if len(stale) == 1 else f"{len(stale)} tables"
            with running_out_of_space(stale[0].path or Path(), size, what):
                bad = _write(writers, wanted, embedder, selection, batch_size, skip_bad, whole=shard is None)
        if bad:
            console.warn(described(bad))
        kept = len(selection.images) - len(bad)
        for output in stale:
            if output.path is not None:
                vectors = f"{counted(kept, 'vectors')} of {counted(output.info.dimension, 'values')}"
                run.wrote(output.path, f"{vectors} ({output.info.name})")
    if left:
        return [open_embeddings(path) for path in files if path is not None]
    return [writer.table for writer in writers] if kept else []


@api
def list_layers(
    model: str | Path | Model,
    *,
    preprocessing: str | Preprocessing | None = None,
    size: int | None = None,
    trust_code: bool = False,
    weights: str | Path | None = None,
    signature: str | None = None,
) -> list[LayerShape]:
    """The layers of a model that :func:`embed` takes. If there is a default, it is the first.

    Args:
        model: as for :func:`embed`.
        preprocessing: as for :func:`embed`. It sets the size of the images, which the shapes of maps depend on.
        size: height and width in pixels, for a network that takes any size.
        trust_code: run code that a ``.keras`` file holds.
        weights: as for :func:`embed`.
        signature: as for :func:`embed`.

    Returns:
        Name, shape of the activations for one image, and length of the vector of each layer.

    Raises:
        UsageError: options do not apply to the model.
        ModelError: the model cannot be read.

    Example:
        >>> from simtool import stages
        >>> stages.list_layers("keras:ResNet50")[0]  # doctest: +SKIP
        LayerShape(name='penultimate', shape=(2048,), dimension=2048)
    """
    options = ModelOptions(
        preprocessing=preprocessing,
        size=size,
        trust_code=trust_code,
        weights=path_of(weights),
        signature=signature,
    )
    return source_of(model, options).inspected(options).all_layers()


def _place(path: Path | None) -> Place | None:
    return Folder(path) if path is not None and path.is_dir() else path


def _one_each(option: str, given: Sequence[str], tables: int) -> list[str | None]:
    """The values of an option, one for each table; None for all where the option is not given."""
    if given and len(given) != tables:
        raise UsageError(f"give one {option} for each --out, not {len(given)} for {tables}")
    if not given and tables > 1 and option == "--layer":
        raise UsageError(f"{tables} tables of the same layer; give one --layer for each --out")
    return list(given) or [None] * tables


def _select(run: Run, images: str | Path | Images, split: str, shard: Shard | None, skip_bad: bool) -> _Selection:
    """Read the table of images, and check that all files exist."""
    place = path_of(images)
    table = run.read_images(images, split, note=False)
    paths = files_of(images, table)
    digests: dict[str, Any] = {"images_digest": images_digest(table), "images_sample": images_sample(paths)}
    given = GivenImages(table.image_id, paths, (lambda _: None) if skip_bad else None)
    if shard is not None:
        rows = shard.rows(len(table))
        table, paths = table.take(rows), [paths[row] for row in rows]
        digests["files_digest"] = files_digest(paths)
    if place is not None:
        run.read(place, counted(len(table), "images") + ("" if shard is None else f" of part {shard}"))
    check_files(table.image_id, paths)
    return _Selection(table, paths, digests, given)


def _files(places: Sequence[Path], shard: Shard | None) -> list[Path]:
    """The file of each table; with a shard, its part in each folder, which may hold no parts of another set."""
    if shard is None:
        return list(places)
    for folder in places:
        require_set_of(folder, shard.count)
    return [folder / part_name(shard.index, shard.count) for folder in places]


def _described(
    embedder: Model, layer: str | None, path: Path | None, name: str | None, selection: _Selection
) -> _Output:
    with wrong_usage():
        output = embedder.output(layer)
    state = "" if embedder.untrained is None else f", untrained, seed {embedder.untrained}"
    info = EmbeddingInfo(
        name=name or f"{output.name}{state}",
        dimension=output.dimension,
        shape=output.shape,
        segments=output.segments,
        preprocessing=embedder.preprocessing.to_text(),
        model=embedder.weights,
        layer=output.layer,
        untrained=embedder.untrained,
        origin=embedder.origin,
        **_computed(embedder.execution),
        **selection.digests,
    )
    return _Output(layer, path, info)


def _computed(execution: Execution | None) -> dict[str, Any]:
    """Runtime and precision, for the metadata; the device line tells the rest."""
    return {} if execution is None else {"runtime": execution.runtime, "precision": execution.precision}


def _is_left(output: _Output, run: Run, images: Images, float16: bool) -> bool:
    """Whether a part exists and is up to date; if so, a note says it. Other tables are always written again."""
    if output.path is None or output.info.files_digest is None:
        return False
    if not is_fresh(output.path, images.image_id, output.info, run.provenance(), float16):
        return False
    console.note(f"left   {output.path}: the same command wrote it from the same inputs; delete it to embed again")
    return True


def _write(
    writers: Sequence[EmbeddingWriter | EmbeddingCollector],
    layers: Sequence[str | None],
    embedder: Model,
    selection: _Selection,
    batch_size: int,
    skip_bad: bool,
    whole: bool,
) -> list[BadImage]:
    """Embed the images batch by batch, give the vectors of each layer to its writer, and return the images left out.

    ``whole`` tells whether these are all images of a table, of which at least one must be decoded.
    """
    bad: list[BadImage] = []
    image_id = selection.images.image_id
    on_bad = bad.append if skip_bad else None
    batches = stream(image_id, selection.paths, embedder.preprocessing, batch_size, on_bad)
    with ExitStack() as stack:
        for writer in writers:
            stack.enter_context(writer)
        with console.progress("embedding", len(image_id), "images") as bar:
            for batch in batches:
                for writer, vectors in zip(writers, embedder.embed_layers(batch.pixels, layers), strict=True):
                    writer.write(image_id[batch.rows], vectors)
                bar.advance(len(batch.rows))
        if bad and len(bad) == len(image_id) and whole:
            raise ImageError(f"no image can be decoded; {described(bad)}")
        for writer in writers:
            writer.skip([image.image_id for image in bad])
    return bad
