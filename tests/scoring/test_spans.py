from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simtool.scoring.spans import spans
from simtool.tables.embeddings import Segment

RUNS = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 9)), min_size=1, max_size=6)


@given(runs=RUNS, width=st.integers(1, 30))
def test_blocks_cover_the_columns_once_and_are_no_wider_than_asked(runs: list[tuple[int, int]], width: int) -> None:
    segments = [Segment("s", length, count) for length, count in runs]
    dimension = sum(length * count for length, count in runs)
    found = list(spans(dimension, width, segments))
    assert [column for span in found for column in range(span.start, span.stop)] == list(range(dimension))
    assert max(span.stop - span.start for span in found) <= width


@given(runs=RUNS, width=st.integers(1, 30))
def test_a_block_holds_whole_segments_or_a_piece_of_one(runs: list[tuple[int, int]], width: int) -> None:
    segments = [Segment("s", length, count) for length, count in runs]
    bounds, at = [0], 0
    for length, count in runs:
        bounds += [at := at + length for _ in range(count)]
    for span in spans(bounds[-1], width, segments):
        if span.segment == (span.start, span.stop):
            assert {span.start, span.stop} <= set(bounds)
            assert (span.stop - span.start) % span.length == 0
        else:
            assert bounds[bounds.index(span.segment[0]) + 1] == span.segment[1]
            assert span.segment[0] <= span.start < span.stop <= span.segment[1]


def test_without_segments_the_vector_is_one() -> None:
    assert [(span.start, span.stop, span.length) for span in spans(10, 4)] == [(0, 4, 10), (4, 8, 10), (8, 10, 10)]
