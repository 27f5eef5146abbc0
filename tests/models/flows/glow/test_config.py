"""The shape of a flow as data."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.models.errors import ModelError
from simtool.models.flows.glow.config import GlowConfig
from simtool.models.flows.glow.presets import PRESETS

TINY = GlowConfig(size=16, levels=2, steps=2, width=8)


@given(levels=st.integers(1, 6), times=st.integers(1, 4), channels=st.integers(1, 5))
def test_the_latents_of_all_scales_are_as_many_as_the_values_of_an_image(
    levels: int, times: int, channels: int
) -> None:
    config = GlowConfig(size=2**levels * times, levels=levels, steps=1, width=1, channels=channels)
    scales = [math.prod(config.scale_shape(level)) for level in range(1, levels + 1)]
    assert sum(scales) == config.dimension
    assert scales[-1] == math.prod(config.level_shape(levels))


def test_the_study_splits_as_published() -> None:
    config = GlowConfig(size=128, levels=6, steps=48, width=400, variant="study")
    coarse_first = [math.prod(config.scale_shape(level)) for level in range(6, 0, -1)]
    assert coarse_first == [1536, 1536, 3072, 6144, 12288, 24576]


@pytest.mark.parametrize(
    "config",
    [
        TINY,
        GlowConfig(size=32, levels=3, steps=4, width=8, coupling="additive", variant="study", bits=5),
        GlowConfig(size=8, levels=1, steps=1, width=1, classes=7, channels=1, compute_dtype="bfloat16"),
    ],
)
def test_a_configuration_survives_json(config: GlowConfig) -> None:
    assert GlowConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_a_configuration_of_version_0_1_is_read() -> None:
    old = {"size": 16, "levels": 2, "steps": 3, "width": 8, "coupling": "additive", "arrangement": "study", "bits": 5}
    expected = GlowConfig(size=16, levels=2, steps=3, width=8, coupling="additive", variant="study", bits=5)
    assert GlowConfig.from_json(old) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 18}, "18 pixels cannot be halved 2 times; choose a size of 16 or 20, or fewer levels"),
        ({"size": 2}, "choose a size of 4, or fewer levels"),
        ({"levels": 0}, "levels from 1 to 12, not 0"),
        ({"steps": 0}, "steps from 1 to 1,024, not 0"),
        ({"width": -1}, "width from 1 to 65,536, not -1"),
        ({"bits": 9}, "bits from 1 to 8, not 9"),
        ({"steps": 2.0}, "steps from 1 to 1,024, not 2.0"),
        ({"steps": True}, "steps from 1 to 1,024, not True"),
        ({"coupling": "spline"}, "the coupling of a flow is affine or additive, not spline"),
        ({"variant": "realnvp"}, "the variant of a flow is glow or study, not realnvp"),
        ({"compute_dtype": "int8"}, "the compute_dtype of a flow is float32 or bfloat16 or float16, not int8"),
        ({"variant": "study", "classes": 3}, "the variant study has a standard normal prior"),
    ],
)
def test_an_impossible_flow_is_refused_with_its_reason(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        replace(TINY, **changes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**TINY.to_json(), "depth": 3, "alpha": 1}, r"does not know \['alpha', 'depth'\]"),
        ([1, 2], r"does not know \[1, 2\]"),
        ({"size": 16, "levels": 2}, "is incomplete: .*'steps' and 'width'"),
        ({**TINY.to_json(), "bits": "8"}, "bits from 1 to 8, not 8"),
    ],
)
def test_a_foreign_configuration_is_refused_with_its_reason(content: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        GlowConfig.from_json(content)


@pytest.mark.parametrize(("steps", "least"), [(3, 6), (24, 6), (48, 12)])
def test_too_few_images_for_the_depth_are_refused_with_a_number_that_is_enough(steps: int, least: int) -> None:
    # 24 channels of 2 x 2 pixels at the deepest level.
    config = GlowConfig(size=8, levels=2, steps=steps, width=4)
    config.check_initial_images(least)
    expected = rf"{least - 1} images are too few to initialise the 24 channels of 2 x 2 pixels .*, {least} are enough"
    with pytest.raises(ModelError, match=expected):
        config.check_initial_images(least - 1)


def test_every_preset_uses_enough_images_for_its_depth() -> None:
    assert PRESETS["study"].flow.least_initial_images == 192
    for preset in PRESETS.values():
        preset.flow.check_initial_images(preset.initial_images)
