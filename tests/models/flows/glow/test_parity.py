"""With the same weights, the variant study is the Glow of TensorFlow Probability."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.models.flows.glow.config import GlowConfig
from simtool.models.flows.glow.presets import PRESETS
from simtool.tensorflow import load_tensorflow

load_tensorflow()

from simtool.models.flows.glow.flow import GlowFlow  # noqa: E402 - Keras after TensorFlow
from simtool.models.flows.glow.squeeze import squeeze, unsqueeze  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.system]

SIZE, LEVELS, STEPS, WIDTH = 16, 3, 4, 16


class Peer:
    """The outputs of the other implementation, and our flow with its weights."""

    def __init__(self, coupling: Any, folder: Path) -> None:
        program, file = Path(__file__).with_name("peer.py"), folder / f"{coupling}.npz"
        arguments = [*map(str, (SIZE, LEVELS, STEPS, WIDTH)), coupling, str(file)]
        environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run([sys.executable, program, *arguments], env=environment, check=True)
        with np.load(file) as archive:
            self.values: dict[str, NDArray[Any]] = dict(archive)
        self.flow = GlowFlow(GlowConfig(SIZE, LEVELS, STEPS, WIDTH, coupling, variant="study"))
        for name, variable in (self.flow.variables | self.flow.constants).items():
            variable.assign(self.values[f"weights/{name}"])


@pytest.fixture(scope="module", params=["affine", "additive"])
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Peer:
    return Peer(request.param, tmp_path_factory.mktemp("peer"))


def _flat(scales: tuple[Any, ...]) -> NDArray[np.float32]:
    """Latents in the order of the other implementation: by pixel of the deepest scale, then by scale, deepest first."""
    squeezed = []
    for number, scale in enumerate(scales, start=1):
        for _ in range(LEVELS - number):
            scale = squeeze(scale)
        squeezed.append(scale)
    together: NDArray[np.float32] = np.concatenate(squeezed[::-1], axis=-1)
    return together.reshape(len(together), -1)


def _scales(flat: NDArray[np.float32], config: GlowConfig) -> list[Any]:
    """The inverse of :func:`_flat`."""
    side, _, channels = config.scale_shape(LEVELS)
    together, found = flat.reshape(len(flat), side, side, -1), []
    for number in range(LEVELS, 0, -1):
        channels = int(np.prod(config.scale_shape(number))) // side**2
        scale, together = together[..., :channels], together[..., channels:]
        for _ in range(LEVELS - number):
            scale = unsqueeze(scale)
        found.append(scale)
    return found[::-1]


def test_no_weight_is_left_where_it_starts(peer: Peer) -> None:
    start = GlowFlow(peer.flow.config).variables
    for name, variable in peer.flow.variables.items():
        assert np.abs(variable.numpy() - start[name].numpy()).max() > 1e-3, name


def test_latents_of_images_are_the_same(peer: Peer) -> None:
    found = _flat(peer.flow.encode(peer.values["images"]).standardized)
    expected = peer.values["latents_of_images"]
    assert 1 < np.abs(expected).max() < 100
    assert np.abs(found - expected).max() < 1e-4


def test_log_densities_of_images_are_the_same(peer: Peer) -> None:
    found, expected = peer.flow.encode(peer.values["images"]).log_prob, peer.values["log_prob_of_images"]
    assert np.ptp(expected) > 10
    assert found.numpy() == pytest.approx(expected, rel=1e-4)
    assert np.abs(found - expected).max() / peer.flow.config.dimension < 1e-5


def test_images_of_latents_are_the_same(peer: Peer) -> None:
    found = peer.flow.decode(_scales(peer.values["latents"], peer.flow.config))
    expected = peer.values["images_of_latents"]
    assert np.abs(expected).max() > 0.5
    assert np.abs(found - expected).max() < 1e-4


def test_there_are_as_many_parameters(peer: Peer) -> None:
    assert GlowFlow.count_parameters(peer.flow.config) == peer.values["parameters"]


def test_the_study_has_the_parameters_that_tensorflow_probability_counts_at_its_size() -> None:
    assert GlowFlow.count_parameters(PRESETS["study"].flow) == 252_030_684
