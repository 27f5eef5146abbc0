"""A PCA as a model, which projects images on principal components."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from simtool.errors import wrong_usage
from simtool.images.given import GivenImages
from simtool.images.preprocessing import Preprocessing
from simtool.models.errors import ModelError
from simtool.models.folder import Manifest
from simtool.models.interface import Output, TrainedModel, in_whole_batches
from simtool.models.pca.matrices import NpyMatrix, read_vector
from simtool.tables.provenance import Provenance

if TYPE_CHECKING:
    from simtool.models.pca.fit import PcaFit

__all__ = ["Pca", "write_log"]

_COMPONENTS, _MEAN, _VARIANCE = "components.npy", "mean.npy", "variance.npy"
_LOG = "fit.json"
#: Images that are projected together.
_ROWS = 64
#: Values of each image that are projected together.
_COLUMNS = 2048


class Pca(TrainedModel):
    """Principal components of images. The first components of a large fit equal those of a smaller fit.

    Args:
        preprocessing: of images, before the projection.
        mean: (D,) of the images that were fitted.
        components: (K, D) orthonormal rows; only the first ``count`` rows are read.
        variance: (K,) explained by each component.
        count: the number of components that are used.
        weights: the SHA-256 of the saved weights; None before they are saved.

    Attributes:
        fit: the fit that the model comes from; None for a model that was loaded.
    """

    kind: ClassVar[str] = "pca"
    fit: PcaFit | None = None

    def __init__(
        self,
        preprocessing: Preprocessing,
        mean: NDArray[np.float64],
        components: NpyMatrix,
        variance: NDArray[np.float64],
        count: int,
        weights: str | None = None,
    ) -> None:
        self.preprocessing, self.weights, self.count = preprocessing, weights, count
        self._mean, self._stored, self._variance = mean, components, variance

    @classmethod
    def of(cls, preprocessing: Preprocessing, fit: PcaFit) -> Self:
        """The model of a fit."""
        model = cls(preprocessing, fit.mean, fit.components, fit.variance, len(fit.variance))
        model.fit = fit
        return model

    @wrong_usage()
    def cut(self, count: int) -> Self:
        """The same with the first ``count`` components.

        Raises:
            ModelError: the model has fewer components.
        """
        if not 1 <= count <= self.count:
            raise ModelError(f"this PCA has {self.count:,} components; keep 1 to {self.count:,}, not {count:,}")
        kept = type(self)(self.preprocessing, self._mean, self._stored, self._variance, count, self.weights)
        kept.untrained = self.untrained
        kept.state_origin()
        return kept

    @cached_property
    def components(self) -> NDArray[np.float32]:
        """(count, D) orthonormal rows.

        Raises:
            ModelError: values are not finite.
        """
        return self._stored.read_rows(self.count)

    @property
    def variance(self) -> NDArray[np.float64]:
        """(count,) the variance that each component explains."""
        return self._variance[: self.count]

    @property
    def architecture(self) -> Mapping[str, Any]:
        """A control keeps the mean, so it belongs to one fit. See :attr:`TrainedModel.architecture`."""
        return {"components": self.count, "mean": hashlib.sha256(self._mean.tobytes()).hexdigest()}

    def initial(self, seed: int, images: GivenImages) -> Self:
        """A random orthonormal projection after the same mean. See :meth:`Model.initial`.

        It keeps the distances of pixels up to one factor and a random error (Johnson & Lindenstrauss, 1984). So it
        controls for the preprocessing and the number of values; the model adds the choice of the directions.
        """
        del images
        rows, columns = self.count, self._stored.shape[1]
        directions = np.linalg.qr(np.random.default_rng(seed).standard_normal((columns, rows)))[0].T
        stored = NpyMatrix.create(None, rows, columns, "a random projection")
        stored.write_columns(slice(0, columns), directions)
        control = type(self)(self.preprocessing, self._mean, stored, np.full(rows, np.nan), rows)
        control.state_control(self, seed)
        return control

    def output(self, layer: str | None = None) -> Output:
        """One value per component. See :meth:`Model.output`."""
        if layer is not None:
            raise ModelError(f"a PCA has no layers; leave out --layer {layer}, or use --components")
        return Output(f"PCA {self.count}", (self.count,))

    def embed(self, images: NDArray[np.float32], layer: str | None = None) -> NDArray[np.float32]:
        """The projections of the centered images on the components. See :meth:`Model.embed`."""
        flat = images.reshape(len(images), -1)
        return in_whole_batches(lambda batch: [self._projected(batch)], flat, _ROWS, [self.output(layer).dimension])[0]

    def _projected(self, batch: NDArray[np.float32]) -> NDArray[np.float64]:
        """(b, count) of (b, D), in float64.

        In float32, on some processors, the last bits of a product depend on the position of a row in the matrix: the
        vector of an image would depend on its batch.
        """
        result = np.zeros((len(batch), self.count))
        for start in range(0, batch.shape[1], _COLUMNS):
            block = slice(start, start + _COLUMNS)
            centered = batch[:, block] - self._mean[block]
            result += centered @ self.components[:, block].T.astype(np.float64)
        return result

    def save(self, folder: Path, provenance: Provenance) -> None:
        """Write the arrays and ``model.json``. See :meth:`TrainedModel.save`."""
        self._stored.copy_to(folder / _COMPONENTS, self.count)
        np.save(folder / _MEAN, self._mean, allow_pickle=False)
        np.save(folder / _VARIANCE, self.variance, allow_pickle=False)
        files = (_COMPONENTS, _MEAN, _VARIANCE)
        self.describe(folder, provenance, self.output().name, files, {"components": self.count})

    @classmethod
    def load(cls, folder: Path, manifest: Manifest) -> Self:
        """Open a saved PCA; the components are read when they are needed. See :meth:`TrainedModel.load`."""
        count = manifest.settings.get("components")
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise ModelError(f"{folder}: the manifest of a PCA states the number of its components, not {count}")
        if missing := {_COMPONENTS, _MEAN, _VARIANCE} - manifest.weights.keys():
            raise ModelError(f"{folder}: a PCA needs {', '.join(sorted(missing))}")
        components = NpyMatrix.open(folder / _COMPONENTS)
        dimension = manifest.of_images.dimension
        if components.shape != (count, dimension):
            raise ModelError(
                f"{folder / _COMPONENTS}: {components.shape[0]:,} components of {components.shape[1]:,} values; "
                f"the manifest says {count} and its preprocessing gives {dimension:,}"
            )
        mean, variance = read_vector(folder / _MEAN, dimension), read_vector(folder / _VARIANCE, count)
        return cls(manifest.of_images, mean, components, variance, count, manifest.digest)


def write_log(folder: Path, fit: PcaFit, skipped: dict[str, str]) -> None:
    """Write ``fit.json``: the accuracy of a fit, and the variance that it explains.

    ``skipped`` holds the ids of images that were left out, and the reasons.
    """
    log: dict[str, Any] = {
        "images": fit.images,
        "dimension": fit.components.shape[1],
        "components": fit.components.shape[0],
        "method": fit.method,
        "solver": fit.solver,
        "residual": fit.residual,
        "orthogonality": fit.orthogonality,
        "total_variance": fit.total_variance,
        "explained_variance_ratio": (fit.variance / fit.total_variance).tolist(),
        "skipped": skipped,
    }
    (folder / _LOG).write_text(json.dumps(log, indent=1) + "\n", "utf-8")
