"""Fit PCA: from images to their principal components."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simtool import console
from simtool.images.pipeline import BadImage, Batch, check_files, described, stream
from simtool.images.preprocessing import Preprocessing, chosen_preprocessing
from simtool.models.folder import model_folder
from simtool.models.pca.fit import check_request, fit_components
from simtool.models.pca.model import Pca, write_log
from simtool.stages.arguments import at_least
from simtool.stages.run import Folder, api, files_of, path_of, stage
from simtool.tables.images import Images
from simtool.text import counted

__all__ = ["fit_pca"]

#: Components that are kept by default.
MOST = 1000
#: Images that are decoded and written to the scratch file together.
_BATCH = 64


@api
def fit_pca(
    images: str | Path | Images,
    out: str | Path | None = None,
    *,
    components: int | None = None,
    preprocessing: str | Preprocessing = "study",
    size: int | None = None,
    crop: float | None = None,
    split: str = "all",
    skip_bad: bool = False,
    scratch: str | Path | None = None,
) -> Pca:
    """Fit principal components to images, exactly and in bounded memory.

    Args:
        images: a table of images. The files of a table in memory lie below the current folder.
        out: the model folder to write. None writes nothing but scratch files.
        components: how many to keep. None keeps as many as exist, at most 1,000.
        preprocessing: a preprocessing or its name.
        size: height and width in pixels. None keeps those of the preprocessing.
        crop: the fraction of each side that the central crop keeps. None keeps that of the preprocessing.
        split: fit to the images of this split only.
        skip_bad: leave out images that cannot be decoded, and record them in ``fit.json``.
        scratch: the folder for scratch files, 4 bytes per pixel value. None for the system's temporary folder.

    Returns:
        The model; its ``fit`` holds the explained variance.

    Raises:
        ModelError: more components are asked for than exist, the images are all equal, or memory is too small.
        ImageError: an image is missing or cannot be decoded.
        PreprocessingError: no preprocessing has that name, or its size or crop is out of range.
        PlaceError: the output would replace an input.
        SpaceError: the disk of the scratch files is too small.
        TableError: the table of images cannot be read.

    Example:
        >>> from simtool import stages
        >>> pca = stages.fit_pca("cub/images.parquet", "pca", components=100)  # doctest: +SKIP
    """
    steps = chosen_preprocessing(preprocessing, size, crop)
    target = None if out is None else Path(out)
    at_least(1, components=components)
    with stage("fit-pca", reads=[path_of(images)], writes=[target and Folder(target)]) as run:
        table = run.read_images(images, split)
        paths = files_of(images, table)
        wanted = components or MOST
        found = check_request(len(table), steps.dimension, wanted, fewer=components is None)
        if found < wanted:
            console.note(f"{counted(found, 'components')} instead of {wanted:,}: {len(table):,} images have no more")
        check_files(table.image_id, paths)
        bad: list[BadImage] = []
        with nullcontext() if target is None else model_folder(target, run.name) as folder:
            batches = stream(table.image_id, paths, steps, _BATCH, bad.append if skip_bad else None)
            pixels = _pixels(batches, len(table))
            fit = fit_components(pixels, len(table), steps.dimension, found, path_of(scratch), fewer=components is None)
            pca = Pca.of(steps, fit)
            if folder is not None:
                pca.save(folder, run.provenance())
                write_log(folder, fit, {image.image_id: image.reason for image in bad})
        if bad:
            console.warn(described(bad))
        if target is not None:
            run.wrote(target, f"{counted(pca.count, 'components')} of {counted(fit.images, 'images')}")
    return pca


def _pixels(batches: Iterable[Batch], total: int) -> Iterator[NDArray[np.float32]]:
    """The values of each batch of images, (b, dimension), with a progress bar."""
    with console.progress("decoding", total, "images") as bar:
        for batch in batches:
            yield batch.pixels.reshape(len(batch.rows), -1)
            bar.advance(len(batch.rows))
