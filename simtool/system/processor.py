"""The name of the processor, and its instructions."""

from __future__ import annotations

import platform
import re
from pathlib import Path

__all__ = ["has_bfloat16", "processor_name"]

_CPUINFO = Path("/proc/cpuinfo")


def has_bfloat16(cpuinfo: Path = _CPUINFO) -> bool | None:
    """Return whether the processor has instructions for bfloat16 (x86 or ARM), as Linux tells; None if unknown."""
    flags = re.search(r"^(?:flags|Features)\s*:(.*)", _text(cpuinfo), re.MULTILINE)
    return None if flags is None else bool({"avx512_bf16", "amx_bf16", "bf16"} & set(flags[1].split()))


def processor_name(cpuinfo: Path = _CPUINFO) -> str:
    """Return the name of the processor, for example ``AMD EPYC 7543``; its architecture if Linux does not tell."""
    name = re.search(r"^model name\s*:(.*\S)", _text(cpuinfo), re.MULTILINE)
    return " ".join(name[1].split()) if name else platform.machine()


def _text(cpuinfo: Path) -> str:
    try:
        return cpuinfo.read_text("utf-8", "replace")
    except OSError:
        return ""
