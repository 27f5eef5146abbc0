"""The workers of a step on nodes of different kinds, as simtool finds them and as SLURM has placed them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.system.slurm.conftest import ENVIRONMENT, ROOT
from tests.system.slurm.private import Slurm

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.xdist_group("slurm")]

#: Prints the workers that a task finds, the node on which it runs, and the GPUs that it has.
_TASK = """
import json, os
from simtool.errors import SimtoolError
from simtool.system.allotment import allotted_gpus
from simtool.training.slurm import cluster_from_slurm

try:
    found = cluster_from_slurm(os.environ, addresses=lambda nodes: nodes)
except SimtoolError as failure:
    found = str(failure)
told = {"found": found, "node": os.environ["SLURMD_NODENAME"], "gpus": allotted_gpus(os.environ)}
print(json.dumps(told), flush=True)
"""


def tasks(slurm: Slurm, folder: Path, *options: str) -> list[dict[str, Any]]:
    """The output of each task of a step."""
    program = folder / "task.py"
    program.write_text(_TASK)
    words = ("srun", "--partition=mixed", "--mem-per-cpu=100", *options, str(ENVIRONMENT / "bin" / "python"))
    return [json.loads(line) for line in slurm.run(*words, program, more={"PYTHONPATH": str(ROOT)}).splitlines()]


@pytest.mark.parametrize(
    ("options", "nodes"),
    [
        (("--nodelist=n1,n3", "--ntasks-per-node=1"), ["n1", "n3"]),
        (("--nodelist=n2,n3", "--ntasks=5", "--exclusive"), None),
        (("--nodelist=n1,n2,n3", "--ntasks=7", "--exclusive", "--distribution=cyclic"), None),
        (
            ("--nodelist=n1,n2", "--ntasks=4", "--ntasks-per-node=2", "--distribution=block,pack"),
            ["n1", "n1", "n2", "n2"],
        ),
    ],
    ids=["one task each", "unequal", "in turns", "with a flag"],
)
def test_every_task_finds_itself_on_its_own_node(
    slurm: Slurm, tmp_path: Path, options: tuple[str, ...], nodes: list[str] | None
) -> None:
    told = tasks(slurm, tmp_path, *options)
    clusters = [task["found"]["cluster"]["worker"] for task in told]
    assert all(cluster == clusters[0] for cluster in clusters)
    hosts = [worker.split(":")[0] for worker in clusters[0]]
    assert len(hosts) == len(told)
    assert nodes in (None, hosts)
    for task in told:
        assert hosts[task["found"]["task"]["index"]] == task["node"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--nodelist=n1,n2", "--ntasks=4", "--distribution=plane=2"), "SLURM_DISTRIBUTION is plane"),
        # The node list is n[1,3] here, but task 0 runs on n3.
        (("--nodelist=n3", ":", "--partition=mixed", "--mem-per-cpu=100", "--nodelist=n1"), "a heterogeneous job"),
    ],
    ids=["planes", "a heterogeneous job"],
)
def test_all_tasks_refuse_an_order_that_they_cannot_know(
    slurm: Slurm, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    told = [task["found"] for task in tasks(slurm, tmp_path, *options)]
    assert len(told) > 1
    assert all(isinstance(found, str) and said in found for found in told)


@pytest.mark.parametrize(
    ("options", "gpus"),
    [
        (("--gres=gpu:2",), ["SLURM_STEP_GPUS=0,1"]),
        (("--gres=shard:1",), ["SLURM_STEP_GPUS=0"]),
        (("--nodelist=n1", "--ntasks=2", "--gpus-per-task=1"), ["SLURM_STEP_GPUS=0", "SLURM_STEP_GPUS=1"]),
        (
            ("--nodelist=n1", "--ntasks=2", "--gres=gpu:2", "--gpu-bind=map_gpu:1,0"),
            ["SLURM_STEP_GPUS=0", "SLURM_STEP_GPUS=1"],
        ),
        (("--nodes=2", "--gpus=3"), ["SLURM_STEP_GPUS=0", "SLURM_STEP_GPUS=0,1"]),
        (("--gres=gpu:0",), [None]),
    ],
    ids=["gres", "shard", "per task", "bound", "unequal", "none"],
)
def test_every_way_to_ask_for_gpus_is_seen(
    slurm: Slurm, tmp_path: Path, options: tuple[str, ...], gpus: list[str | None]
) -> None:
    assert sorted((task["gpus"] for task in tasks(slurm, tmp_path, *options)), key=str) == gpus
