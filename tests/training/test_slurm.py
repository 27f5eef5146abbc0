from __future__ import annotations

import re
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.training import slurm as module
from simtool.training.outcome import TrainingError
from simtool.training.slurm import cluster_from_slurm, expand_counts, expand_hosts, node_addresses

NODES = [f"node{number}" for number in range(7, 13)]


def by_name(nodes: Sequence[str]) -> Sequence[str]:
    return nodes


def step(rank: int, counts: Sequence[int], distribution: str = "block", job: int = 4711) -> dict[str, str]:
    """The variables that srun sets for one task of a step on node7, node8, ...; ranks are assigned as SLURM does it."""
    places = dealt(counts, distribution)
    return {
        "SLURM_JOB_ID": str(job),
        "SLURM_STEP_ID": "0",
        "SLURM_PROCID": str(rank),
        "SLURM_NODEID": str(places[rank]),
        "SLURM_STEP_NUM_TASKS": str(len(places)),
        "SLURM_STEP_NODELIST": f"node[7-{6 + len(counts)}]" if len(counts) > 1 else "node7",
        "SLURM_STEP_TASKS_PER_NODE": ",".join(str(count) for count in counts),
        "SLURM_DISTRIBUTION": distribution,
    }


def dealt(counts: Sequence[int], distribution: str) -> list[int]:
    """The node of each rank: node by node, or in turns until all nodes are full."""
    if distribution == "block":
        return [node for node, count in enumerate(counts) for _ in range(count)]
    left, places = list(counts), []
    while any(left):
        for node, count in enumerate(left):
            if count:
                places.append(node)
                left[node] -= 1
    return places


steps = st.lists(st.integers(1, 4), min_size=1, max_size=6).filter(lambda counts: sum(counts) > 1)


@given(steps, st.sampled_from(["block", "cyclic"]))
def test_all_tasks_know_the_same_workers_and_their_rank(counts: list[int], distribution: str) -> None:
    told = [cluster_from_slurm(step(rank, counts, distribution), by_name) for rank in range(sum(counts))]
    assert [one and one["task"] for one in told] == [{"type": "worker", "index": i} for i in range(len(told))]
    assert all(one and told[0] and one["cluster"] == told[0]["cluster"] for one in told)


@given(steps, st.sampled_from(["block", "cyclic"]))
def test_each_rank_has_the_address_of_the_node_on_which_it_runs(counts: list[int], distribution: str) -> None:
    told = cluster_from_slurm(step(0, counts, distribution), by_name)
    assert told is not None
    hosts = [worker.split(":")[0] for worker in told["cluster"]["worker"]]
    assert hosts == [NODES[place] for place in dealt(counts, distribution)]


@given(steps, st.integers(1, 10**8))
def test_no_two_tasks_have_the_same_address_and_port(counts: list[int], job: int) -> None:
    for addresses in (by_name, lambda nodes: ["127.0.0.1"] * len(nodes)):
        told = cluster_from_slurm(step(0, counts, job=job), addresses)
        assert told is not None
        workers = told["cluster"]["worker"]
        assert len(set(workers)) == len(workers)
        assert all(10_000 <= int(worker.split(":")[1]) < 32_768 for worker in workers)


@given(st.integers(1, 10**8), st.integers(1, 1000))
def test_jobs_on_the_same_nodes_have_different_ports(job: int, later: int) -> None:
    first, second = (cluster_from_slurm(step(0, [8, 8], job=one), by_name) for one in (job, job + later))
    assert first is not None
    assert second is not None
    assert not set(first["cluster"]["worker"]) & set(second["cluster"]["worker"])


def test_nodes_stay_in_the_order_of_slurm_and_not_in_that_of_texts() -> None:
    told = cluster_from_slurm(step(0, [1] * 6), by_name)
    assert told is not None
    assert [worker.split(":")[0] for worker in told["cluster"]["worker"]] == NODES


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"SLURM_JOB_ID": "1", "SLURM_PROCID": "0", "SLURM_NTASKS": "4"},
        step(0, [1, 1]) | {"SLURM_STEP_NUM_TASKS": "1"},
    ],
    ids=["on a laptop", "in a batch script", "alone in its step"],
)
def test_a_process_that_trains_alone_has_no_cluster(environ: dict[str, str]) -> None:
    assert cluster_from_slurm(environ, by_name) is None


def test_ranks_on_other_nodes_are_an_error_and_not_a_wrong_address() -> None:
    environ = step(1, [2, 2], "cyclic") | {"SLURM_DISTRIBUTION": "block"}
    with pytest.raises(TrainingError, match=r"task 1 runs on node 1 of 2.*--distribution=block"):
        cluster_from_slurm(environ, by_name)


@pytest.mark.parametrize("distribution", ["plane", "arbitrary", "unknown"])
@pytest.mark.parametrize("rank", range(4))
def test_an_unknown_order_is_refused_by_every_task_so_that_none_waits(distribution: str, rank: int) -> None:
    with pytest.raises(TrainingError, match=f"SLURM_DISTRIBUTION is {distribution}; .*--distribution=block"):
        cluster_from_slurm(step(rank, [2, 2]) | {"SLURM_DISTRIBUTION": distribution}, by_name)


@pytest.mark.parametrize("rank", range(2))
def test_a_heterogeneous_step_is_refused_by_every_task(rank: int) -> None:
    with pytest.raises(TrainingError, match=r"a heterogeneous job cannot train together.*; submit one job"):
        cluster_from_slurm(step(rank, [1, 1]) | {"SLURM_HET_SIZE": "2"}, by_name)


@pytest.mark.parametrize(
    ("told", "order"),
    [
        ("cyclic,nopack", "cyclic"),
        ("cyclic:block", "cyclic"),
        ("block:cyclic,pack", "block"),
        ("nopack", "block"),
    ],
)
def test_only_the_order_of_nodes_matters(told: str, order: str) -> None:
    expected = cluster_from_slurm(step(0, [2, 2], order), by_name)
    assert cluster_from_slurm(step(0, [2, 2]) | {"SLURM_DISTRIBUTION": told}, by_name) == expected


def test_a_missing_variable_is_named() -> None:
    environ = step(0, [1, 1])
    del environ["SLURM_STEP_NODELIST"]
    with pytest.raises(TrainingError, match="SLURM_STEP_NODELIST is not set"):
        cluster_from_slurm(environ, by_name)


def test_a_variable_that_cannot_be_read_is_shown() -> None:
    with pytest.raises(TrainingError, match="node\\[7-"):
        cluster_from_slurm(step(0, [1, 1]) | {"SLURM_STEP_NODELIST": "node[7-"}, by_name)


def test_names_that_resolve_are_addresses() -> None:
    assert node_addresses(["localhost", "127.0.0.1"]) == ["localhost", "127.0.0.1"]


@pytest.fixture
def scontrol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program named scontrol, first on PATH, and names of nodes that do not resolve."""
    program = tmp_path / "scontrol"
    program.write_text(
        "#!/bin/sh\n"
        "echo 'NodeName=n1 Arch=x86_64 CPUTot=16 NodeAddr=10.0.0.1 NodeHostName=n1 Version=22.05.8'\n"
        "echo 'NodeName=n2 Arch=x86_64 CPUTot=16 NodeAddr=10.0.0.2 NodeHostName=n2 Version=22.05.8'\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(module, "_resolves", {}.get)
    return program


def test_names_that_do_not_resolve_have_the_addresses_that_slurm_knows(scontrol: Path) -> None:
    assert node_addresses(["n2", "n1"]) == ["10.0.0.2", "10.0.0.1"]


def test_a_node_without_any_address_is_named(scontrol: Path) -> None:
    with pytest.raises(TrainingError, match="node n3 does not resolve"):
        node_addresses(["n1", "n3"])


def test_a_failing_scontrol_is_named(scontrol: Path) -> None:
    scontrol.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(TrainingError, match=re.escape("scontrol show node --oneliner n1,n2 fails")):
        node_addresses(["n1", "n2"])


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
