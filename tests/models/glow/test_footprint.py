from __future__ import annotations

import pytest

from simtool.models.errors import ModelError
from simtool.models.glow.config import MODES
from simtool.models.glow.footprint import check_room, training_bytes
from simtool.models.glow.presets import PRESETS

STUDY = PRESETS["study"]
PARAMETERS = 252_030_684


def needed(mode: str = "reversible", batch_size: int = 16) -> int:
    (chosen,) = (one for one in MODES if one == mode)
    return training_bytes(STUDY.flow, STUDY.settings.changed(batch_size=batch_size), chosen, PARAMETERS, 0)


def test_each_mode_needs_less_than_the_one_before() -> None:
    assert needed("plain") > needed("recompute") > needed("reversible") > 16 * PARAMETERS


def test_what_fits_is_begun() -> None:
    check_room(STUDY.flow, STUDY.settings, "plain", PARAMETERS, 0, needed("plain"))
    check_room(STUDY.flow, STUDY.settings, "plain", PARAMETERS, 0, None)


@pytest.mark.parametrize(
    ("room", "fits"),
    [
        (needed("recompute"), "--backprop recompute --batch-size 16 would fit"),
        (needed("reversible"), "--backprop reversible --batch-size 16 would fit"),
        (needed("reversible", 4), "--backprop reversible --batch-size 4 would fit"),
        (1 << 30, "only a smaller flow would fit"),
    ],
)
def test_what_does_not_fit_is_refused_and_what_would_is_said(room: int, fits: str) -> None:
    with pytest.raises(ModelError, match=rf"needs about {needed('plain') / 1e9:.1f} GB of memory, .* free; {fits}"):
        check_room(STUDY.flow, STUDY.settings, "plain", PARAMETERS, 0, room)
