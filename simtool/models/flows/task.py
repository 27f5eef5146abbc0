"""The training of a flow as a task: the code length of dequantised photographs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from simtool.images.preprocessing import Preprocessing
from simtool.images.tensors import transform_colors
from simtool.models.flows.dequantization import bits_per_dim, dequantize
from simtool.models.flows.drawing import TEMPERATURES, Painter, write_grid
from simtool.models.flows.glow.config import Mode
from simtool.models.flows.glow.flow import Encoding, Flow
from simtool.models.flows.glow.initialization import initialize
from simtool.tensorflow import load_tensorflow
from simtool.training.data import Batch, Draws
from simtool.training.task import Criterion, Task, Unhealthy

__all__ = ["FlowTask"]

#: Beyond this share of the range of colors, a photograph does not come back from its latents: the flow is no longer
#: invertible, and what it says of densities, or of gradients, is not true.
_MOST_ROUND_TRIP = 0.1
#: What it means that an error of :meth:`FlowTask.health` is beyond it.
_LOST = {
    "round_trip": "the flow is no longer invertible",
    "drift": "the float32 of backpropagation no longer inverts the flow",
}
#: Photographs that are drawn.
_DRAWN = 6
#: Images of an interpolation.
_BETWEEN = 9


class FlowTask(Task):
    """Maximum likelihood: the mean code length of photographs, in bits per dimension.

    Each time that a photograph is seen, its values are spread over their bins anew (uniform dequantisation), and it is
    mirrored or not. Validation does the first with the same noise every time, so that epochs can be compared.

    Args:
        flow: that is trained.
        preprocessing: whose arithmetic with colors is done here.
        mode: of backpropagation; see :mod:`simtool.models.flows.glow.level`.
        flips: whether to mirror half of the photographs.
        initial_images: that set actnorm before the first step.
        examples: (n, size, size, 3) photographs as bytes, for pictures; they may be none.
        seed: of the noise that initialisation and pictures use.

    Attributes:
        variables: the weights of the flow.
        decayed: its kernels, the one sort of weights whose size has no meaning of its own.
    """

    criterion: ClassVar[Criterion] = Criterion("bits_per_dim")

    def __init__(
        self,
        flow: Flow,
        preprocessing: Preprocessing,
        mode: Mode = "plain",
        flips: bool = True,
        initial_images: int = 256,
        examples: NDArray[np.uint8] | None = None,
        seed: int = 0,
    ) -> None:
        tf = load_tensorflow()
        self.flow, self._mode, self._flips = flow, mode, flips
        self._initial_images, self._seed = initial_images, seed
        self._examples = examples
        self._colors = transform_colors(preprocessing)
        self._painter = Painter(flow)
        self._errors = {
            name: tf.function(partial(self._error, precise=name == "round_trip"), autograph=False)
            for name in (("round_trip", "drift") if mode == "reversible" else ("round_trip",))
        }
        if mode == "reversible":
            self.advice = (
                "try a lower learning rate or a longer warm-up (warmup_steps), or --backprop recompute, for which "
                "the flow need not be inverted"
            )
        self.variables = list(flow.variables.values())
        self.decayed = [name.endswith("/kernel") for name in flow.variables]

    def initialize(self, batches: Iterator[Batch]) -> None:
        """Set every actnorm from the first photographs. See :meth:`Task.initialize`."""
        generator = np.random.default_rng(self._seed)
        pieces: list[Any] = []
        missing = self._initial_images
        for batch in batches:
            images = batch["image"][:missing]
            pieces.append(self._dequantized(images, generator.random(images.shape, np.float32)))
            missing -= len(images)
            if missing <= 0:
                break
        initialize(self.flow, pieces)

    def loss(self, batch: Mapping[str, Any], draws: Draws) -> tuple[Any, dict[str, Any]]:
        """Bits per dimension. See :meth:`Task.loss`."""
        tf = load_tensorflow()
        images = batch["image"]
        if self._flips:
            mirrored = draws.fold(1).uniform((1, 1, 1)) < 0.5
            images = tf.where(mirrored, tf.reverse(images, [2]), images)
        encoding = self._encoded(images, batch, draws, self._mode)
        return self._bits(encoding), {"nats_per_dim": self._nats(encoding)}

    def evaluate(self, batch: Mapping[str, Any], draws: Draws) -> dict[str, Any]:
        """The same without mirroring; for a flow with classes, how often the likeliest is the right one, too."""
        encoding = self._encoded(batch["image"], batch, draws, "plain")
        found = {"bits_per_dim": self._bits(encoding), "nats_per_dim": self._nats(encoding)}
        if self.flow.config.classes:
            tf = load_tensorflow()
            best = tf.argmax(self.flow.class_log_probs(encoding.latents[-1]), 1, tf.int32)
            found["accuracy"] = tf.cast(best == batch["label"], tf.float32)
        return found

    def health(self, batch: Batch) -> dict[str, float]:
        """How much photographs change on their way to the latents and back, at the most. See :meth:`Task.health`.

        ``round_trip`` is that of what is embedded and sampled, with more digits than training has; ``drift``, for
        backpropagation by ``reversible``, is that of the float32 that it recovers activations in.

        Raises:
            Unhealthy: it is more than a tenth of the range of colors.
        """
        x = self._dequantized(batch["image"], 0.5)
        found = {name: float(error(x)) for name, error in self._errors.items()}
        for name, worst in found.items():
            if not worst <= _MOST_ROUND_TRIP:
                how = f"with errors of up to {worst:.2g}" if math.isfinite(worst) else "as values that are not numbers"
                raise Unhealthy(f"{_LOST[name]}, photographs come back {how}")
        return found

    def illustrate(self, folder: Path, step: int) -> None:
        """Draw samples, and reconstructions and interpolations of the examples. See :meth:`Task.illustrate`."""
        write_grid(folder / f"samples-{step:07}.png", self._painter.samples(_DRAWN, TEMPERATURES, self._seed))
        if self._examples is not None and len(self._examples):
            images = self._dequantized(self._examples[:_DRAWN], 0.5).numpy()
            write_grid(folder / f"reconstructions-{step:07}.png", self._painter.reconstructions(images))
            pairs = self._painter.interpolations(images, np.roll(images, -1, axis=0), _BETWEEN)
            write_grid(folder / f"interpolations-{step:07}.png", pairs)

    def _dequantized(self, images: Any, noise: Any) -> Any:
        return dequantize(self._colors(images), self.flow.config.bits, noise)

    def _encoded(self, images: Any, batch: Mapping[str, Any], draws: Draws, mode: Mode) -> Encoding:
        labels = batch["label"] if self.flow.config.classes else None
        x = self._dequantized(images, draws.uniform(self.flow.config.shape))
        return self.flow.encode(x, labels, mode)

    def _bits(self, encoding: Encoding) -> Any:
        return bits_per_dim(encoding.log_prob, self.flow.config.dimension, self.flow.config.bits)

    def _nats(self, encoding: Encoding) -> Any:
        """Nats per dimension, without what the width of a bin adds: the figure that the original study reported."""
        return -encoding.log_prob / self.flow.config.dimension

    def _error(self, x: Any, precise: bool) -> Any:
        tf = load_tensorflow()
        weights = self.flow.precise_weights() if precise else None
        latents = [tf.cast(scale, x.dtype) for scale in self.flow.encode(x, weights=weights).standardized]
        return tf.reduce_max(tf.abs(tf.cast(self.flow.decode(latents, weights=weights), x.dtype) - x))
