"""Transforms in files: a model folder that ``reweight`` wrote, and gLocal's ``transform.npz``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from simtool.models.errors import ModelError
from simtool.models.folder import TRANSFORM, Manifest, check_weights, read_manifest, write_manifest
from simtool.scoring.distances import SimilarityError
from simtool.system.memory import available_memory
from simtool.tables.distances import DistanceTable
from simtool.tables.embeddings import EmbeddingTable
from simtool.tables.provenance import Provenance, sha256_of
from simtool.transforms.linear import LinearMap
from simtool.transforms.reweighting.learner import directed_distances
from simtool.transforms.reweighting.loss import Similarity
from simtool.vectors.npy import npz_array

__all__ = ["StoredTransform"]

_FILE = "transform.npz"
_ANCHOR = "anchor_weights"
#: Bytes for each pair of images, for the work on a table of distances.
_PAIR = 64


@dataclass(frozen=True)
class StoredTransform:
    """A linear map of vectors, or two of them.

    Attributes:
        map: of all images; of those that are compared with an anchor, if the anchor has its own map.
        anchor: the map of the anchor (the query); None if it is the same.
        similarity: the distance that was trained; None if it is not stated.
    """

    map: LinearMap
    anchor: LinearMap | None = None
    similarity: Similarity | None = None

    @property
    def name(self) -> str:
        """In labels of transformed vectors."""
        return self.map.name

    def save(self, folder: Path, facts: Mapping[str, Any], provenance: Provenance) -> None:
        """Write the maps and ``model.json`` into an empty folder.

        Args:
            folder: to fill.
            facts: further settings to state, such as the penalty.
            provenance: of the model.
        """
        arrays = dict(self.map.arrays)
        if self.anchor is not None:
            arrays[_ANCHOR] = self.anchor.weights
        np.savez(folder / _FILE, **arrays)
        settings = {"distance": None if self.similarity is None else str(self.similarity), **facts}
        hashes = {_FILE: sha256_of(folder / _FILE)}
        write_manifest(folder, Manifest(TRANSFORM, self.name, None, hashes, (), settings, provenance))

    @classmethod
    def read(cls, path: Path, table: EmbeddingTable) -> StoredTransform:
        """Read a model folder or a file of gLocal, for the vectors of a table.

        Raises:
            ModelError: it is no transform, is damaged, or was learned from vectors of another model.
            VectorsError: it does not fit the vectors.
        """
        if not path.is_dir():
            return cls(LinearMap.read(path, table.info.dimension))
        manifest = read_manifest(path)
        if manifest.kind != TRANSFORM:
            raise ModelError(f"{path}: a model of images ({manifest.kind}), not a transform; simtool embed applies it")
        if _FILE not in manifest.weights:
            raise ModelError(f"{path}: the manifest names no {_FILE}; copy the whole model folder")
        check_weights(path, manifest)
        source = manifest.settings.get("source_model")
        if source is not None and table.info.model is not None and source != table.info.model:
            raise ModelError(f"{path} was learned from vectors of another model than those of {table.path}")
        stated = manifest.settings.get("distance")
        if stated is not None and stated not in list(Similarity):
            raise ModelError(f"{path}: the manifest states the distance {stated}, which no transform is learned for")
        found = replace(LinearMap.read(path / _FILE, table.info.dimension), name=manifest.name)
        weights = npz_array(path / _FILE, _ANCHOR)
        if weights is not None and (weights.shape != found.weights.shape or not np.isfinite(weights).all()):
            raise ModelError(f"{path / _FILE}: {_ANCHOR} does not fit the weights, or holds NaN or infinity")
        anchor = None if weights is None else replace(found, weights=np.asarray(weights, np.float64))
        return cls(found, anchor, None if stated is None else Similarity(stated))

    def distances(self, table: EmbeddingTable, name: str) -> DistanceTable:
        """The distances from each image as an anchor to each other image, by the distance that was trained.

        Raises:
            SimilarityError: the memory is too small for all pairs, or a vector has no direction.
        """
        needed, free = _PAIR * len(table) ** 2, available_memory()
        if free is not None and needed > free:
            raise SimilarityError(
                f"the distances of all pairs of {len(table):,} images need {needed / 1e9:,.1f} GB of memory, "
                f"{free / 1e9:,.1f} GB are free; transform a table of fewer images"
            )
        vectors = table.read(dtype=np.float64)
        anchor, other = (each.apply(vectors) for each in (self.anchor or self.map, self.map))
        similarity = self.similarity or Similarity.COSINE
        return directed_distances(anchor, other, similarity, table.image_id, name)
