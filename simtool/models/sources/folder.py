"""``--model FOLDER``: a model that simtool fitted or trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from simtool.errors import UsageError
from simtool.models.sources.source import POOL, PRECISION, RUNTIME, SEED, UNTRAINED, WINDOW, XLA, ModelOptions, Source

if TYPE_CHECKING:
    from simtool.models.interface import Model

__all__ = ["FolderSource"]

#: The layer that ``--noise`` applies to.
_POSTERIOR = "posterior"


class FolderSource(Source):
    """A model folder, which holds its own preprocessing (see :mod:`simtool.models.folder`)."""

    usage = "FOLDER"
    label = "a model folder"
    options: ClassVar[Mapping[str, str]] = {
        "layer": "a layer that --list-layers lists [the first]",
        "pool": POOL,
        "window": WINDOW,
        "noise": "the variance that Glow's posterior assumes for all dimensions [measured for each dimension]",
        "components": "keep only the first components of a PCA [all]",
        "precision": PRECISION,
        "runtime": RUNTIME,
        "xla": XLA,
        "untrained": f"{UNTRAINED}; for a PCA a random projection",
        "seed": SEED,
    }
    limits = "a model folder has its own preprocessing and weights"
    kind = "MODEL_FOLDER"

    @property
    def inputs(self) -> list[Path]:
        """Its ``model.json``, which holds the hashes of the weights."""
        from simtool.training.folder import MANIFEST

        return [Path(self.argument) / MANIFEST]

    @property
    def is_flow(self) -> bool:
        """See :attr:`Source.is_flow`."""
        from simtool.models.folder import read_manifest
        from simtool.models.registry import FLOWS

        return read_manifest(Path(self.argument)).kind in FLOWS

    def open(self, options: ModelOptions) -> Model:
        """See :meth:`Source.open`."""
        from simtool.models.registry import load_model

        return options.applied(load_model(Path(self.argument)))

    def computation(self, options: ModelOptions) -> tuple[str, str] | None:
        """See :meth:`Source.computation`."""
        from simtool.models.folder import read_manifest
        from simtool.models.registry import NETWORKS

        manifest = read_manifest(Path(self.argument))
        if manifest.kind not in NETWORKS:
            return None
        stated = manifest.settings.get("compute_dtype")
        return super().computation(replace(options, precision=options.precision or stated))

    def layers(self, options: ModelOptions, model: Model) -> list[str]:
        """The layers, with the noise of the posterior in its name. See :meth:`Source.layers`."""
        if options.noise is None:
            return super().layers(options, model)
        if _POSTERIOR not in options.layer:
            raise UsageError(f"--noise is for --layer {_POSTERIOR}")
        noisy = f"{_POSTERIOR}:noise={options.noise:g}"
        layers = [noisy if layer == _POSTERIOR else layer for layer in options.layer]
        return super().layers(replace(options, layer=layers), model)
