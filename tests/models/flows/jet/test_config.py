from __future__ import annotations

from typing import Any

import pytest

from simtool.models.errors import ModelError
from simtool.models.flows.jet.config import JetConfig
from tests.models.flows.jet.flows import config_of


def test_the_only_scale_has_all_values_of_the_patches() -> None:
    config = config_of(size=32, patch=4)
    assert config.levels == 1
    assert config.scale_shape(1) == (8, 8, 48)


def test_it_is_read_as_it_was_written_and_has_no_number_of_levels() -> None:
    config = config_of(bits=5, compute_dtype="bfloat16")
    assert "levels" not in config.to_json()
    assert JetConfig.from_json(config.to_json()) == config
    with pytest.raises(ModelError, match="does not know \\['levels'\\]"):
        JetConfig.from_json({**config.to_json(), "levels": 1})


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"size": 10}, "images of 10 pixels cannot be cut into an even number of patches of 2 pixels; .* 8 or 12, or"),
        ({"size": 9, "patch": 3}, "the height and width of the patches of a Jet are even, not 3"),
        ({"width": 6, "heads": 4}, "a width of 6 cannot be divided among 4 heads"),
        ({"classes": 3}, "a Jet has a standard normal prior, and no prior for each class"),
        ({"steps": 0}, "a flow takes steps from 1 to 1,024, not 0"),
        ({"compute_dtype": "int8"}, "the compute_dtype of a flow is float32 or bfloat16 or float16, not int8"),
    ],
)
def test_shapes_that_do_not_exist_are_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint):
        config_of(**changes)
