"""A network of ``keras.applications``, with published weights or with weights from a file."""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from simtool import console
from simtool.archive import ArchiveError, fetch
from simtool.errors import first_line, listed, wrong_usage
from simtool.images.preprocessing import named_preprocessing
from simtool.kinds import What, kind_of
from simtool.models.classifier.activations import FINAL, PENULTIMATE
from simtool.models.classifier.architectures import APPLICATIONS, Architecture
from simtool.models.classifier.graph import dense_head, made_by
from simtool.models.classifier.keras_file import KerasFile
from simtool.models.classifier.network import scale_twice, settle
from simtool.models.classifier.published import PUBLISHED, is_published
from simtool.models.errors import ModelError
from simtool.models.network import COLORS
from simtool.system.lock import alone_in
from simtool.tables.provenance import sha256_of
from simtool.tensorflow import load_tensorflow

__all__ = ["Application", "application_named", "cache", "load_application", "untrained_application"]


class Application(KerasFile):
    """A network of ``keras.applications``. See :class:`KerasFile` for its layers.

    If a convolution computes the classes (MobileNet), ``penultimate`` is the input of this convolution.
    """

    as_in_keras = True

    @cached_property
    def named(self) -> Mapping[str, Any]:
        """See :class:`Activations`."""
        if dense_head(self.network) is not None:
            return super().named
        import keras

        after = (keras.layers.Activation, keras.layers.Softmax, keras.layers.Reshape, keras.layers.Flatten)
        final = {FINAL: self.network.outputs[0]}
        node = made_by(self.network.outputs[0])
        while isinstance(node.operation, after):
            node = made_by(node.input_tensors[0])
        head = isinstance(node.operation, keras.layers.Conv2D)
        return {PENULTIMATE: node.input_tensors[0], **final} if head else final


@wrong_usage()
def application_named(name: str) -> Architecture:
    """The network of ``keras.applications`` with a name, in upper or lower case.

    Raises:
        ModelError: there is no such network; the message names similar ones, and lists all.
    """
    known = {one.lower(): one for one in APPLICATIONS}
    if name.lower() in known:
        return APPLICATIONS[known[name.lower()]]
    near = [known[one] for one in difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)]
    similar = f"similar names are {listed(near)}; " if near else ""
    raise ModelError(f"keras.applications has no network {name}; {similar}it has {listed(sorted(known.values()), 99)}")


def load_application(
    name: str,
    size: int | None = None,
    crop: float | None = None,
    weights: Path | None = None,
    layers: Sequence[str] = (),
) -> Application:
    """Build a network with its own preprocessing, and load its weights.

    Args:
        name: of the function in ``keras.applications``.
        size: height and width of the images in pixels; None for those of the published weights.
        crop: central part of each side of an image that is kept; None for the whole image.
        weights: a file that Keras or ``keras.applications`` wrote, with or without the last layer. None downloads the
            weights that ``keras.applications`` publishes, once, into the cache of Keras.
        layers: that the network must have, as :meth:`Application.output` takes them.

    Raises:
        ModelError: there is no such network, it does not take images of that size, it has no such layer, or the file
            does not fit it.
        ModelError: or the download fails.
        OSError: the cache cannot be written.
    """
    architecture = application_named(name)
    if weights is not None:
        _check(weights)
    whole = _built(architecture, size, top=True)
    _check_layers(architecture, whole, layers, size, published=weights is None)
    file = _downloaded(architecture) if weights is None else weights
    _check(file)
    network = _loaded(architecture, size, file, whole)
    if architecture.scaled and is_published(architecture.name, file):
        scale_twice(network)
    return _application(architecture, network, crop, sha256_of(file))


def untrained_application(name: str, size: int | None = None, crop: float | None = None, seed: int = 0) -> Application:
    """Build a network with its initial weights; nothing is downloaded.

    Args:
        name: as for :func:`load_application`.
        size: as for :func:`load_application`.
        crop: as for :func:`load_application`.
        seed: of the initial weights.

    Raises:
        ModelError: there is no such network, or it does not take images of that size.
    """
    architecture = application_named(name)
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(seed)
    network = _built(architecture, size, top=True)
    settle(network)
    application = _application(architecture, network, crop, None)
    application.state_control(application, seed)
    return application


def _application(architecture: Architecture, network: Any, crop: float | None, weights: str | None) -> Application:
    preprocessing = named_preprocessing(architecture.recipe).adjusted(network.input_shape[1], crop)
    application = Application(f"keras:{architecture.name}", network, preprocessing, weights)
    application.origin = application.name
    return application


def cache() -> Path:
    """The folder in which ``keras.applications`` looks for weights."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "models"


def _downloaded(architecture: Architecture) -> Path:
    """The published weights in the cache, which one process at a time downloads."""
    published, folder = PUBLISHED[architecture.name], cache()
    file = folder / published.name
    if file.is_file() and (published.is_copy(file) or not published.has_checksum):
        return file
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with alone_in(folder, f"keras:{architecture.name}", tell=console.note):
            return fetch(published, folder)
    except ArchiveError as failure:
        raise ModelError(
            f"{failure}; without a network, get {listed(published.urls)} on another machine, and give the file as "
            "--weights"
        ) from failure


def _check_layers(
    architecture: Architecture, whole: Any, layers: Sequence[str], size: int | None, published: bool
) -> None:
    """Refuse a layer that the network cannot have, before its weights are downloaded or read.

    A file of a user can lack the last layer; then the network may have another one.
    """
    for layer in layers:
        try:
            with console.quiet():
                _application(architecture, whole, None, None).output(layer)
        except ModelError:
            if published:
                raise
            with suppress(ModelError), console.quiet():
                _application(architecture, _built(architecture, size, top=False), None, None).output(layer)
                continue
            raise


def _loaded(architecture: Architecture, size: int | None, file: Path, whole: Any) -> Any:
    """The network with the weights of a file: ``whole`` if the file has its last layer, else without."""
    reasons = []
    for top in (True, False):
        network = whole if top else _built(architecture, size, top)
        if not (reason := _failure(network, file)):
            if not top:
                console.note(f"{file}: the weights fit {architecture.name} without its last layers only")
            return network
        reasons.append(reason)
    images = f" for images of {size} by {size}" if size else ""
    raise ModelError(
        f"{file}: this is {kind_of(file).description}; these are not the weights of {architecture.name}{images}: "
        f"{reasons[0]}"
    )


def _check(file: Path) -> None:
    """Refuse a file that is not of Keras, before a library reads it."""
    kind = kind_of(file)
    if kind.damage or kind.what not in (What.KERAS_WEIGHTS, What.KERAS_H5, What.KERAS):
        raise ModelError(f"{file}: this is {kind.description}, not a file of weights that Keras saved")


def _built(architecture: Architecture, size: int | None, top: bool) -> Any:
    """The network with random weights; without the last layer, it ends with the mean over pixels."""
    load_tensorflow()
    import keras

    make = getattr(keras.applications, architecture.name)
    side = size or architecture.size
    whole: dict[str, Any] = {} if top else {"pooling": "avg"}
    try:
        return make(weights=None, include_top=top, input_shape=(side, side, COLORS), **whole)
    except Exception as failure:  # Keras raises several types
        raise ModelError(
            f"keras:{architecture.name} cannot be built for images of {side} by {side}: {first_line(failure)}"
        ) from failure


def _failure(network: Any, file: Path) -> str:
    """Load weights; return the reason where they do not fit, or nothing."""
    try:
        # Keras prints a warning for each part of the file that it does not know.
        with warnings.catch_warnings(action="ignore"):
            network.load_weights(file)
    except Exception as failure:  # a file from elsewhere can make Keras raise any exception
        return first_line(failure).partition(" Example error message")[0]
    settle(network)
    return ""
