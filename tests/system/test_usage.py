from __future__ import annotations

from pathlib import Path

import numpy as np

from simtool.system.usage import used_memory


def test_memory_that_is_filled_counts() -> None:
    before = used_memory()
    filled = np.ones(8 << 20)
    assert used_memory() - before > 0.9 * filled.nbytes


def test_a_system_that_does_not_tell_counts_as_nothing(tmp_path: Path) -> None:
    assert used_memory(tmp_path / "statm") == 0
    (tmp_path / "statm").write_text("?")
    assert used_memory(tmp_path / "statm") == 0
