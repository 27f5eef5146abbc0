"""The workers that SLURM has started, as TensorFlow wants to be told of them."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simtool.training.errors import TrainingError
from simtool.training.hostlist import expand_counts, expand_hosts

__all__ = ["ClusterError", "cluster_from_slurm", "node_addresses"]

#: Ports below those that Linux hands out by itself (from 32768), in blocks of one job each.
_FIRST_PORT, _BLOCK, _BLOCKS = 10_000, 16, 1_400


#: More tasks of a step than any cluster has room for.
_MOST_TASKS = 1 << 22


class ClusterError(TrainingError):
    """The workers cannot be told from what SLURM says of its job step."""


def node_addresses(nodes: Sequence[str]) -> list[str]:
    """Where nodes are reached: by their names, or, where a name does not resolve, at the address that SLURM uses.

    Raises:
        ClusterError: neither is known.
    """
    if all(_resolves(node) for node in nodes):
        return list(nodes)
    command = ["scontrol", "show", "node", "--oneliner", ",".join(nodes)]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError) as failure:
        raise ClusterError(f"the names of the nodes do not resolve, and {' '.join(command)} fails") from failure
    known = dict(re.findall(r"^NodeName=(\S+).*?\bNodeAddr=(\S+)", shown, re.MULTILINE))
    if unknown := [node for node in nodes if node not in known]:
        raise ClusterError(f"the name of node {unknown[0]} does not resolve, and SLURM has no address of it")
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

    TensorFlow's own ``SlurmClusterResolver`` sorts host names as texts, so that node10 comes before node9 and ranks
    get each other's addresses, and always takes the same port, so that two jobs on a node collide.

    Args:
        environ: the environment, with SLURM's variables.
        addresses: gives for each node's name where it is reached.

    Returns:
        ``{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": rank}}``; None where
        ``srun`` started no task, or a single one.

    Raises:
        ClusterError: the variables do not fit together.
    """
    try:
        if int(environ.get("SLURM_STEP_NUM_TASKS", "1")) == 1:
            return None
        rank = int(environ["SLURM_PROCID"])
        nodes = expand_hosts(environ["SLURM_STEP_NODELIST"])
        counts = expand_counts(environ["SLURM_STEP_TASKS_PER_NODE"])
        places = _places(counts, environ.get("SLURM_DISTRIBUTION", "block"))
        job, step = int(environ["SLURM_JOB_ID"]), int(environ.get("SLURM_STEP_ID", "0"))
        own = int(environ["SLURM_NODEID"])
    except KeyError as failure:
        raise ClusterError(f"SLURM started several tasks, but {failure.args[0]} is not set") from failure
    except ValueError as failure:
        raise ClusterError(f"SLURM's variables cannot be read: {failure}") from failure
    if len(nodes) != len(counts) or not 0 <= rank < len(places) or places[rank] != own:
        raise ClusterError(
            f"task {rank} runs on node {own} of {len(nodes)}, which does not follow from SLURM's variables; "
            "start it with srun --distribution=block"
        )
    hosts = addresses(nodes)
    workers = _with_ports([hosts[place] for place in places], job, step)
    return {"cluster": {"worker": workers}, "task": {"type": "worker", "index": rank}}


def _places(counts: Sequence[int], distribution: str) -> list[int]:
    """The node of each rank, by its position in the list of nodes.

    Args:
        counts: tasks of each node.
        distribution: how SLURM deals out ranks, ``block`` (node by node) or ``cyclic`` (in turns).
    """
    if sum(counts) > _MOST_TASKS:
        raise ValueError(f"{sum(counts):,} tasks")
    places = [node for node, count in enumerate(counts) for _ in range(count)]
    if distribution.split(":")[0] != "cyclic":
        return places
    turns = [turn for count in counts for turn in range(count)]
    return [place for _, place in sorted(zip(turns, places, strict=True))]


def _with_ports(hosts: Sequence[str], job: int, step: int) -> list[str]:
    """Each worker's address and port: jobs that share a node have different ports, and so have tasks of one job."""
    first = _FIRST_PORT + _BLOCK * ((job + 97 * step) % _BLOCKS)
    # Counted per address and not per node, since several nodes of a test share one machine.
    return [f"{host}:{first + hosts[:rank].count(host)}" for rank, host in enumerate(hosts)]
