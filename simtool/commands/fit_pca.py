"""``simtool fit-pca``: the principal components of images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simtool import console, stages
from simtool.commands.options import number, whole, word

if TYPE_CHECKING:
    from rich.table import Table

    from simtool.models.pca.fit import PcaFit

__all__ = ["fit_pca"]


def fit_pca(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="A table of images.")],
    out: Annotated[Path, typer.Option("--out", metavar="MODEL", help="The model folder to write.")],
    components: Annotated[
        int | None,
        whole(
            min=1, help="How many to keep; embed --components can take fewer later. [as many as exist, at most 1,000]"
        ),
    ] = None,
    size: Annotated[int | None, whole(min=1, help="Height and width in pixels. [the preprocessing's: 128]")] = None,
    crop: Annotated[
        float | None, number(help="Central part of each side that is kept. [the preprocessing's: 0.8]")
    ] = None,
    recipe: Annotated[
        str,
        word(help="Preprocessing: study, antialiased (study with antialiasing), or square (keeps the aspect ratio)."),
    ] = "study",
    split: Annotated[str, word(help="Fit to this split of the table only: train or test.")] = "all",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out images that cannot be decoded, and record which.")
    ] = False,
    scratch: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder for scratch files: 4 bytes per pixel value. [TMPDIR]")
    ] = None,
) -> None:
    """Fit principal components to images, exactly and in bounded memory.

    The components equal those of a full decomposition. Memory depends on the number of images,
    not on their size: 12,000 images take about 2 GiB. MODEL holds the components as plain arrays,
    model.json (a description of them) and fit.json (the variance that each explains).

    \b
    Example:
      simtool fit-pca cub/images.parquet --out pca
      simtool embed cub/images.parquet --model pca --components 100 --out pca-100.parquet
    """
    fit = stages.fit_pca(
        images,
        out,
        components=components,
        preprocessing=recipe,
        size=size,
        crop=crop,
        split=split,
        skip_bad=skip_bad,
        scratch=scratch,
    ).fit
    if fit is not None:
        console.result(_explained(fit))


def _explained(fit: PcaFit) -> Table:
    """The share of variance that the first 10, 100, 1000 and all components explain."""
    from rich.table import Column, Table

    table = Table(*(Column(name, justify="right") for name in ("components", "explained variance")))
    kept = fit.components.shape[0]
    for count in [*(count for count in (10, 100, 1000) if count < kept), kept]:
        table.add_row(f"{count:,}", f"{fit.explained(count):.4f}")
    return table
