"""``simtool demo``: every stage on generated toy birds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from simtool import console
from simtool.stages.run import invocation, stage

__all__ = ["demo"]


def demo(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where everything goes; an earlier demo there is replaced.")
    ] = Path("simtool-demo"),
    seed: Annotated[int, typer.Option(min=0, help="Of birds, photographs and judgments.")] = 0,
    images_per_species: Annotated[
        int, typer.Option(min=1, max=999, help="Photographs of each of the 16 species.")
    ] = 12,
    observers: Annotated[int, typer.Option(min=1, max=999, help="Simulated observers, 78 judgments each.")] = 60,
) -> None:
    """Run the whole chain on generated toy birds, ending with the report.

    Draws photographs of 4 families of 4 invented species, simulates observers who judge them by
    a known rule, and runs every stage on that, printing each command before it runs. Nothing is
    downloaded. All its files stay in FOLDER, with the commands as a script in FOLDER/demo.sh.

    \b
    Example:
      simtool demo
      simtool demo toy --seed 7
    """
    from simtool import demo as toy

    started = time.perf_counter()
    size = toy.Size(seed, images_per_species, observers)
    toy.prepare_folder(folder, size)
    console.note(f"Toy birds and simulated observers, in {folder}/")
    with stage("drawing", reads=(), writes=()) as run:
        for line in toy.draw(folder, size, run.provenance()):
            console.note(f"wrote  {line}")

    command = context.find_root().command

    def run_stage(arguments: Sequence[str]) -> None:
        with invocation(arguments):
            code = command.main(args=list(arguments), prog_name="simtool", standalone_mode=False)
        if code:
            raise typer.Exit(code)

    toy.run_chain(folder, size.images, run_stage)
    for line in toy.closing(folder, time.perf_counter() - started).splitlines():
        console.note(line)
