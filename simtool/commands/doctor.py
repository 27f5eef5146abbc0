"""``simtool doctor``: whether this machine or job can compute networks."""

from __future__ import annotations

from typing import Annotated

import typer

from simtool import console, stages
from simtool.commands.options import Device

__all__ = ["doctor"]


def doctor(
    device: Device = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Tell what this machine or job can compute with, and what each fact means for a run.

    Prints versions, the device, the libraries of CUDA, cores, memory, scratch space and the
    variables of SLURM. The exit code is 1 if a run on this device is refused: with auto, because
    SLURM gave this job a GPU that cannot be used.

    \b
    Example:
      simtool doctor
      srun --gres=gpu:1 simtool doctor --json
    """
    checkup = stages.doctor(device)
    if json:
        import json as format_of

        console.result_text(format_of.dumps(checkup.to_json(), indent=2))
    else:
        console.result_facts(checkup.title, checkup.lines(), fold=True)
    if checkup.failure:
        raise typer.Exit(1)
