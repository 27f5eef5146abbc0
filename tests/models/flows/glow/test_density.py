"""A flow gives a density, and learns a known density."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray

from simtool.models.flows.glow.config import GlowConfig
from simtool.tensorflow import load_tensorflow
from tests.models.flows.glow.flows import sample, trained

tf = load_tensorflow()

import keras  # noqa: E402 - after TensorFlow

from simtool.models.flows.glow.flow import GlowFlow  # noqa: E402

DIMENSION = 4  # one channel of 2x2 pixels


def _config(
    kind: Any = "affine", variant: Any = "glow", classes: int = 0, width: int = 8, steps: int = 3
) -> GlowConfig:
    return GlowConfig(
        size=2, levels=1, steps=steps, width=width, coupling=kind, variant=variant, channels=1, classes=classes
    )


def _integral(flow: GlowFlow, labels: Any = None) -> float:
    """The integral of the density over all images, by quasi-random points of a heavy-tailed distribution."""
    drawn = sample(flow, 2000, 1.0, seed=1).numpy().reshape(-1, DIMENSION)
    proposal = scipy.stats.multivariate_t(drawn.mean(0), 2 * np.cov(drawn.T), df=4, seed=0)
    uniform = scipy.stats.qmc.Sobol(DIMENSION + 1, seed=0).random(2**15)
    normal = scipy.stats.norm.ppf(uniform[:, :DIMENSION])
    stretch = np.sqrt(proposal.df / scipy.stats.chi2.ppf(uniform[:, DIMENSION:], proposal.df))
    x = proposal.loc + stretch * normal @ np.linalg.cholesky(proposal.shape).T
    labels = None if labels is None else tf.fill([len(x)], labels)
    log_prob = flow.encode(x.reshape(-1, 2, 2, 1), labels).log_prob
    return float(np.exp(log_prob - proposal.logpdf(x)).mean())


@pytest.mark.parametrize("kind", ["affine", "additive"])
@pytest.mark.parametrize("variant", ["glow", "study"])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_density_integrates_to_1(kind: str, variant: str, seed: int) -> None:
    flow = trained(_config(kind, variant), seed, dtype="float64")
    assert _integral(flow) == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("labels", [None, 0, 2])
def test_the_density_of_each_class_and_of_all_integrates_to_1(labels: int | None) -> None:
    flow = trained(_config(classes=3), dtype="float64")
    assert _integral(flow, labels) == pytest.approx(1, abs=2e-3)


class Mixture:
    """A mixture of two correlated normal distributions of images with one channel, with equal weights."""

    def __init__(self, size: int) -> None:
        random, dimension = np.random.default_rng(0), size * size
        self.size = size
        self.means = 0.4 * random.standard_normal((2, dimension)) / np.sqrt(dimension)
        self.roots = [
            np.tril(0.15 * random.standard_normal((dimension, dimension)) / np.sqrt(dimension)) for _ in (0, 1)
        ]
        for root in self.roots:
            root[np.diag_indices(dimension)] = random.uniform(0.05, 0.2, dimension)

    def draw(self, count: int, random: np.random.Generator) -> NDArray[np.float32]:
        which = random.integers(0, 2, count)
        normal = random.standard_normal((count, self.size**2))
        both = [mean + normal @ root.T for mean, root in zip(self.means, self.roots, strict=True)]
        drawn = np.where(which[:, None] == 0, *both).astype(np.float32)
        images: NDArray[np.float32] = drawn.reshape(count, self.size, self.size, 1)
        return images

    def log_prob(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """In nats, (b,)."""
        of_each = [
            scipy.stats.multivariate_normal(mean, root @ root.T).logpdf(x.reshape(len(x), -1))
            for mean, root in zip(self.means, self.roots, strict=True)
        ]
        both: NDArray[np.float64] = np.logaddexp(*of_each) - np.log(2)
        return both


def _fit(flow: GlowFlow, truth: Mixture, steps: int, batch: int, rate: float) -> None:
    """Maximum likelihood, from new images at every step."""
    random = np.random.default_rng(1)
    flow.initialize([truth.draw(2048, random)])
    variables = list(flow.variables.values())
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps), global_clipnorm=10.0)
    optimizer.build(variables)

    def step(x: Any) -> None:
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.encode(x).log_prob)
        optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)

    compiled = tf.function(step, autograph=False)
    for _ in range(steps):
        compiled(tf.constant(truth.draw(batch, random)))


@pytest.mark.slow
def test_a_known_density_is_learned_to_two_hundredths_of_a_nat() -> None:
    truth = Mixture(size=2)
    flow = GlowFlow(_config(width=32, steps=6))
    _fit(flow, truth, steps=800, batch=512, rate=5e-3)
    x = truth.draw(20_000, np.random.default_rng(2))
    assert 0 < np.mean(truth.log_prob(x) - flow.encode(x).log_prob) < 0.02
    drawn = sample(flow, 20_000, 1.0, seed=0).numpy().reshape(-1, DIMENSION)
    assert drawn.mean(0) == pytest.approx(x.reshape(-1, DIMENSION).mean(0), abs=0.01)
    assert np.cov(drawn.T) == pytest.approx(np.cov(x.reshape(-1, DIMENSION).T), abs=0.003)
