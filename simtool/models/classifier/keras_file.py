"""A network that somebody saved as a ``.keras`` file, embedded as it is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from simtool.images.recipes import Recipe
from simtool.models.classifier.activations import FINAL, LOGITS, PENULTIMATE, Activations
from simtool.models.errors import ModelError
from simtool.tables.provenance import sha256_of
from simtool.tensorflow import load_tensorflow

__all__ = ["SUFFIX", "KerasFile", "load_keras_file"]

#: How the name of such a file ends. The older ``.h5`` files are not read: they can hold code that runs unasked.
SUFFIX = ".keras"


class KerasFile(Activations):
    """A network from elsewhere.

    ``final`` is its output, ``penultimate`` what its last dense layer sees, and ``logits`` what that layer gives before
    its softmax.

    Args:
        name: of the network, for reports.
        network: a functional Keras model with one input, (b, height, width, 3).
        recipe: what photographs go through first.
        weights: the SHA-256 of the file.
    """

    def __init__(self, name: str, network: Any, recipe: Recipe, weights: str) -> None:
        self.name, self.network, self.recipe, self.weights = name, network, recipe, weights
        self.layers = tuple(self.named)

    @cached_property
    def named(self) -> Mapping[str, Any]:
        """``penultimate`` and ``logits`` where there is a dense layer, and ``final``. See :class:`Activations`."""
        import keras

        final = {FINAL: self.network.outputs[0]}
        dense = [layer for layer in self.network.layers if isinstance(layer, keras.layers.Dense)]
        if not dense:
            return final
        last = dense[-1]
        linear = keras.layers.Dense(last.units, use_bias=last.use_bias, dtype="float32", name=LOGITS)
        logits = linear(last.input)
        linear.set_weights(last.get_weights())
        return {PENULTIMATE: last.input, LOGITS: logits, **final}


def load_keras_file(path: Path, recipe: Recipe, size: int | None = None, trust: bool = False) -> KerasFile:
    """Load a network.

    Args:
        path: a ``.keras`` file.
        recipe: what photographs go through first; it is adjusted to the size that the network expects.
        size: height and width in pixels, for a network that takes any.
        trust: run code that the file holds (its ``Lambda`` layers), as Keras does with ``safe_mode=False``.

    Raises:
        ModelError: it cannot be loaded, or is no network from photographs to vectors.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    load_tensorflow()
    import keras

    try:
        network = keras.models.load_model(path, compile=False, safe_mode=not trust)
    except Exception as failure:  # whatever a file from elsewhere makes Keras raise
        raise ModelError(f"{path}: Keras cannot load it: {_reason(failure, trust)}") from failure
    expected = _sides(path, network)
    sides = tuple(size or recipe.shape[0] if side is None else side for side in expected)
    if sides[0] != sides[1] or (size and sides[0] != size):
        raise ModelError(f"{path}: the network expects {expected[0]} by {expected[1]} pixels, not {size or 'a square'}")
    return KerasFile(path.stem, network, recipe.adjusted(sides[0]), sha256_of(path))


def _sides(path: Path, network: Any) -> tuple[int | None, int | None]:
    """The height and width that a network expects; None for any."""
    inputs, outputs = ([tuple(one.shape[1:]) for one in getattr(network, end, ())] for end in ("inputs", "outputs"))
    if len(inputs) != 1 or len(inputs[0]) != 3 or inputs[0][2] != 3 or len(outputs) != 1:
        raise ModelError(
            f"{path}: a network from (height, width, 3) to one output can be embedded, not from {inputs} to {outputs}"
        )
    return inputs[0][:2]


def _reason(failure: Exception, trust: bool) -> str:
    """The first sentence of a complaint of Keras, and what to do about code."""
    text = str(failure).strip()
    if not trust and "safe" in text and "Lambda" in text:
        return "it holds code of its own; --trust-code runs it, if you trust where it comes from"
    return (text.splitlines() or [type(failure).__name__])[0]
