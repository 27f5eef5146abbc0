from __future__ import annotations

from typing import Any

import pytest

from simtool.models.flows.config import Mode
from simtool.models.flows.jet.config import JetConfig
from simtool.models.flows.jet.footprint import activation_bytes
from simtool.models.flows.jet.presets import PRESETS

SHAPES: dict[str, JetConfig] = {
    "small": PRESETS["small"].flow,
    "wide": JetConfig(32, steps=6, patch=4, width=160, depth=2, heads=8),
    "fine": JetConfig(32, steps=10, patch=2, width=48, depth=1, heads=4),
}


@pytest.mark.parametrize(
    ("shape", "mode", "measured"),
    [
        ("small", "plain", 15.5e6),
        ("small", "recompute", 2.1e6),
        ("small", "reversible", 1.9e6),
        ("wide", "plain", 19.1e6),
        ("fine", "plain", 30.2e6),
        ("fine", "reversible", 7.6e6),
    ],
)
def test_estimates_are_near_the_bytes_per_image_that_were_measured(shape: str, mode: Mode, measured: float) -> None:
    assert 0.9 * measured < activation_bytes(SHAPES[shape])[mode] < 1.3 * measured


@pytest.mark.parametrize(("changes", "grows"), [({"steps": 36}, False), ({"width": 160}, True)])
def test_only_deeper_chains_leave_the_memory_of_the_reversible_mode_as_it_is(
    changes: dict[str, Any], grows: bool
) -> None:
    small, changed = (activation_bytes(flow) for flow in (SHAPES["small"], SHAPES["small"].changed(**changes)))
    assert (changed["reversible"] > small["reversible"]) == grows
    assert changed["plain"] > small["plain"]
