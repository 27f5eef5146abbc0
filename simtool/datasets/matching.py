"""Names of images matched to the ids of a table: exactly, else by file name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from simtool.errors import SimtoolError, listed

__all__ = ["MatchError", "match_images"]


class MatchError(SimtoolError):
    """Images that judgments mention are not in a table, or it does not tell them apart."""


def match_images(
    names: Sequence[str] | NDArray[np.object_], image_id: NDArray[np.object_], table: str
) -> NDArray[np.object_]:
    """The ids that names stand for.

    A name is an id, or a path whose file name occurs once among the file names of the ids: so judgments
    that call a photograph ``Cardinalidae/Blue_Grosbeak/X.jpg`` find it as ``054.Blue_Grosbeak/X.jpg``.

    Args:
        names: distinct names.
        image_id: the ids of a table of images.
        table: how to call the table in a complaint.

    Returns:
        For each name its id.

    Raises:
        MatchError: names without an id, with several, or two names with the same; the first few of them.
    """
    ids = {str(name) for name in image_id}
    by_file_name: dict[str, list[str]] = {}
    for name in ids:
        by_file_name.setdefault(_file_name(name), []).append(name)
    candidates = [[name] if name in ids else by_file_name.get(_file_name(name), []) for name in names]
    if missing := [name for name, found in zip(names, candidates, strict=True) if not found]:
        raise MatchError(
            f"{table}: {len(missing):,} of the {len(names):,} images that the judgments mention are not in this table, "
            f"neither by id nor by file name: {listed(missing)}"
        )
    if unclear := [name for name, found in zip(names, candidates, strict=True) if len(found) > 1]:
        raise MatchError(
            f"{table}: {len(unclear):,} of the images that the judgments mention go by a file name that several ids of "
            f"this table share: {listed(unclear)}; use the ids themselves in the judgments"
        )
    matched = np.array([found[0] for found in candidates], object)
    if twice := [name for name, count in Counter(matched).items() if count > 1]:
        raise MatchError(
            f"{table}: the judgments call {len(twice):,} of its images by two names each: {listed(twice)}; "
            "use one name for an image"
        )
    return matched


def _file_name(name: str) -> str:
    return PurePosixPath(name).name
