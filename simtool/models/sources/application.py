"""``--model keras:NAME``: a network of ``keras.applications``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from simtool.models.sources.source import POOL, PRECISION, RUNTIME, SEED, UNTRAINED, WINDOW, XLA, ModelOptions, Source

if TYPE_CHECKING:
    from simtool.images.given import GivenImages
    from simtool.models.interface import Model

__all__ = ["ApplicationSource"]

_PREFIX = "keras:"


class ApplicationSource(Source):
    """A network that is built by its name, with published weights or with weights from a file."""

    usage = "keras:NAME"
    label = "a network of keras.applications"
    options: ClassVar[Mapping[str, str]] = {
        "size": "height and width [those of the published weights]",
        "crop": "central part of each side that is kept [all]",
        "weights": "a file of weights that Keras saved [the published weights of ImageNet, downloaded once]",
        "layer": "penultimate, logits, final, or a layer by its name, such as avg_pool [penultimate]",
        "pool": POOL,
        "window": WINDOW,
        "precision": PRECISION,
        "runtime": RUNTIME,
        "xla": XLA,
        "untrained": f"{UNTRAINED}; nothing is downloaded",
        "seed": SEED,
    }
    limits = "a network of keras.applications has its own preprocessing, and no components or noise"

    @classmethod
    def is_named(cls, argument: str) -> bool:
        """See :meth:`Source.is_named`."""
        return argument.startswith(_PREFIX)

    def open(self, options: ModelOptions) -> Model:
        """See :meth:`Source.open`."""
        from simtool.models.classifier.application import load_application

        return options.applied(load_application(self._name, options.size, options.crop, options.weights, options.layer))

    def control(self, options: ModelOptions, images: GivenImages) -> Model:
        """See :meth:`Source.control`. The trained weights are not needed."""
        from simtool.models.classifier.application import untrained_application

        del images
        return options.applied(untrained_application(self._name, options.size, options.crop, options.seed or 0))

    def inspected(self, options: ModelOptions) -> Model:
        """See :meth:`Source.inspected`. The layers do not depend on the weights, which are not downloaded."""
        from simtool.models.classifier.application import untrained_application

        return untrained_application(self._name, options.size) if options.weights is None else self.open(options)

    @property
    def _name(self) -> str:
        return self.argument.removeprefix(_PREFIX)
