"""The workers that SLURM has started, in the form that TensorFlow needs."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal, TypeVar

from simtool.errors import clipped
from simtool.training.outcome import TrainingError

__all__ = ["cluster_from_slurm", "expand_counts", "expand_hosts", "node_addresses"]

T = TypeVar("T")
#: Ports below the range that Linux assigns itself (from 32768), in one block for each job.
_FIRST_PORT, _BLOCK, _BLOCKS = 10_000, 16, 1_400
#: More tasks of a step than any cluster can run.
_MOST_TASKS = 1 << 22
#: More nodes, or tasks of a node, than SLURM allows (65,533 nodes).
_MOST = 1 << 17
_COUNT = re.compile(r"([0-9]{1,9})(?:\(x([0-9]{1,9})\))?")
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")


def node_addresses(nodes: Sequence[str]) -> list[str]:
    """The addresses of nodes: their names, or the addresses that SLURM uses if a name does not resolve.

    Raises:
        TrainingError: neither is known.
    """
    if all(_resolves(node) for node in nodes):
        return list(nodes)
    command = ["scontrol", "show", "node", "--oneliner", ",".join(nodes)]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError) as failure:
        raise TrainingError(f"the names of the nodes do not resolve, and {' '.join(command)} fails") from failure
    known = dict(re.findall(r"^NodeName=(\S+).*?\bNodeAddr=(\S+)", shown, re.MULTILINE))
    if unknown := [node for node in nodes if node not in known]:
        raise TrainingError(f"the name of node {unknown[0]} does not resolve, and SLURM has no address of it")
    return [known[node] for node in nodes]


def _resolves(node: str) -> bool:
    try:
        socket.getaddrinfo(node, None)
    except OSError:
        return False
    return True


def cluster_from_slurm(
    environ: Mapping[str, str], addresses: Callable[[Sequence[str]], Sequence[str]] = node_addresses
) -> dict[str, Any] | None:
    """The object of ``TF_CONFIG`` for this task of ``srun``: all tasks of the step are workers, in order of rank.

    TensorFlow's own ``SlurmClusterResolver`` has two faults. It sorts host names as texts, so that node10 comes before
    node9 and ranks get wrong addresses. It always uses the same port, so that two jobs on a node collide.

    Args:
        environ: the environment with SLURM's variables.
        addresses: gives the address of each node.

    Returns:
        ``{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": rank}}``; None if ``srun``
        started no task, or a single task.

    Raises:
        TrainingError: the variables are inconsistent, or do not say on which node each task runs. Every task finds
            this, so that none waits for another.
    """
    try:
        if int(environ.get("SLURM_STEP_NUM_TASKS", "1")) == 1:
            return None
        if "SLURM_HET_SIZE" in environ:
            # SLURM_STEP_NODELIST is sorted then, while ranks follow the components (seen with 22.05).
            raise TrainingError(
                "the tasks of a heterogeneous job cannot train together, since SLURM does not tell on which node each "
                "of them runs; submit one job for all nodes, without the colon"
            )
        rank = int(environ["SLURM_PROCID"])
        nodes = expand_hosts(environ["SLURM_STEP_NODELIST"])
        counts = expand_counts(environ["SLURM_STEP_TASKS_PER_NODE"])
        places = _places(counts, _order(environ.get("SLURM_DISTRIBUTION", "block")))
        job, step = int(environ["SLURM_JOB_ID"]), int(environ.get("SLURM_STEP_ID", "0"))
        own = int(environ["SLURM_NODEID"])
    except KeyError as failure:
        raise TrainingError(f"SLURM started several tasks, but {failure.args[0]} is not set") from failure
    except ValueError as failure:
        raise TrainingError(f"SLURM's variables cannot be read: {failure}") from failure
    if len(nodes) != len(counts) or not 0 <= rank < len(places) or places[rank] != own:
        raise TrainingError(
            f"task {rank} runs on node {own} of {len(nodes)}, which does not follow from SLURM's variables; "
            "start it with srun --distribution=block"
        )
    hosts = addresses(nodes)
    workers = _with_ports([hosts[place] for place in places], job, step)
    return {"cluster": {"worker": workers}, "task": {"type": "worker", "index": rank}}


def _order(distribution: str) -> Literal["block", "cyclic"]:
    """How ``SLURM_DISTRIBUTION`` gives tasks to nodes; other parts of it are about sockets and cores.

    Raises:
        TrainingError: in another order, such as ``plane``.
    """
    nodes = re.split(r"[:,]", distribution)[0]
    if nodes in ("block", "pack", "nopack"):
        return "block"
    if nodes == "cyclic":
        return "cyclic"
    raise TrainingError(f"SLURM_DISTRIBUTION is {clipped(distribution)}; start it with srun --distribution=block")


def _places(counts: Sequence[int], order: Literal["block", "cyclic"]) -> list[int]:
    """The node of each rank, as an index into the list of nodes: ``block`` (node by node) or ``cyclic`` (in turns)."""
    if sum(counts) > _MOST_TASKS:
        raise ValueError(f"{sum(counts):,} tasks")
    places = [node for node, count in enumerate(counts) for _ in range(count)]
    if order == "block":
        return places
    turns = [turn for count in counts for turn in range(count)]
    return [place for _, place in sorted(zip(turns, places, strict=True))]


def _with_ports(hosts: Sequence[str], job: int, step: int) -> list[str]:
    """Each worker's address and port. Jobs on one node have different ports, and so have the tasks of one job."""
    first = _FIRST_PORT + _BLOCK * ((job + 97 * step) % _BLOCKS)
    # Counted for each address and not for each node, since several nodes of a test share one machine.
    return [f"{host}:{first + hosts[:rank].count(host)}" for rank, host in enumerate(hosts)]


def expand_hosts(text: str) -> list[str]:
    """The nodes of a host list in SLURM's order: ``gpu[09-10,12],login1`` gives gpu09, gpu10, gpu12 and login1.

    A name may hold several brackets.

    Raises:
        ValueError: the text is not a host list.
    """
    # A comma separates names unless it is within brackets.
    return _bounded(host for pattern in re.split(r",(?![^\[]*\])", text) for host in _expand(pattern))


def expand_counts(text: str) -> list[int]:
    """The number of tasks of each node: ``2(x3),1`` gives 2, 2, 2 and 1.

    Raises:
        ValueError: the text has another form.
    """
    matches = [_COUNT.fullmatch(part) for part in text.split(",")]
    if not all(matches):
        raise ValueError(f"{text!r} is not a number of tasks for each node")
    return _bounded(int(match[1]) for match in matches if match for _ in range(int(match[2] or 1)))


def _bounded(items: Iterable[T]) -> list[T]:
    """A list; a short text cannot make it fill the memory."""
    found = list(islice(items, _MOST + 1))
    if len(found) > _MOST:
        raise ValueError(f"more than {_MOST:,} nodes")
    return found


def _expand(pattern: str) -> Iterator[str]:
    head, bracket, rest = pattern.partition("[")
    ranges, closed, tail = rest.partition("]")
    if bool(bracket) != bool(closed) or not pattern or set("[]") & set(head + ranges):
        raise ValueError(f"{pattern!r} is not a name of SLURM's nodes")
    if not bracket:
        yield pattern
        return
    for part in ranges.split(","):
        for number in _numbers(part):
            yield from (head + number + end for end in (_expand(tail) if tail else [""]))


def _numbers(text: str) -> Iterator[str]:
    """``08-10`` as 08, 09 and 10."""
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a range of SLURM's nodes")
    first, last = match[1], match[2] or match[1]
    for number in range(int(first), int(last) + 1):
        yield f"{number:0{len(first)}d}"
