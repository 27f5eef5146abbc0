"""The training of a flow: the loss is the code length of dequantized images."""

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
from simtool.models.flows.config import INITIAL_IMAGES, Mode
from simtool.models.flows.dequantization import bits_per_dim, dequantize
from simtool.models.flows.drawing import TEMPERATURES, Painter, write_grid
from simtool.models.flows.encoding import Encoding
from simtool.models.flows.flow import Flow
from simtool.models.flows.initialization import initialize
from simtool.tensorflow import load_tensorflow
from simtool.training.augmentation import mirrored
from simtool.training.data import Batch, Draws
from simtool.training.task import Criterion, Task, Unhealthy

__all__ = ["FlowTask"]

tf = load_tensorflow()

#: The largest accepted reconstruction error, as a share of the range of colors. Beyond it, the flow is not invertible,
#: and its densities and gradients are wrong.
_MOST_ROUND_TRIP = 0.1
#: The meaning of an error of :meth:`FlowTask.health` beyond this limit.
_LOST = {
    "round_trip": "the flow is no longer invertible",
    "drift": "backpropagation in float32 no longer inverts the flow",
}
#: Number of images in a row of samples, and number of examples.
_DRAWN = 6
#: Images of an interpolation.
_BETWEEN = 9


class FlowTask(Task):
    """Maximum likelihood: the loss is the mean code length of images, in bits per dimension.

    Each time an image is seen, new noise is added to its values within their bins (uniform dequantization), and a
    random half of the images is mirrored. Validation adds the same noise every time and mirrors nothing, so that epochs
    can be compared.

    Args:
        flow: to train.
        preprocessing: of the images; this task computes its arithmetic of colors.
        mode: of backpropagation.
        flips: whether to mirror half of the images.
        initial_images: number of images for data-dependent initialisation (actnorm).
        examples: (n, size, size, 3) images as bytes, to draw reconstructions and interpolations of; may be empty.
        seed: of the noise for initialisation and of drawn samples.

    Attributes:
        variables: the weights of the flow.
        decayed: whether weight decay acts on a variable: only on kernels, since the size of all other weights matters.
    """

    criterion: ClassVar[Criterion] = Criterion("bits_per_dim")

    def __init__(
        self,
        flow: Flow,
        preprocessing: Preprocessing,
        mode: Mode = "plain",
        flips: bool = True,
        initial_images: int = INITIAL_IMAGES,
        examples: NDArray[np.uint8] | None = None,
        seed: int = 0,
    ) -> None:
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
                "try a lower learning rate or a longer warm-up (warmup_steps), or --backprop recompute, which does not "
                "invert the flow"
            )
        self.variables = list(flow.variables.values())
        self.decayed = [name.endswith("/kernel") for name in flow.variables]

    def initialize(self, batches: Iterator[Batch]) -> None:
        """Initialise the flow from the first images. See :meth:`Task.initialize`."""
        images = (self._colors(batch["image"]) for batch in batches)
        initialize(self.flow, images, self._initial_images, self._seed)

    def prepared(self, batch: Mapping[str, Any], draws: Draws) -> Mapping[str, Any]:
        """Mirror half of the images, and dequantize. See :meth:`Task.prepared`."""
        images = mirrored(batch["image"], draws.fold(1)) if self._flips else batch["image"]
        return {**batch, "image": self._dequantized(images, draws.uniform(self.flow.config.shape))}

    def loss(self, batch: Mapping[str, Any], draws: Draws) -> tuple[Any, dict[str, Any]]:
        """Bits per dimension. See :meth:`Task.loss`."""
        del draws
        encoding = self._encoded(batch["image"], batch, self._mode)
        return self._bits(encoding), {"nats_per_dim": self._nats(encoding)}

    def evaluate(self, batch: Mapping[str, Any], draws: Draws) -> dict[str, Any]:
        """Bits per dimension without mirroring; for a flow with classes, the accuracy of the most likely class, too."""
        x = self._dequantized(batch["image"], draws.uniform(self.flow.config.shape))
        encoding = self._encoded(x, batch, "plain")
        found = {"bits_per_dim": self._bits(encoding), "nats_per_dim": self._nats(encoding)}
        if self.flow.config.classes:
            best = tf.argmax(self.flow.class_log_probs(encoding.latents[-1]), 1, tf.int32)
            found["accuracy"] = tf.cast(best == batch["label"], tf.float32)
        return found

    def health(self, batch: Batch) -> dict[str, float]:
        """The largest reconstruction error of images. See :meth:`Task.health`.

        ``round_trip`` is the error of ``embed`` and ``sample``, which compute with more digits than training.
        ``drift``, for the mode ``reversible``, is the error of float32, in which backpropagation recovers activations.

        Raises:
            Unhealthy: an error is more than a tenth of the range of colors.
        """
        x = self._dequantized(batch["image"], 0.5)
        found = {name: float(error(x)) for name, error in self._errors.items()}
        for name, worst in found.items():
            if not worst <= _MOST_ROUND_TRIP:
                how = f"errors of up to {worst:.2g}" if math.isfinite(worst) else "values that are not numbers"
                raise Unhealthy(f"{_LOST[name]}: reconstructed images have {how}")
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

    def _encoded(self, x: Any, batch: Mapping[str, Any], mode: Mode) -> Encoding:
        return self.flow.encode(x, batch["label"] if self.flow.config.classes else None, mode)

    def _bits(self, encoding: Encoding) -> Any:
        return bits_per_dim(encoding.log_prob, self.flow.config.dimension, self.flow.config.bits)

    def _nats(self, encoding: Encoding) -> Any:
        """Nats per dimension, without the width of a bin: the figure that the original study reported."""
        return -encoding.log_prob / self.flow.config.dimension

    def _error(self, x: Any, precise: bool) -> Any:
        weights = self.flow.precise_weights() if precise else None
        latents = [tf.cast(scale, x.dtype) for scale in self.flow.encode(x, weights=weights).standardized]
        return tf.reduce_max(tf.abs(tf.cast(self.flow.decode(latents, weights=weights), x.dtype) - x))
