"""Reader of Meadows' downloads: RDMs of multi-arrangement tasks, each with its stimuli.

Sources: Meadows' downloads as ``rsatoolbox.io.meadows`` (0.3.2) reads them: MATLAB files with ``rdmutv`` and
``stimuli`` of one participant, or ``rdmutv_NAME`` and ``stimuli_NAME`` of several; JSON files with the tasks of one
participant. The participants may have the stimuli in different orders.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simtool.kinds import Expected, Text, explain, kind_of
from simtool.rdms.rdm import Rdm, RdmError, Request, Stack, stacked

__all__ = ["RDM", "read_tree", "read_variables"]

#: How the names of variables with an RDM begin.
RDM = "rdmutv"
_STIMULI = "stimuli"


def read_variables(source: Path, variables: Mapping[str, Any], request: Request) -> Rdm:
    """Choose the RDM of a participant among the variables of a MATLAB file.

    Raises:
        RdmError: the participant is not stated among several, or the stimuli do not fit.
    """
    request.refuse_names(source)
    found = {name.removeprefix(RDM): value for name, value in variables.items() if name.startswith(RDM)}
    stack = Stack([_only(source, value) for value in found.values()], [_person(name) for name in found])
    at = stack.choose(source, request.rdm)
    stimuli = f"{_STIMULI}{[*found][at]}"
    if stimuli not in variables:
        raise RdmError(f"{source}: it has no variable {stimuli}, which names the images")
    return stack.rdm(source, at, [str(name).strip() for name in np.ravel(variables[stimuli])])


def _person(ending: str) -> str:
    """``_calm_ox`` is calm-ox."""
    return ending.lstrip("_").replace("_", "-")


def _only(source: Path, value: Any) -> Any:
    stack = stacked(source, np.atleast_1d(value))
    return stack.arrays[stack.choose(source, None)]


def read_tree(source: Path, request: Request) -> Rdm:
    """Read the JSON of the tasks of a participant; ``--rdm`` chooses among several arrangements.

    Raises:
        RdmError: it is other JSON, has no RDM, or its stimuli do not fit.
    """
    request.refuse_names(source)
    encoding = (kind_of(source).text or Text()).encoding
    try:
        document = json.loads(source.read_text(encoding=encoding).lstrip("\ufeff"))
    except (ValueError, RecursionError) as failure:
        raise RdmError(explain(source, Expected.RDM)) from failure
    tasks = document.get("tasks") if isinstance(document, dict) else None
    if not isinstance(tasks, list):
        raise RdmError(explain(source, Expected.RDM))
    arranged = [task for task in tasks if isinstance(task, dict) and "rdm" in task]
    if not arranged:
        raise RdmError(f"{source}: none of its {len(tasks):,} tasks has an RDM")
    try:
        arrays = [_only(source, np.array(task["rdm"], np.float64)) for task in arranged]
        stack = Stack(arrays, [str(task["task"]["name"]) for task in arranged])
        at = stack.choose(source, request.rdm)
        return stack.rdm(source, at, [str(stimulus["name"]).strip() for stimulus in arranged[at][_STIMULI]])
    except (KeyError, TypeError, ValueError) as failure:
        raise RdmError(f"{source}: a task with an RDM lacks its name, its stimuli or its numbers") from failure
