"""Blocks of columns that respect the segments of a vector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simtool.tables.embeddings import Segment

__all__ = ["Span", "spans"]


@dataclass(frozen=True)
class Span:
    """A block of columns: a piece of one segment, or several whole segments of the same length.

    Attributes:
        start: first column.
        stop: behind the last column.
        length: columns of a segment.
        segment: (start, stop) of the segment that it is a piece of, or of the whole ones that it holds.
    """

    start: int
    stop: int
    length: int
    segment: tuple[int, int]


def spans(dimension: int, width: int, segments: Sequence[Segment] = ()) -> Iterator[Span]:
    """Cut the columns into blocks.

    Args:
        dimension: D.
        width: columns in a block at most.
        segments: whose lengths times counts sum to D; none for one that is the whole vector.
    """
    start = 0
    for run in segments or (Segment("vector", dimension),):
        whole = width // run.length * run.length
        for _ in range(1 if whole else run.count):
            stop = start + run.length * (run.count if whole else 1)
            for piece in range(start, stop, whole or width):
                end = min(piece + (whole or width), stop)
                yield Span(piece, end, run.length, (piece, end) if whole else (start, stop))
            start = stop
