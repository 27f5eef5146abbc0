"""The kinds of models in model folders."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from simtool.errors import SimtoolError, listed
from simtool.models.errors import ModelError
from simtool.models.folder import TRANSFORM, check_weights, read_manifest
from simtool.models.interface import TrainedModel

__all__ = ["FLOWS", "KINDS", "NETWORKS", "load_model"]

#: The module and the class of each kind. The module is imported when a folder of that kind is loaded.
KINDS: dict[str, tuple[str, str]] = {
    "classifier": ("simtool.models.classifier.model", "Classifier"),
    "glow": ("simtool.models.flows.glow.model", "Glow"),
    "jet": ("simtool.models.flows.jet.model", "Jet"),
    "pca": ("simtool.models.pca.model", "Pca"),
}
#: The kinds that have the pooling ``surprise``.
FLOWS = frozenset({"glow", "jet"})
#: The kinds that TensorFlow computes, on a GPU if there is one.
NETWORKS = KINDS.keys() - {"pca"}


def load_model(folder: Path) -> TrainedModel:
    """Load the model in a folder.

    Raises:
        ModelError: it is not a model folder, is of an unknown kind, or is damaged.
    """
    manifest = read_manifest(folder)
    if manifest.kind == TRANSFORM:
        raise ModelError(f"{folder}: it transforms vectors, not images; run simtool transform TABLE --with {folder}")
    if manifest.kind not in KINDS:
        raise ModelError(f"{folder}: unknown kind of model {manifest.kind}; this program knows {listed(KINDS, 9)}")
    check_weights(folder, manifest)
    module, name = KINDS[manifest.kind]
    kind: type[TrainedModel] = getattr(import_module(module), name)
    try:
        model = kind.load(folder, manifest)
    except SimtoolError as failure:
        if str(folder) in str(failure):
            raise
        raise ModelError(f"{folder}: {failure}") from failure
    model.state_origin()
    return model
