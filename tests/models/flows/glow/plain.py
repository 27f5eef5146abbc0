"""A slow pass through a Glow: actnorm, convolution and coupling one by one, and what a flow knows of each place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from simtool.models.flows.glow import convolution, coupling, network
from simtool.models.flows.glow.flow import GlowFlow
from simtool.models.flows.glow.squeeze import squeeze
from tests.models.flows.glow.flows import one_step, tf

Array = NDArray[np.float64]


class PlainPass:
    """The images x (b, size, size, channels) in a flow of float64.

    Attributes:
        hidden: (b, h, w, width) for each level and step, from 1.
        code_lengths: (b, h, w) at the places of the finest level: the log-densities of latents and the log-determinants
            of couplings where they are, all log-determinants of linear maps.
    """

    def __init__(self, flow: GlowFlow, x: Any) -> None:
        self._config = flow.config
        self.hidden: dict[tuple[int, int], Array] = {}
        side = flow.config.size // 2
        self.code_lengths = np.zeros((len(x), side, side))
        encoding = flow.encode(x)
        x = tf.constant(x)
        for level in range(1, flow.config.levels + 1):
            x = squeeze(x)
            for step in range(1, flow.config.steps + 1):
                x = self._step(level, step, x, *one_step(flow, level, step - 1))
            prior, latents = encoding.priors[level - 1], encoding.latents[level - 1].numpy()
            self._add(norm.logpdf(latents, prior.mean, np.exp(prior.log_scale)).sum(axis=-1))
            x = coupling.halves(x)[0]

    def _step(self, level: int, step: int, x: Any, weights: dict[str, Any], constants: dict[str, Any]) -> Any:
        rotation = convolution.matrix(weights, constants)
        x = (x + weights["actnorm/bias"]) * tf.exp(weights["actnorm/log_scale"]) @ rotation
        x_a, x_b = coupling.halves(x)
        hidden = network.hidden(weights, x_a, self._config)
        self.hidden[level, step] = hidden.numpy()
        h = network.output(network.prepare(weights), hidden)
        y_b = coupling.transform(h, x_b, self._config)[0]
        scale = coupling.transform(h, tf.ones_like(x_b), self._config)[0]
        scale -= coupling.transform(h, tf.zeros_like(x_b), self._config)[0]
        linear = np.linalg.slogdet(rotation)[1] + weights["actnorm/log_scale"].numpy().sum()
        self._add(np.log(scale).sum(axis=-1) + linear)
        return tf.concat([x_a, y_b], -1)

    def _add(self, log_densities: Array) -> None:
        covers = self.code_lengths.shape[1] // log_densities.shape[1]
        self.code_lengths -= np.kron(log_densities, np.ones((1, covers, covers))) / covers**2
