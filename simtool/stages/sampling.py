"""Sample: images that a trained flow generates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simtool.errors import UsageError, listed
from simtool.ids import match_ids
from simtool.images.pipeline import check_files, stream
from simtool.models.errors import ModelError
from simtool.models.flows.drawing import TEMPERATURES, Painter, write_grid
from simtool.models.flows.model import FlowModel
from simtool.models.interface import TrainedModel
from simtool.models.registry import load_model
from simtool.models.sources import ModelOptions, source_of
from simtool.pillow import ImageError
from simtool.stages.arguments import at_least
from simtool.stages.device import use_device
from simtool.stages.run import Folder, Run, api, files_of, path_of, stage
from simtool.tables.images import Images
from simtool.text import counted

__all__ = ["sample"]

#: The number of random images between which interpolations are drawn.
_ENDS = 7


@api
def sample(
    model: str | Path | TrainedModel,
    out: str | Path | None = None,
    *,
    temperatures: Sequence[float] = (),
    columns: int = 8,
    reconstruct: str | Path | Images | None = None,
    interpolate: str | Path | Images | None = None,
    image_ids: Sequence[str] = (),
    of_class: str | None = None,
    seed: int = 0,
    device: str = "auto",
) -> list[NDArray[np.float32]]:
    """Generate samples of a trained flow, reconstructions of images, or interpolations between images.

    Args:
        model: a model folder, or a model.
        out: the PNG file to write, with one row of images for each array. None writes nothing.
        temperatures: one row of samples for each; without them, six temperatures from 0 to 1.
        columns: images in a row.
        reconstruct: a table of images. The first row holds images of the table; each further row holds the same images
            from fewer scales of their latents.
        interpolate: a table of images. Each row leads from one image to the next.
        image_ids: the images of the table; without them, random images.
        of_class: the class of all samples, for a flow that has classes.
        seed: of the latents and of the choice of images.
        device: as for :func:`~simtool.stages.embed`.

    Returns:
        Rows of images, (columns, height, width, 3) each, from -0.5 to 0.5.

    Raises:
        UsageError: arguments exclude each other, or a name is unknown.
        DeviceError: the device cannot be used.
        ModelError: the model is not a flow.
        SimtoolError: an image cannot be read.

    Example:
        >>> from simtool import stages
        >>> rows = stages.sample("glow", "samples.png", temperatures=[0.7], columns=4)  # doctest: +SKIP
        >>> rows[0].shape  # doctest: +SKIP
        (4, 64, 64, 3)
    """
    at_least(1, columns=columns)
    at_least(0, seed=seed)
    if out is not None and Path(out).suffix.lower() not in ("", ".png"):
        raise UsageError(f"--out {out}: the name of a PNG file ends in .png")
    _check(temperatures, columns, reconstruct, interpolate, image_ids, of_class)
    source = reconstruct if interpolate is None else interpolate
    place = path_of(model)
    with stage("sample", reads=[place and Folder(place), path_of(source)], writes=[path_of(out)]) as run:
        use_device(run, source_of(place or model, ModelOptions()), ModelOptions(), device, deterministic=False)
        flow = load_model(place) if place else model
        if not isinstance(flow, FlowModel):
            kind = flow.kind if isinstance(flow, TrainedModel) else type(flow).__name__
            raise ModelError(f"{place or 'the model'}: a model of kind {kind} cannot generate images; use a flow")
        if place:
            run.read(place, "a trained flow")
        painter = Painter(flow.flow)
        if source is None:
            labels = _labels(flow, of_class, columns)
            rows = painter.samples(columns, temperatures or TEMPERATURES, seed, labels)
            detail = f"{columns} samples at {len(rows)} temperatures"
        elif interpolate is None:
            rows = painter.reconstructions(_images(run, flow, source, image_ids, columns, seed))
            detail = f"{counted(len(rows[0]), 'images')}, each from {len(rows) - 1} sets of scales"
        else:
            ends = _images(run, flow, source, image_ids, _ENDS, seed, least=2)
            rows = painter.interpolations(ends[:-1], ends[1:], columns)
            detail = f"{counted(len(rows), 'interpolations')} of {columns} images"
        if out is not None:
            write_grid(Path(out), rows)
            run.wrote(Path(out), detail)
    return rows


def _check(
    temperatures: Sequence[float],
    columns: int,
    reconstruct: object,
    interpolate: object,
    image_ids: Sequence[str],
    of_class: str | None,
) -> None:
    """Refuse arguments that exclude each other."""
    from_table = reconstruct is not None or interpolate is not None
    if reconstruct is not None and interpolate is not None:
        raise UsageError("--reconstruct and --interpolate make two files; run the command twice")
    if image_ids and not from_table:
        raise UsageError("--image needs --reconstruct or --interpolate")
    if not all(map(math.isfinite, temperatures)):
        raise UsageError("a temperature must be a finite number")
    if (temperatures or of_class) and from_table:
        raise UsageError("--temperature and --class are only for samples, not for --reconstruct or --interpolate")
    if interpolate is not None and (columns < 2 or len(image_ids) == 1):
        raise UsageError("--interpolate needs at least 2 columns and 2 images")


def _labels(model: FlowModel, name: str | None, count: int) -> list[int] | None:
    """The class of each sample as a label; None for samples of all classes."""
    if name is None:
        return None
    if name not in model.classes:
        raise UsageError(f"this model has no class {name}; it has {listed(model.classes, 5) or 'no classes'}")
    return [model.classes.index(name)] * count


def _images(
    run: Run,
    model: FlowModel,
    source: str | Path | Images,
    image_ids: Sequence[str],
    count: int,
    seed: int,
    least: int = 1,
) -> NDArray[np.float32]:
    """Images of a table, preprocessed and dequantized: the images with these ids, or random images."""
    images, table = run.read_images(source), path_of(source) or Path("images")
    if len(images) < least:
        raise ImageError(f"{table}: --interpolate needs at least 2 images; the table has {len(images)}")
    if image_ids:
        rows = np.array(match_ids(image_ids, images.image_id).checked(table, UsageError).rows)
    else:
        rows = np.random.default_rng(seed).permutation(len(images))[:count]
    chosen = images.take(rows)
    paths = files_of(source, chosen)
    check_files(chosen.image_id, paths)
    (batch,) = stream(chosen.image_id, paths, model.preprocessing, len(chosen))
    return model.dequantized(batch.pixels)
