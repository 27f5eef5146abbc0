"""``simtool demo``: all stages on generated toy birds."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from simtool.commands.options import whole
from simtool.stages.invocation import invocation

__all__ = ["demo"]

#: This training chooses TensorFlow's number of threads, on which the last digits of its weights depend. TensorFlow
#: accepts a number only before it starts, and an earlier command of the demo has started it.
_IN_NEW_PROCESS = "train-glow"


def demo(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder to write; an earlier demo in it is replaced.")
    ] = Path("simtool-demo"),
    seed: Annotated[int, whole(min=0, help="Seed of birds, images and judgments.")] = 0,
    images_per_species: Annotated[int, whole(min=1, max=999, help="Number of images of each of the 16 species.")] = 12,
    observers: Annotated[
        int, whole(min=1, max=999, help="Number of simulated observers; each gives 78 judgments.")
    ] = 60,
) -> None:
    """Run all stages on generated toy birds, from images to the report.

    Draws images of 16 invented species in 4 families, simulates observers who judge them by
    a known rule, and runs every stage on them. Prints each command before it runs. Downloads
    nothing. FOLDER holds all files, and the commands as the script FOLDER/demo.sh.

    \b
    Example:
      simtool demo
      simtool demo toy --seed 7
    """
    from simtool.demo import Size, run

    command = context.find_root().command

    def run_stage(arguments: Sequence[str]) -> None:
        if arguments[0] == _IN_NEW_PROCESS:
            code = _run_in_new_process(arguments)
        else:
            with invocation(arguments):
                code = command.main(args=list(arguments), prog_name="simtool", standalone_mode=False)
        if code:
            raise typer.Exit(code)

    run(folder, Size(seed, images_per_species, observers), run_stage)


def _run_in_new_process(arguments: Sequence[str]) -> int:
    """Run ``simtool`` with these arguments, and return its exit code."""
    import subprocess

    sys.stdout.flush()
    # The modules of this process, even if the current folder holds others of the same name.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    code = subprocess.run([sys.executable, "-P", "-m", "simtool", *arguments], env=environment, check=False).returncode
    return code if code >= 0 else 128 - code
