"""``--model SAVEDMODEL``: a network that TensorFlow saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from simtool.models.sources.source import POOL, PRECISION, RUNTIME, SIZE, WINDOW, XLA, ModelOptions, NetworkFile

if TYPE_CHECKING:
    from simtool.models.interface import Model

__all__ = ["SavedModelSource"]


class SavedModelSource(NetworkFile):
    """A folder with a ``saved_model.pb``, which does not state its preprocessing."""

    usage = "SAVEDMODEL"
    label = "a SavedModel"
    options: ClassVar[Mapping[str, str]] = {
        "preprocessing": "as the network expects [required]",
        "size": SIZE,
        "crop": "central part of each side that is kept [the preprocessing's]",
        "layer": "an output of the signature by its name [the only output]",
        "pool": POOL,
        "window": WINDOW,
        "signature": "the function that is called [serving_default, or the only one]",
        "precision": PRECISION,
        "runtime": RUNTIME,
        "xla": XLA,
    }
    limits = "a SavedModel has no components, noise, Python code or initial weights"
    kind = "SAVED_MODEL"

    @property
    def inputs(self) -> list[Path]:
        """All its files."""
        from simtool.models.saved_model import files_of

        return files_of(Path(self.argument))

    def open(self, options: ModelOptions) -> Model:
        """See :meth:`Source.open`."""
        from simtool.models.saved_model import load_saved_model

        recipe = options.recipe(self.label)
        return options.applied(load_saved_model(Path(self.argument), recipe, options.size, options.signature))
