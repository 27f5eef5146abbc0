"""The device of a stage, and the progress while a network starts."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from simtool.models.sources import ModelOptions, source_of
from simtool.stages.device import starting


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("model", "shown"), [("keras:MobileNet", True), ("pixels", False)])
def test_a_terminal_shows_at_once_that_a_network_starts(
    model: str | Path, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal, options = _Terminal(), ModelOptions()
    monkeypatch.setattr(sys, "stderr", terminal)
    with starting(source_of(model, options), options) as started:
        assert ("starting the network" in terminal.getvalue()) is shown
        started()
