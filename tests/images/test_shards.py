from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.errors import UsageError
from simtool.images.shards import Shard, ShardError, chosen_shard


@given(st.integers(0, 500), st.integers(1, 40))
def test_the_parts_together_are_the_whole_in_order(total: int, count: int) -> None:
    parts = [Shard(index, count).rows(total) for index in range(count)]
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(total))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


def test_it_is_written_as_index_and_count() -> None:
    assert Shard.parse("3/16") == Shard(3, 16)
    assert str(Shard.parse("0/1")) == "0/1"


@pytest.mark.parametrize("text", ["16/16", "3", "-1/4", "3/0", "a/b", "1/2/3", "", "1.5/3"])
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="--shard takes I/N with I from 0 to N-1"):
        Shard.parse(text)


def array(task: int, tasks: list[int], step: int = 1) -> dict[str, str]:
    """The variables that SLURM sets for a task of ``--array``. The step is 1 unless the array is first-last:step."""
    values = {"ID": task, "MIN": min(tasks), "MAX": max(tasks), "STEP": step, "COUNT": len(tasks)}
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in values.items()}


@given(st.integers(0, 20), st.integers(1, 5), st.integers(2, 12))
def test_the_tasks_of_an_array_are_the_parts_in_order(first: int, step: int, count: int) -> None:
    tasks = list(range(first, first + step * count, step))
    assert [Shard.from_slurm(array(task, tasks, step)) for task in tasks] == [Shard(i, count) for i in range(count)]


@pytest.mark.parametrize("tasks", [[3, 7], [0, 1, 3], [2, 4, 6]])
def test_an_array_with_gaps_does_not_say_how_many_parts_there_are(tasks: list[int]) -> None:
    with pytest.raises(ShardError, match="array with gaps"):
        Shard.from_slurm(array(tasks[0], tasks))


@given(st.integers(1, 4), st.integers(1, 4))
def test_tasks_of_srun_divide_the_part_of_an_array_further(tasks: int, ranks: int) -> None:
    parts = [
        Shard.from_slurm(
            array(task, list(range(tasks))) | {"SLURM_PROCID": str(rank), "SLURM_STEP_NUM_TASKS": str(ranks)}
        )
        for task in range(tasks)
        for rank in range(ranks)
    ]
    assert parts == ([None] if tasks * ranks == 1 else [Shard(i, tasks * ranks) for i in range(tasks * ranks)])


@pytest.mark.parametrize(
    ("environ", "complaint"),
    [
        ({"SLURM_ARRAY_TASK_ID": "2"}, "SLURM_ARRAY_TASK_ID is set, but SLURM_ARRAY_TASK_MIN is not"),
        ({"SLURM_ARRAY_TASK_ID": "x"}, "SLURM_ARRAY_TASK_ID is 'x', not a number"),
        (array(2, [0, 1, 2, 3]) | {"SLURM_ARRAY_TASK_MAX": "-1"}, "SLURM_ARRAY_TASK_MAX is '-1', not a number"),
        (array(2, [0, 1, 2, 3]) | {"SLURM_ARRAY_TASK_STEP": "0"}, "array with gaps"),
        (array(9, [0, 1, 2, 3]), "array with gaps"),
        (array(7, [7]), "task 7 is the only one of its SLURM array"),
        ({"SLURM_STEP_NUM_TASKS": "4"}, "SLURM_STEP_NUM_TASKS is set, but SLURM_PROCID is not"),
        ({"SLURM_STEP_NUM_TASKS": ""}, "SLURM_STEP_NUM_TASKS is '', not a number"),
        ({"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "4"}, "SLURM_PROCID is 4, but there are 4 tasks"),
    ],
)
def test_variables_that_are_set_in_part_are_an_error_that_names_them(environ: dict[str, str], complaint: str) -> None:
    with pytest.raises(ShardError, match=f"{complaint}.*; use --shard I/N"):
        Shard.from_slurm(environ)


def test_outside_of_arrays_and_steps_there_is_no_part() -> None:
    assert Shard.from_slurm({}) is None
    assert Shard.from_slurm({"SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURM_NTASKS": "4"}) is None


def test_the_option_goes_before_the_task_of_an_array() -> None:
    task = array(3, [2, 3, 4])
    assert chosen_shard("0/2", task) == Shard(0, 2)
    assert chosen_shard(None, task) == Shard(1, 3)
    assert chosen_shard("none", task) is None
    assert chosen_shard(None, {}) is None
