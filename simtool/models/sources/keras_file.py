"""``--model FILE.keras``: a network that Keras saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from simtool.models.sources.source import POOL, PRECISION, RUNTIME, SIZE, WINDOW, XLA, ModelOptions, NetworkFile

if TYPE_CHECKING:
    from simtool.models.interface import Model

__all__ = ["KerasFileSource"]


class KerasFileSource(NetworkFile):
    """A ``.keras`` file, which does not state its preprocessing."""

    usage = "FILE.keras"
    label = "a .keras file"
    options: ClassVar[Mapping[str, str]] = {
        "preprocessing": "caffe, symmetric, torch, unit, bytes, square, antialiased or study, as the network "
        "expects [required]",
        "size": SIZE,
        "crop": "central part of each side that is kept [the preprocessing's]",
        "trust_code": "run code that the file holds (Lambda layers)",
        "layer": "final, penultimate, logits, or a layer by its name [penultimate, else final]",
        "pool": POOL,
        "window": WINDOW,
        "precision": PRECISION,
        "runtime": RUNTIME,
        "xla": XLA,
    }
    limits = "a .keras file has no components, noise or initial weights"
    kind = "KERAS"

    def open(self, options: ModelOptions) -> Model:
        """See :meth:`Source.open`."""
        from simtool.models.classifier.keras_file import load_keras_file

        recipe = options.recipe(self.label)
        return options.applied(load_keras_file(Path(self.argument), recipe, options.size, options.trust_code))
