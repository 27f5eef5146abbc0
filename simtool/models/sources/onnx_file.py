"""``--model FILE.onnx``: a network from PyTorch, Keras or another program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from simtool.models.sources.source import PRECISION, SIZE, ModelOptions, Source

if TYPE_CHECKING:
    from simtool.models.interface import Model

__all__ = ["OnnxFileSource"]


class OnnxFileSource(Source):
    """An ``.onnx`` file, which does not state its preprocessing."""

    usage = "FILE.onnx"
    label = "an .onnx file"
    options: ClassVar[Mapping[str, str]] = {
        "preprocessing": "torch for most networks from PyTorch; as the network expects [required]",
        "size": SIZE,
        "crop": "central part of each side that is kept [the preprocessing's]",
        "layer": "an output or another tensor by its name [the first output]",
        "precision": PRECISION,
        "runtime": "always openvino",
    }
    limits = "an .onnx file has no components, no noise and no code"
    kind = "ONNX"

    @property
    def inputs(self) -> list[Path]:
        """The file, and the files of its weights."""
        from simtool.models.onnx_file import files_of

        return files_of(Path(self.argument))

    def open(self, options: ModelOptions) -> Model:
        """See :meth:`Source.open`."""
        from simtool.models.onnx_file import load_onnx_file

        return options.applied(load_onnx_file(Path(self.argument), options.recipe(self.label), options.size))
