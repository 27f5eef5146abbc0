"""A matrix of distances between images (RDM, representational dissimilarity matrix), and the choice among several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import SimtoolError, listed
from simtool.tables.distances import DistanceInfo, DistanceTable, Pairs
from simtool.tables.files import objects
from simtool.text import counted
from simtool.vectors.names import read_names

__all__ = ["Rdm", "RdmError", "Request", "Stack", "names_of", "stacked", "table_of"]

#: Measures of rsatoolbox that are estimated across folds of the data, so that small distances may be negative.
_UNBIASED = frozenset(("crossnobis", "poisson_cv"))
_SIMILARITY = "-similarity"


class RdmError(SimtoolError):
    """A source of distances is malformed; the message names the file."""


@dataclass(frozen=True)
class Request:
    """The options of a reader.

    Attributes:
        names: a file with the name of each image, or a pattern descriptor of rsatoolbox; None without.
        rdm: the name or the number of one RDM among several; None without.
        similarity: whether larger numbers mean more similar.
        symmetric: whether the distance from a to b is that from b to a.
    """

    names: str | None = None
    rdm: str | None = None
    similarity: bool = False
    symmetric: bool = True

    def refuse_names(self, source: Path) -> None:
        """Refuse ``--names`` for a source that names its images.

        Raises:
            RdmError: names are given.
        """
        if self.names is not None:
            raise RdmError(f"{source}: it names its images itself; leave --names out")

    def refuse_choice(self, source: Path) -> None:
        """Refuse ``--rdm`` for a source that is one RDM.

        Raises:
            RdmError: an RDM is chosen.
        """
        if self.rdm is not None:
            raise RdmError(f"{source}: it holds one table of distances; leave --rdm out")


@dataclass(frozen=True, eq=False)
class Rdm:
    """Values of pairs of images in a source, before the checks of a table.

    Attributes:
        pairs: the values.
        label: which of several RDMs it is; None for the only one.
        measure: what the distances are; None if it is not stated.
        triangle: whether it is the triangle of a symmetric matrix.
        stated: the metadata, if the source is a table of distances.
    """

    pairs: Pairs
    label: str | None = None
    measure: str | None = None
    triangle: bool = False
    stated: DistanceInfo | None = None

    @property
    def has_zero_diagonal(self) -> bool:
        """Whether the values of images with themselves are listed and all 0, as those of distances."""
        own = self.pairs.value[self.pairs.first == self.pairs.second]
        return bool(own.size and not own.any())


@dataclass(frozen=True, eq=False)
class Stack:
    """One RDM or several of the same images.

    Attributes:
        arrays: each a square matrix, or its upper triangle row by row.
        labels: of each.
    """

    arrays: Sequence[NDArray[Any]]
    labels: Sequence[str]

    def choose(self, source: Path, wanted: str | None) -> int:
        """The position of the RDM with a label or a number, from 0.

        Raises:
            RdmError: none is asked for among several, or there is no such RDM; lists them.
        """
        shown = listed(self.labels, 12)
        if wanted is None:
            if len(self.arrays) != 1:
                raise RdmError(f"{source}: holds {len(self.arrays):,} RDMs: {shown}; choose one of them with --rdm")
            return 0
        if wanted in self.labels:
            return list(self.labels).index(wanted)
        if wanted.isdecimal() and int(wanted) < len(self.arrays):
            return int(wanted)
        raise RdmError(f"{source}: holds no RDM {wanted}; it holds {shown}")

    def rdm(self, source: Path, at: int, names: Sequence[str], measure: str | None = None) -> Rdm:
        """One of the RDMs with the names of its images.

        Raises:
            RdmError: the names do not fit.
        """
        array = self.arrays[at]
        count = array.shape[0] if array.ndim == 2 else _side(array.size)
        _check_names(source, names, count)
        first, second = np.indices((count, count)).reshape(2, -1) if array.ndim == 2 else np.triu_indices(count, 1)
        value = array.reshape(-1).astype(np.float64)
        pairs = Pairs(objects(names), first.astype(np.int32), second.astype(np.int32), value)
        return Rdm(pairs, self.labels[at] if len(self.arrays) > 1 else None, measure, triangle=array.ndim == 1)


def stacked(source: Path, array: NDArray[Any], label: str | None = None) -> Stack:
    """The RDMs in an array of numbers: a matrix, a triangle, or several of them along the first axis.

    Args:
        source: the file, for messages.
        array: (n, n), (k, n, n), (pairs,) or (k, pairs).
        label: of the array; the labels of several add their numbers to it.

    Raises:
        RdmError: it has another shape, or holds no numbers.
    """
    if array.dtype.kind not in "iuf":
        raise RdmError(f"{source}: holds {array.dtype}, not numbers")
    shape = array.shape
    if array.ndim == 2 and shape[0] == shape[1] > 1:
        arrays = [array]
    elif array.ndim == 3 and shape[1] == shape[2] > 1:
        arrays = [*array]
    elif array.ndim == 2 and shape[1] == 1 and _side(shape[0]):
        arrays = [array[:, 0]]
    elif array.ndim in (1, 2) and array.size and _side(shape[-1]):
        arrays = [*array.reshape(-1, shape[-1])]
    else:
        raise RdmError(
            f"{source}: an array of shape {' x '.join(map(str, shape))} is no square matrix of distances, "
            "and no upper triangle of one; simtool import-embeddings takes vectors"
        )
    several = len(arrays) > 1
    labels = [str(at) if label is None else f"{label}[{at}]" if several else label for at in range(len(arrays))]
    return Stack(arrays, labels)


def _side(pairs: int) -> int:
    """The number of images that have so many pairs; 0 if none has."""
    side = (1 + math.isqrt(1 + 8 * pairs)) // 2
    return side if pairs and side * (side - 1) // 2 == pairs else 0


def _check_names(source: Path, names: Sequence[str], count: int) -> None:
    if len(names) != count:
        raise RdmError(f"{source}: {counted(len(names), 'names')} for {counted(count, 'images')}")
    if not all(names):
        raise RdmError(f"{source}: image {list(names).index('')} (from 0) has no name")
    if len(set(names)) != count:
        again = dict.fromkeys(name for at, name in enumerate(names) if name in names[:at])
        raise RdmError(f"{source}: names are repeated: {listed(again)}; each image needs another name")


def names_of(source: Path, request: Request) -> list[str]:
    """The names in the file of ``--names``.

    Raises:
        RdmError: no file is given.
        VectorsError: it is no text with one name in each line.
    """
    if request.names is None:
        raise RdmError(f"{source}: it does not name its images: give a file with one name a line as --names")
    return read_names(Path(request.names))


def table_of(source: Path, rdm: Rdm, request: Request, name: str | None = None) -> DistanceTable:
    """Check an RDM, and make a table of it.

    Similarities s become distances -s, which keeps their order and their ties. The similarity of an image to itself is
    left out.

    Args:
        source: the file, for messages and for the name.
        rdm: values of pairs.
        request: what they mean.
        name: the label in reports; None for the name of the file and of the RDM.

    Raises:
        RdmError: a triangle cannot have a direction.
        TableError: as for :meth:`DistanceTable.of`.
    """
    if rdm.triangle and not request.symmetric:
        raise RdmError(f"{source}: it holds the triangle of a symmetric matrix; leave --asymmetric out")
    pairs, measure, stated = rdm.pairs, rdm.measure, rdm.stated or DistanceInfo(source.resolve().stem)
    if request.similarity:
        own = pairs.first == pairs.second
        pairs, measure = replace(pairs.take(~own), value=-pairs.value[~own]), _SIMILARITY
    label = name or " ".join(filter(None, (stated.name, rdm.label)))
    info = DistanceInfo(label, request.symmetric and stated.symmetric, measure or stated.measure)
    # A measure of another program is no reason for a negative distance, except where it explains one.
    explained = measure is None or measure == _SIMILARITY or measure in _UNBIASED
    checked = DistanceTable.of(pairs, info if explained else replace(info, measure=None), source)
    return replace(checked, info=info)
