from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.training.hostlist import expand_counts, expand_hosts


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("node7", ["node7"]),
        ("node[9-11]", ["node9", "node10", "node11"]),
        ("gpu[09-10,12],login1", ["gpu09", "gpu10", "gpu12", "login1"]),
        ("mpsc[0098-0101]", ["mpsc0098", "mpsc0099", "mpsc0100", "mpsc0101"]),
        ("rack[1-2]n[3,5]x", ["rack1n3x", "rack1n5x", "rack2n3x", "rack2n5x"]),
        ("a.site.org,b", ["a.site.org", "b"]),
    ],
)
def test_host_lists_are_expanded_in_order(text: str, hosts: list[str]) -> None:
    assert expand_hosts(text) == hosts


@given(st.lists(st.integers(0, 999), min_size=1, max_size=8), st.integers(1, 4))
def test_numbers_keep_their_width(numbers: list[int], width: int) -> None:
    names = [f"{number:0{width}d}" for number in numbers]
    assert expand_hosts(f"n[{','.join(names)}]") == [f"n{name}" for name in names]


@pytest.mark.parametrize("text", ["", "n[1-", "n1]", "n[a-b]", "n[]", "n[[1]]", "n[1],,m"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        expand_hosts(text)


@pytest.mark.parametrize("text", ["n[0-99999999]", "a[0-9999]b[0-9999]c[0-9999]"])
def test_more_nodes_than_a_cluster_has_are_refused_at_once(text: str) -> None:
    with pytest.raises(ValueError, match=r"more than 131,072"):
        expand_hosts(text)


def test_more_tasks_than_a_cluster_has_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"more than 131,072"):
        expand_counts("2(x999999999)")


@given(st.lists(st.tuples(st.integers(1, 64), st.integers(1, 5)), min_size=1, max_size=6))
def test_tasks_per_node_are_expanded(runs: list[tuple[int, int]]) -> None:
    text = ",".join(f"{count}(x{times})" if times > 1 else str(count) for count, times in runs)
    assert expand_counts(text) == [count for count, times in runs for _ in range(times)]


def test_other_texts_are_no_counts() -> None:
    with pytest.raises(ValueError, match="number of tasks"):
        expand_counts("2(y3)")
