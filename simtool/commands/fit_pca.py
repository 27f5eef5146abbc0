"""``simtool fit-pca``: the principal components of images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simtool import console
from simtool.stages.run import Folder, stage
from simtool.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray
    from rich.table import Table

    from simtool.images.pipeline import Batch
    from simtool.models.pca.fit import PcaFit

__all__ = ["fit_pca"]

#: Components that are kept where nobody says how many.
MOST = 1000
#: Images that are decoded and written to the scratch file at once.
BATCH = 64


def fit_pca(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="A table of images.")],
    out: Annotated[Path, typer.Option("--out", metavar="MODEL", help="The model folder to write.")],
    components: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many to keep; embed --components takes the first few. [as many as there are, at most 1,000]",
        ),
    ] = None,
    size: Annotated[int | None, typer.Option(min=1, help="Height and width in pixels. [the recipe's: 128]")] = None,
    crop: Annotated[
        float | None, typer.Option(help="Central part of each side that is kept. [the recipe's: 0.8]")
    ] = None,
    recipe: Annotated[str, typer.Option(help="Preprocessing: study, or square (keeps the aspect).")] = "study",
    split: Annotated[str, typer.Option(help="Fit to this split of the table only: train or test.")] = "all",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out images that cannot be decoded, and record which.")
    ] = False,
    scratch: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="For scratch files: 4 bytes per pixel value. [TMPDIR]"),
    ] = None,
) -> None:
    """Fit principal components to images, exactly and in bounded memory.

    The components are those of a full decomposition. Memory depends on the number of images,
    not on their size: 12,000 images take some 2 GiB. MODEL holds the components as plain arrays,
    model.json (what they are) and fit.json (the variance that each explains).

    \b
    Example:
      simtool fit-pca cub/images.parquet --out pca
      simtool embed cub/images.parquet --model pca --components 100 --out pca-100.parquet
    """
    import tempfile

    from simtool.images.pipeline import BadImage, check_files, described, stream
    from simtool.images.preprocessing import named_preprocessing
    from simtool.models.folder import model_folder
    from simtool.models.pca.fit import check_request, fit_components
    from simtool.models.pca.model import Pca, write_log
    from simtool.tables.images import image_paths, read_images

    preparation = named_preprocessing(recipe).adjusted(size, crop)
    with stage("fit-pca", reads=[images], writes=[Folder(out)]) as run:
        table = read_images(images).where_split(split)
        run.read(images, counted(len(table), "images") + ("" if split == "all" else f" of split {split}"))
        paths = image_paths(images, table)
        wanted = components or MOST
        found = check_request(len(table), preparation.dimension, wanted, fewer=components is None)
        if found < wanted:
            console.note(f"{counted(found, 'components')} instead of {wanted:,}: {len(table):,} images have no more")
        check_files(table.image_id, paths)
        bad: list[BadImage] = []
        with model_folder(out, run.name) as folder:
            batches = stream(table.image_id, paths, preparation, BATCH, bad.append if skip_bad else None)
            fit = fit_components(
                _pixels(batches, len(table)),
                len(table),
                preparation.dimension,
                wanted,
                scratch or Path(tempfile.gettempdir()),
                fewer=components is None,
            )
            Pca.of(preparation, fit).save(folder, run.provenance())
            write_log(folder, fit, {image.image_id: image.reason for image in bad})
        if bad:
            console.warn(described(bad))
        run.wrote(out, f"{counted(fit.components.shape[0], 'components')} of {counted(fit.images, 'images')}")
        console.result(_explained(fit))


def _pixels(batches: Iterable[Batch], total: int) -> Iterator[NDArray[np.float32]]:
    """The values of each batch of images, with a progress bar."""
    with console.progress("decoding", total, "images") as bar:
        for batch in batches:
            yield batch.pixels.reshape(len(batch.rows), -1)
            bar.advance(len(batch.rows))


def _explained(fit: PcaFit) -> Table:
    """What 10, 100, 1000 and all components explain of the variance."""
    from rich.table import Table

    table = Table("components", "explained variance")
    for column in table.columns:
        column.justify = "right"
    kept = fit.components.shape[0]
    for count in [*(count for count in (10, 100, 1000) if count < kept), kept]:
        table.add_row(f"{count:,}", f"{fit.explained(count):.4f}")
    return table
