"""The GPUs that the scheduler gives to this process, by the variables that it sets."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["allotted_gpus", "slurm_variables"]

_VISIBLE = "CUDA_VISIBLE_DEVICES"
#: Variables that SLURM sets if it gives GPUs to a step or a job, the nearest first.
_GIVEN = ("SLURM_STEP_GPUS", "SLURM_JOB_GPUS", "SLURM_GPUS_ON_NODE")
#: Values of these variables that give no GPU. ``NoDevFiles`` is SLURM's.
_NONE = frozenset(("", "-1", "none", "nodevfiles", "(null)", "void"))


def allotted_gpus(environment: Mapping[str, str]) -> str | None:
    """The variable by which SLURM gives GPUs to this process, for example ``SLURM_JOB_GPUS=0``; None if it gives none.

    An empty ``CUDA_VISIBLE_DEVICES``, or -1, hides all GPUs, whatever else is set. Outside of SLURM nothing is given.
    """
    visible = environment.get(_VISIBLE)
    if visible is not None and _is_none(visible):
        return None
    for name in _GIVEN:
        value = environment.get(name, "")
        # SLURM_GPUS_ON_NODE is a number; the others list numbers of GPUs, and 0 is the first.
        if not _is_none(value) and (name != "SLURM_GPUS_ON_NODE" or value.strip() != "0"):
            return f"{name}={value}"
    return f"{_VISIBLE}={visible}" if visible is not None and "SLURM_JOB_ID" in environment else None


def _is_none(value: str) -> bool:
    return value.strip().lower() in _NONE


def slurm_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of SLURM that describe the job, sorted by name."""
    return {name: value for name, value in sorted(environment.items()) if name.startswith("SLURM_")}
