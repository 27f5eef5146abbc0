"""Metadata of tables of embeddings."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from simtool.tables.parquet import TableError

__all__ = ["EmbeddingInfo", "Metadata", "Segment", "skipped_of"]

#: Maximum characters of a label, and of a preprocessing.
_LONGEST_NAME, _LONGEST_RECIPE = 1_000, 1_000_000
_DIGESTS = ("images_digest", "files_digest")


@dataclass(frozen=True)
class Segment:
    """``count`` pieces of ``length`` values each in a vector: a scale of a flow, or the pixels of an image."""

    name: str
    length: int
    count: int = 1


@dataclass(frozen=True)
class EmbeddingInfo:
    """Metadata of a table of embeddings.

    Attributes:
        name: the label in reports.
        dimension: D, the length of every vector.
        shape: the shape of a vector before flattening, for example (128, 128, 3).
        segments: the segments in order; the sum of length x count is D. Empty without segments.
        preprocessing: the preprocessing of the images, as JSON text.
        model: the SHA-256 of the weights; for an untrained model, of everything that its initial weights follow from.
        layer: the full name of the layer of the model, with its pooling; None without layers, and in older tables.
        untrained: the seed of the initial weights of an untrained model; None for a trained model.
        origin: what a model and its untrained controls share: the SHA-256 of kind, architecture, size and
            preprocessing, or the name of a published network. Models that differ in their training only have the same.
        similarity: the similarity function of the distances in a psychological embedding, as JSON text.
        learned: whether the vectors were learned from judgments, as those of ``fit-psych`` and ``reweight``.
        distances: the names of the distances that the vectors are made for, as those of ``combine``; empty for all.
        precision: of the arithmetic of a network.
        runtime: that computed a network; None without a network, and in older tables.
        skipped: the ids of images that were skipped because their files are corrupt.
        images_digest: the digest of the ids of all images of the table; equal in all its parts.
        images_sample: checksums of some image files of the whole table; single files can be replaced.
        files_digest: the digest of the image files of this part.
    """

    name: str
    dimension: int
    shape: tuple[int, ...] = ()
    segments: tuple[Segment, ...] = ()
    preprocessing: str | None = None
    model: str | None = None
    layer: str | None = None
    untrained: int | None = None
    origin: str | None = None
    similarity: str | None = None
    learned: bool = False
    distances: tuple[str, ...] = ()
    precision: str = "float32"
    runtime: str | None = None
    skipped: tuple[str, ...] = ()
    images_digest: str | None = None
    images_sample: tuple[int, ...] = ()
    files_digest: str | None = None

    def __post_init__(self) -> None:
        total = sum(segment.length * segment.count for segment in self.segments)
        if self.segments and total != self.dimension:
            raise TableError(f"the segments have {total} values, the vectors {self.dimension}")
        if self.segments and min(min(segment.length, segment.count) for segment in self.segments) < 1:
            raise TableError("every segment needs a length and a count of at least 1")
        if self.shape and math.prod(self.shape) != self.dimension:
            raise TableError(f"shape {list(self.shape)} does not hold {self.dimension} values")

    def to_json(self) -> dict[str, Any]:
        """Convert to the metadata keys of the contract."""
        return {
            "name": self.name,
            "dimension": self.dimension,
            "shape": list(self.shape or (self.dimension,)),
            "segments": [asdict(segment) for segment in self.segments],
            "preprocessing": self.preprocessing,
            "model": self.model,
            **({} if self.layer is None else {"layer": self.layer}),
            **({} if self.untrained is None else {"untrained": self.untrained}),
            **({} if self.origin is None else {"origin": self.origin}),
            **({} if self.similarity is None else {"similarity": self.similarity}),
            **({"learned": True} if self.learned else {}),
            **({"distances": list(self.distances)} if self.distances else {}),
            **({} if self.runtime is None else {"precision": self.precision, "runtime": self.runtime}),
            **({"skipped": list(self.skipped)} if self.skipped else {}),
            **({"images_sample": list(self.images_sample)} if self.images_sample else {}),
            **{name: digest for name in _DIGESTS if (digest := getattr(self, name)) is not None},
        }

    def is_of_images_of(self, other: EmbeddingInfo) -> bool:
        """Return whether the metadata of two parts describe the same images, apart from single replaced files."""
        if None not in (self.images_digest, other.images_digest) and self.images_digest != other.images_digest:
            return False
        pairs = list(zip(self.images_sample, other.images_sample, strict=False))
        return 2 * sum(one != another for one, another in pairs) <= len(pairs)

    @classmethod
    def from_json(cls, content: dict[str, Any], path: Path, dimension: int) -> EmbeddingInfo:
        """Read the metadata of the table at ``path``, whose vectors have ``dimension`` values.

        Raises:
            TableError: the metadata are inconsistent, or do not fit the vectors.
        """
        stated = Metadata(path, content)
        if (claimed := stated.whole("dimension", content.get("dimension", dimension))) != dimension:
            raise TableError(f"{path}: the metadata state {claimed} dimensions, the vectors have {dimension}")
        fields: dict[str, Any] = {
            "shape": tuple(stated.whole("shape", side) for side in stated.items("shape")),
            "segments": tuple(stated.segment(entry) for entry in stated.items("segments")),
            "preprocessing": stated.text("preprocessing", _LONGEST_RECIPE),
            "model": stated.text("model"),
            "layer": stated.text("layer"),
            "untrained": stated.seed("untrained"),
            "origin": stated.text("origin"),
            "similarity": stated.text("similarity", _LONGEST_RECIPE),
            "learned": stated.truth("learned", False),
            "distances": tuple(stated.items("distances", str, "names of distances")),
            "precision": stated.text("precision") or "float32",
            "runtime": stated.text("runtime"),
            "skipped": skipped_of(path, content),
            "images_sample": tuple(stated.items("images_sample", int, "whole numbers")),
            **{name: stated.text(name) for name in _DIGESTS},
        }
        name = stated.text("name") or path.stem
        try:
            return cls(name=name, dimension=dimension, **fields)
        except TableError as failure:
            raise TableError(f"{path}: {failure}") from failure


def skipped_of(path: Path, content: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ids of skipped images in the metadata of the table at ``path``.

    Raises:
        TableError: it is not a list of ids.
    """
    return tuple(Metadata(path, content).items("skipped", str, "ids"))


class Metadata:
    """The metadata of a table; values of other types than the contract's are refused."""

    def __init__(self, path: Path, content: Mapping[str, Any]) -> None:
        self._path, self._content = path, content

    def text(self, key: str, most: int = _LONGEST_NAME) -> str | None:
        """Return text, or an integer as text; None if missing."""
        value = self._content.get(key)
        if value is None:
            return None
        text = str(value) if type(value) is int else value
        if not isinstance(text, str) or len(text) > most:
            raise self._wrong(key, f"text of at most {most:,} characters", value)
        return text

    def truth(self, key: str, default: bool) -> bool:
        """Return true or false; the default if missing."""
        value = self._content.get(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false", value)
        return value

    def whole(self, key: str, value: Any) -> int:
        """Return an integer from 1."""
        if type(value) is not int or not 1 <= value < 1 << 63:
            raise self._wrong(key, "a whole number of at least 1", value)
        return value

    def seed(self, key: str) -> int | None:
        """Return an integer from 0; None if missing."""
        value = self._content.get(key)
        if value is not None and (type(value) is not int or not 0 <= value < 1 << 63):
            raise self._wrong(key, "a whole number of at least 0", value)
        return value

    def items(self, key: str, kind: type | None = None, things: str = "") -> list[Any]:
        """Return a list, of things of one type if it is given; empty if missing."""
        value = self._content.get(key)
        if value is not None and not isinstance(value, list):
            raise self._wrong(key, "a list", value)
        if wrong := [item for item in value or [] if kind and type(item) is not kind]:
            raise self._wrong(key, f"a list of {things}", wrong[0])
        return value or []

    def segment(self, entry: Any) -> Segment:
        """Return an entry of the list of segments."""
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or "length" not in entry:
            raise self._wrong("segments", "a list of objects with name, length and count", entry)
        length = self.whole("length of a segment", entry["length"])
        return Segment(entry["name"], length, self.whole("count of a segment", entry.get("count", 1)))

    def _wrong(self, key: str, wanted: str, value: Any) -> TableError:
        return TableError(f"{self._path}: the metadata's {key} must be {wanted}, but is {reprlib.repr(value)}")
