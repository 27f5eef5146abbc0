"""Blocks of columns that do not mix the segments of a vector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simtool.tables.embeddings import Segment

__all__ = ["Span", "spans"]


@dataclass(frozen=True)
class Span:
    """A block of columns: a part of one segment, or several whole segments of the same length.

    Attributes:
        start: first column.
        stop: the column after the last one.
        length: number of columns of a segment.
        segment: (start, stop) of the segment that contains the block, or of the whole segments in the block.
    """

    start: int
    stop: int
    length: int
    segment: tuple[int, int]


def spans(dimension: int, width: int, segments: Sequence[Segment] = ()) -> Iterator[Span]:
    """Divide the columns into blocks.

    Args:
        dimension: D.
        width: the most columns in a block.
        segments: their lengths times counts sum to D; empty if the whole vector is one segment.
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
