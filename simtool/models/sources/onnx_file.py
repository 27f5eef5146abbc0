"""``--model FILE.onnx``: a network from PyTorch, Keras or another program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from simtool.models.sources.source import POOL, PRECISION, SIZE, WINDOW, ModelOptions, NetworkFile

if TYPE_CHECKING:
    from simtool.models.interface import Model

__all__ = ["OnnxFileSource"]


class OnnxFileSource(NetworkFile):
    """An ``.onnx`` file, which can state its preprocessing in its metadata."""

    usage = "FILE.onnx"
    label = "an .onnx file"
    options: ClassVar[Mapping[str, str]] = {
        "preprocessing": "torch for most networks from PyTorch; as the network expects [the file's metadata]",
        "size": SIZE,
        "crop": "central part of each side that is kept [the preprocessing's]",
        "layer": "an output, or another tensor by its name or its node's [the first output]",
        "pool": POOL,
        "window": WINDOW,
        "precision": PRECISION,
        "runtime": "always openvino",
    }
    limits = "an .onnx file has no components, noise or initial weights"
    kind = "ONNX"

    @property
    def inputs(self) -> list[Path]:
        """The file, and the files of its weights."""
        from simtool.models.onnx_file import files_of

        return files_of(Path(self.argument))

    def open(self, options: ModelOptions) -> Model:
        """See :meth:`Source.open`."""
        from simtool.models.onnx_file import load_onnx_file

        recipe = self._stated(options).recipe(self.label)
        return options.applied(load_onnx_file(Path(self.argument), recipe, options.size))

    def computation(self, options: ModelOptions) -> tuple[str, str] | None:
        """See :meth:`Source.computation`."""
        from simtool.models.runtimes import OPENVINO

        return super().computation(replace(options, runtime=OPENVINO))

    def inspected(self, options: ModelOptions) -> Model:
        """See :meth:`Source.inspected`."""
        return super().inspected(self._stated(options))

    def _stated(self, options: ModelOptions) -> ModelOptions:
        """The options, with the preprocessing in the metadata of the file if they name none."""
        from simtool.models.onnx_file import stated_preprocessing

        if options.preprocessing is not None:
            return options
        return replace(options, preprocessing=stated_preprocessing(Path(self.argument)))
