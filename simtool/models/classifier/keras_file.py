"""A network in a ``.keras`` file.

The older ``.h5`` files are not read: they can hold code that runs without consent.
"""

from __future__ import annotations

import json
import lzma
import re
import zipfile
import zlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from simtool import console
from simtool.errors import listed
from simtool.images.preprocessing import Preprocessing
from simtool.kinds import Expected, What, explain, kind_of
from simtool.models.classifier.activations import FINAL, LOGITS, PENULTIMATE, Activations
from simtool.models.classifier.graph import Call, calls, dense_head
from simtool.models.errors import ModelError
from simtool.models.network import fitted, scales_itself
from simtool.tables.provenance import sha256_of
from simtool.tensorflow import load_tensorflow

__all__ = ["KerasFile", "load_keras_file"]

_METADATA, _CONFIG = "metadata.json", "config.json"
#: The largest size of the text in such a file, in bytes, and the largest factor by which a part grows when unpacked.
_LARGEST_TEXT, _MOST_GROWTH = 64 << 20, 100
#: Exceptions of damaged files. RuntimeError: a part is encrypted, or nested too deeply.
_DAMAGES = (*(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError), *(KeyError, RuntimeError, ValueError))
#: The largest length of a message of Keras.
_LONGEST = 200


class KerasFile(Activations):
    """A network from a file.

    ``final`` is its output. If a dense layer computes the output, ``penultimate`` is the input of this layer and
    ``logits`` its output before the activation, and ``penultimate`` is the default. Otherwise ``final`` is the default.

    Args:
        name: of the network, for reports.
        network: a functional Keras model with one input, (b, height, width, 3).
        preprocessing: of images, before the network.
        weights: the SHA-256 of the file; None for random weights.
    """

    def __init__(self, name: str, network: Any, preprocessing: Preprocessing, weights: str | None) -> None:
        self.name, self.network, self.preprocessing, self.weights = name, network, preprocessing, weights
        self.layers = tuple(self.named)

    @cached_property
    def named(self) -> Mapping[str, Any]:
        """``final``; with a dense head, ``penultimate`` and ``logits`` too. See :class:`Activations`."""
        final = {FINAL: self.network.outputs[0]}
        head = dense_head(self.network)
        if head is None:
            return final
        (penultimate,) = head.inputs
        return {PENULTIMATE: penultimate, LOGITS: _logits(head, penultimate), **final}


def _logits(head: Call, values: Any) -> Any:
    """The output of a dense layer without its activation.

    The layer itself computes it, because its weights may be quantised, or combined with other weights (LoRA).
    """
    import keras

    dense = head.layer
    if dense.activation is keras.activations.linear:
        return head.outputs[0]

    class Linear(keras.layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            activation, dense.activation = dense.activation, keras.activations.linear
            try:
                return dense.quantized_call(inputs) if dense.quantization_mode else dense.call(inputs)
            finally:
                dense.activation = activation

    return Linear(name=LOGITS, dtype="float32")(values)


def load_keras_file(
    path: Path, preprocessing: Preprocessing, size: int | None = None, trust: bool = False
) -> KerasFile:
    """Load a network.

    Args:
        path: a ``.keras`` file.
        preprocessing: of images, before the network; it is adjusted to the size that the network expects.
        size: height and width in pixels, for a network that takes any size.
        trust: run code in the file (``Lambda`` layers), as Keras does with ``safe_mode=False``.

    Raises:
        ModelError: it cannot be loaded, or it is not a network from images to vectors.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    version = _written_by(path)
    if path.suffix != ".keras":
        raise ModelError(f"{path}: Keras loads a model only if its name ends in .keras; rename the file")
    load_tensorflow()
    import keras

    try:
        network = keras.models.load_model(path, compile=False, safe_mode=not trust)
    except Exception as failure:  # whatever a file from elsewhere makes Keras raise
        raise ModelError(f"{path}: Keras cannot load it: {_reason(failure, version, trust)}") from failure
    expected = _sides(path, network)
    preprocessing = fitted(path, preprocessing, expected, size)
    if preprocessing.colors and (scaling := _scaling(network)):
        console.note(f"{path}: {scales_itself(f'layer {listed(scaling)}', preprocessing)}")
    return KerasFile(path.stem, network, preprocessing, sha256_of(path))


def _written_by(path: Path) -> str:
    """The version of Keras that wrote a file, as the file states it."""
    if kind_of(path).what is not What.KERAS:
        raise ModelError(explain(path, Expected.MODEL))
    try:
        with zipfile.ZipFile(path) as archive:
            for part in archive.infolist():
                if part.file_size > _LARGEST_TEXT and (
                    part.filename in (_METADATA, _CONFIG) or part.file_size > _MOST_GROWTH * part.compress_size
                ):
                    raise ModelError(
                        f"{path}: {part.filename} in it unpacks to {part.file_size:,} bytes, too many for a network"
                    )
            metadata = json.loads(archive.read(_METADATA))
    except _DAMAGES as failure:
        raise ModelError(explain(path, Expected.MODEL, _brief(failure))) from failure
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    return version if isinstance(version, str) else "of unknown version"


def _sides(path: Path, network: Any) -> tuple[int | None, int | None]:
    """The height and width that a network expects; None for any size."""
    inputs, outputs = ([tuple(one.shape[1:]) for one in getattr(network, end, ())] for end in ("inputs", "outputs"))
    if len(inputs) != 1 or len(inputs[0]) != 3 or inputs[0][2] != 3 or len(outputs) != 1:
        raise ModelError(
            f"{path}: embed needs a network from (height, width, 3) to one output, not from {inputs} to {outputs}"
        )
    return inputs[0][:2]


def _scaling(network: Any) -> list[str]:
    """The names of the layers that scale colors, before the first layer with trained weights."""
    import keras

    found = []
    for call in calls(network).values():
        if isinstance(call.layer, keras.layers.Rescaling | keras.layers.Normalization):
            found.append(call.name)
        elif getattr(call.layer, "weights", None):
            break
    return found


def _reason(failure: Exception, version: str, trust: bool) -> str:
    """The first sentence of an error of Keras, and the remedy for code and for old files."""
    import keras

    text = str(failure)
    if not trust and "safe" in text and "Lambda" in text:
        return "it holds code; --trust-code runs the code, if you trust the source of the file"
    if version.startswith("2."):
        return (
            f"Keras {version} wrote it, and Keras {keras.__version__} here reads few networks of Keras 2; "
            "build the network in Keras 3, load its weights there, and save it again"
        )
    return _brief(failure)


def _brief(failure: Exception) -> str:
    """The first line of the innermost error, without configurations and Python objects that Keras may add."""
    text = str(failure).split("Exception encountered:")[-1].strip()
    text = next(iter(text.splitlines()), "") or type(failure).__name__
    text = re.split(r" Full object config| config=\{", text)[0]
    text = re.sub(r"<class '(?:[\w.]*\.)?(\w+)'>", r"\1", text)
    text = re.sub(r"<(?:function|bound method|built-in \w+|module) '?([\w.]+)[^>]*>", r"\1", text)
    text = re.sub(r"<([\w.]+)(?: object)? at 0x[0-9a-f]+>", r"\1", text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
