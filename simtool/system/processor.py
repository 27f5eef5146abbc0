"""Instructions of the processor."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["has_bfloat16"]

_CPUINFO = Path("/proc/cpuinfo")


def has_bfloat16(cpuinfo: Path = _CPUINFO) -> bool | None:
    """Return whether the processor has instructions for bfloat16 (x86 or ARM), as Linux tells; None if unknown."""
    try:
        text = cpuinfo.read_text("utf-8", "replace")
    except OSError:
        return None
    flags = re.search(r"^(?:flags|Features)\s*:(.*)", text, re.MULTILINE)
    return None if flags is None else bool({"avx512_bf16", "amx_bf16", "bf16"} & set(flags[1].split()))
