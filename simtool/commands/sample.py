"""``simtool sample``: images that a trained flow generates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import stages
from simtool.commands.options import Device, table, whole

__all__ = ["sample"]


def sample(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A folder with a trained flow: Glow or Jet.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The PNG file to write.")],
    temperature: Annotated[
        list[float] | None,
        typer.Option(
            min=0,
            metavar="T",
            help="Temperature of one row of samples; may be given several times. [0, 0.25, 0.5, 0.7, 0.85, 1]",
        ),
    ] = None,
    columns: Annotated[int, whole(min=1, help="Number of images in a row.")] = 8,
    reconstruct: Annotated[
        Path | None, table(help="Reconstruct images of this table, from fewer and fewer latents.")
    ] = None,
    interpolate: Annotated[Path | None, table(help="Interpolate between images of this table.")] = None,
    image: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Use this image of the table; may be given several times. [random images]"),
    ] = None,
    of_class: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="Class of the samples, for a Glow that has classes.")
    ] = None,
    seed: Annotated[int, whole(min=0, help="Seed of the latents and of the choice of images.")] = 0,
    device: Device = "auto",
) -> None:
    """Generate samples of a trained flow, reconstructions of images, or interpolations between images.

    Samples: one row for each temperature, from the same random latents in each row. --reconstruct:
    a row of images, then the same images from all scales, from all scales except the finest, and so
    on to the deepest scale alone. --interpolate: each row leads from one image to the next.

    \b
    Example:
      simtool sample glow --out samples.png --temperature 0.7 --temperature 1
      simtool sample glow --out between.png --interpolate cub/images.parquet --columns 10
    """
    stages.sample(
        model,
        out,
        temperatures=temperature or (),
        columns=columns,
        reconstruct=reconstruct,
        interpolate=interpolate,
        image_ids=image or (),
        of_class=of_class,
        seed=seed,
        device=device,
    )
