"""``simtool sample``: what a generative model imagines."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simtool.errors import listed
from simtool.stages.run import Folder, Run, stage
from simtool.text import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simtool.models.flows.glow.model import Glow

__all__ = ["sample"]


def sample(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A folder with a trained Glow.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The PNG file to write.")],
    temperature: Annotated[
        list[float] | None,
        typer.Option(min=0, metavar="T", help="The temperature of a row; repeatable. [0, 0.25, 0.5, 0.7, 0.85, 1]"),
    ] = None,
    columns: Annotated[int, typer.Option(min=1, help="Pictures in a row.")] = 8,
    reconstruct: Annotated[
        Path | None,
        typer.Option(metavar="IMAGES", help="Draw images of a table, from all of their latents down to a few."),
    ] = None,
    interpolate: Annotated[
        Path | None, typer.Option(metavar="IMAGES", help="Draw interpolations between images of a table.")
    ] = None,
    image: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Draw this image of the table; repeatable. [some at random]")
    ] = None,
    of_class: Annotated[
        str | None,
        typer.Option("--class", metavar="NAME", help="Draw samples of this class, of a Glow that knows classes."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the latents and of the choice of images.")] = 0,
) -> None:
    """Draw samples of a trained Glow, or reconstructions of images, or interpolations between them.

    Samples: a row for each temperature, from the same random latents in each row. --reconstruct: the
    images, then the same from all scales, from all but the finest, and so on to the deepest alone.
    --interpolate: each row leads from one image to the next, through their latents.

    \b
    Example:
      simtool sample glow --out samples.png --temperature 0.7 --temperature 1
      simtool sample glow --out between.png --interpolate cub/images.parquet --columns 10
    """
    from simtool.models.flows.drawing import TEMPERATURES, Painter, write_grid
    from simtool.models.registry import load_model

    if reconstruct and interpolate:
        raise typer.BadParameter("--reconstruct and --interpolate make two pictures; run it twice")
    photographs = reconstruct or interpolate
    if image and not photographs:
        raise typer.BadParameter("--image is for --reconstruct or --interpolate")
    if not all(map(math.isfinite, temperature or ())):
        raise typer.BadParameter("a temperature is a finite number")
    if (temperature or of_class) and photographs:
        raise typer.BadParameter("--temperature and --class are for samples")
    if interpolate and (columns < 2 or len(image or "..") < 2):
        raise typer.BadParameter("--interpolate needs at least 2 columns and 2 images")
    with stage("sample", reads=[Folder(model), photographs], writes=[out]) as run:
        glow = _glow(load_model(model), model)
        run.read(model, "a trained Glow")
        painter = Painter(glow.flow)
        if photographs is None:
            labels = _labels(glow, of_class, columns)
            rows = painter.samples(columns, temperature or TEMPERATURES, seed, labels)
            what = f"{columns} samples at {len(rows)} temperatures"
        elif reconstruct:
            rows = painter.reconstructions(_photographs(run, glow, photographs, image, columns, seed))
            what = f"{len(rows[0])} photographs, each from {len(rows) - 1} sets of scales"
        else:
            ends = _photographs(run, glow, photographs, image, _ENDS, seed, least=2)
            rows = painter.interpolations(ends[:-1], ends[1:], columns)
            what = f"{len(rows)} ways in {columns} steps"
        write_grid(out, rows)
        run.wrote(out, what)


#: Photographs between which ways are drawn where none are named.
_ENDS = 7


def _glow(model: Any, folder: Path) -> Glow:
    from simtool.models.errors import ModelError
    from simtool.models.flows.glow.model import Glow

    if not isinstance(model, Glow):
        raise ModelError(f"{folder}: a model of kind {model.kind} has no images to draw; only a Glow has")
    return model


def _labels(glow: Glow, name: str | None, count: int) -> list[int] | None:
    """The label of each sample, if they shall be of one class."""
    if name is None:
        return None
    if name not in glow.classes:
        raise typer.BadParameter(f"this Glow has no class {name}; it has {listed(glow.classes, 5) or 'none at all'}")
    return [glow.classes.index(name)] * count


def _photographs(
    run: Run, glow: Glow, table: Path, names: list[str] | None, count: int, seed: int, least: int = 1
) -> NDArray[np.float32]:
    """Photographs of a table as the flow sees them, dequantised: those that are named, else some at random."""
    import numpy as np

    from simtool.ids import match_ids
    from simtool.images.decoding import ImageError
    from simtool.images.pipeline import check_files, stream
    from simtool.tables.images import image_paths

    images = run.read_images(table)
    run.read(table, counted(len(images), "images"))
    if len(images) < least:
        raise ImageError(f"{table}: --interpolate needs at least 2 images; the table has {len(images)}")
    if names:
        matches = match_ids(names, images.image_id)
        if matches.complaint:
            raise typer.BadParameter(f"{table}: {matches.complaint}")
        rows = np.array(matches.rows)
    else:
        rows = np.random.default_rng(seed).permutation(len(images))[:count]
    chosen = images.take(rows)
    paths = image_paths(table, chosen)
    check_files(chosen.image_id, paths)
    (batch,) = stream(chosen.image_id, paths, glow.preprocessing, len(chosen))
    return glow.dequantized(batch.pixels)
