"""Published studies of judgments: a registry, read from ``studies.toml`` beside this module."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.archive import Source
from simtool.tables.files import objects
from simtool.tables.images import Images, image_paths, relative_path

__all__ = ["Study", "studies", "subset"]


@dataclass(frozen=True)
class Study:
    """A published study.

    Attributes:
        name: the value of ``--study``.
        title: what people judged.
        citation: the paper to cite.
        homepage: where the authors describe the files.
        images_from: where the images come from, and how they may be used.
        judgments: the file of judgments.
        format: the format that reads it; see :mod:`simtool.judgments.formats`.
        sha256_by: who states the checksum of the judgments; None without a checksum.
        licence: of the judgments; None if it is not known.
        names: the file of the names of the images; None where the judgments name their images.
        photographs: the images; None where they cannot be downloaded.
    """

    name: str
    title: str
    citation: str
    homepage: str
    images_from: str
    judgments: Source
    format: str
    sha256_by: str | None = None
    licence: str | None = None
    names: Source | None = None
    photographs: Source | None = None


@cache
def studies() -> Mapping[str, Study]:
    """Return all studies by name, the default first."""
    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    return {name: _study(name, entry) for name, entry in tomllib.loads(text).items()}


def _study(name: str, entry: Mapping[str, Any]) -> Study:
    judgments = entry["judgments"]
    return Study(
        name=name,
        title=entry["title"],
        citation=entry["citation"],
        homepage=entry["homepage"],
        images_from=entry["images"],
        judgments=_source(judgments),
        format=judgments["format"],
        sha256_by=judgments.get("sha256_by"),
        licence=entry.get("licence"),
        names=_source(entry["names"]) if "names" in entry else None,
        photographs=_source(entry["photographs"]) if "photographs" in entry else None,
    )


def _source(entry: Mapping[str, Any]) -> Source:
    checksums = (entry["sha256"],) if "sha256" in entry else ()
    return Source(entry["name"], tuple(entry["urls"]), entry.get("size"), checksums)


def subset(
    images: Images, source: Path, table: Path, names: NDArray[np.object_], matched: NDArray[np.object_]
) -> Images:
    """Select the rows of a table of images that the judgments mention, for a table in another folder.

    Args:
        images: the table, for example all of CUB.
        source: the path of this table.
        table: the path of the new table.
        names: the images as the study names them.
        matched: the ids of the same images in ``images``.

    Returns:
        The rows in the order of the table. Images without a group get the group of the study: the folder above the
        folder of the file, for example the family of a bird.
    """
    group = {one: PurePosixPath(path).parent.parent.name or None for one, path in zip(matched, names, strict=True)}
    rows = images.take(np.isin(images.image_id, matched))
    groups = [stated or group[name] for name, stated in zip(rows.image_id, rows.group_name, strict=True)]
    paths = [relative_path(path, table) for path in image_paths(source, rows)]
    return replace(rows, path=objects(paths), group_name=objects(groups))
