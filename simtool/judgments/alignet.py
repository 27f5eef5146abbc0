"""Reader of AligNet's triplets (Muttenthaler et al., 2025): the ``.npz`` files ``alignet_train`` and ``alignet_valid``.

``filenames`` (n, 3) names the images, of which the third one is the odd one. ``similarities`` (n, 3) holds the
similarity of images 1 and 2, 1 and 3, 2 and 3; the first one is the largest. The judgments are those of a model.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simtool.errors import first_line
from simtool.judgments.arrays import StoredArray, open_archive
from simtool.judgments.assembly import JudgmentsError, Places, assemble
from simtool.judgments.formats import Reading
from simtool.judgments.records import odd_one_out
from simtool.judgments.shown import Shown
from simtool.kinds import Kind
from simtool.tables.files import objects

__all__ = ["read", "recognises"]

_NAMES, _SIMILARITIES = "filenames", "similarities"
#: Columns of the similarities that are kept.
_PAIRS = ("similarity_1_2", "similarity_1_3", "similarity_2_3")


def recognises(source: Path, kind: Kind) -> bool:  # noqa: ARG001 - the names of the arrays decide
    """Accept an archive with these arrays: see :class:`simtool.judgments.formats.Reader`."""
    return {_NAMES, _SIMILARITIES} <= set(kind.keys)


def read(source: Path, catalog: Path | None) -> Reading:  # noqa: ARG001 - the images are named
    """Read the archive in blocks; similarities are kept as columns: see :class:`simtool.judgments.formats.Reader`."""
    places = Places(str(source), lambda row: f"{source}: row {row}")
    with open_archive(source) as archive:
        named = archive.array(_NAMES).require("U", (None, 3), "text of shape (trials, 3)")
        similarities = archive.array(_SIMILARITIES).require("f", (named.shape[0], 3), f"numbers of shape {named.shape}")
        shown = _shown(named)
        with np.errstate(over="ignore"):
            values = similarities.values().astype(np.float32)
    pair, *others = values.T
    places.refuse(
        ~((pair >= others[0]) & (pair >= others[1])),
        "has similarities by which the third image is not the odd one: the first similarity should be the largest",
    )
    columns = {name: pa.array(np.ascontiguousarray(column)) for name, column in zip(_PAIRS, values.T, strict=True)}
    return Reading(assemble(replace(odd_one_out(shown, 2), extra=columns), places), [source])


def _shown(named: StoredArray) -> Shown:
    """Number the names in the order of their first appearance."""
    place: dict[str, int] = {}
    blocks = [_codes(block, place, named.label) for block in named.blocks()]
    return Shown(objects(list(place)), np.concatenate(blocks, axis=1).T)


def _codes(block: NDArray[np.str_], place: dict[str, int], label: str) -> NDArray[np.int32]:
    """Return the numbers of the names of a block, (3, rows); new names get the next numbers."""
    try:
        texts = pa.array(np.ravel(block, order="F").astype(block.dtype.newbyteorder("=")), pa.string())
        encoded = texts.dictionary_encode()
        names = encoded.dictionary.to_pylist()
    except (pa.ArrowException, UnicodeError, ValueError) as failure:
        raise JudgmentsError(f"{label}: damaged text ({first_line(failure)}); get it again") from failure
    if not all(names):
        raise JudgmentsError(f"{label}: an image without a name")
    numbers = np.array([place.setdefault(name, len(place)) for name in names], np.int32)
    return np.asarray(numbers[encoded.indices.to_numpy()].reshape(block.shape[1], len(block)))
