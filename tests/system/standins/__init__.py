"""Libraries in C that are loaded before the C library: they kill at an exact operation, or disturb files and clocks."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

__all__ = ["COMPILER", "library"]

#: The compiler of C; None without one.
COMPILER = shutil.which("cc")


def library(name: str, folder: Path) -> Path:
    """Compile a stand-in to a library in a folder, and return its path for ``LD_PRELOAD``."""
    source, target = Path(__file__).with_name(f"{name}.c"), folder / f"{name}.so"
    options = ("-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")
    subprocess.run(["cc", *options, "-o", str(target), str(source), "-ldl"], check=True)
    return target
