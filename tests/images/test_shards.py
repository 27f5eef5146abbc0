from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.images.shards import Shard


@given(st.integers(0, 500), st.integers(1, 40))
def test_the_parts_together_are_the_whole_in_order(total: int, count: int) -> None:
    parts = [Shard(index, count).rows(total) for index in range(count)]
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(total))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


def test_it_reads_what_a_job_array_gives() -> None:
    assert Shard.parse("3/16") == Shard(3, 16)
    assert str(Shard.parse("0/1")) == "0/1"


@pytest.mark.parametrize("text", ["16/16", "3", "-1/4", "3/0", "a/b", "1/2/3", "", "1.5/3"])
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="is not I/N"):
        Shard.parse(text)
