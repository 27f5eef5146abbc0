"""SLURM gives GPUs by its variables; CUDA_VISIBLE_DEVICES can hide them."""

from __future__ import annotations

import pytest

from simtool.system.allotment import allotted_gpus, slurm_variables


@pytest.mark.parametrize(
    ("environment", "given"),
    [
        ({}, None),
        ({"CUDA_VISIBLE_DEVICES": "0"}, None),  # a laptop
        ({"SLURM_JOB_ID": "7"}, None),
        ({"SLURM_JOB_ID": "7", "SLURM_GPUS_ON_NODE": "0"}, None),
        ({"SLURM_JOB_ID": "7", "SLURM_GPUS_ON_NODE": "4"}, "SLURM_GPUS_ON_NODE=4"),
        ({"SLURM_JOB_GPUS": "0"}, "SLURM_JOB_GPUS=0"),
        ({"SLURM_JOB_GPUS": "0,1", "SLURM_STEP_GPUS": "1"}, "SLURM_STEP_GPUS=1"),
        ({"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "0,1"}, "CUDA_VISIBLE_DEVICES=0,1"),
        ({"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "GPU-5ebe9f43"}, "CUDA_VISIBLE_DEVICES=GPU-5ebe9f43"),
        *(
            ({"SLURM_JOB_ID": "7", "SLURM_JOB_GPUS": "0", "CUDA_VISIBLE_DEVICES": hidden}, None)
            for hidden in ("", "-1", "NoDevFiles")
        ),
    ],
)
def test_gpus_are_given_by_slurm_and_hidden_by_the_user(environment: dict[str, str], given: str | None) -> None:
    assert allotted_gpus(environment) == given


def test_the_variables_of_the_job_are_sorted() -> None:
    assert list(slurm_variables({"SLURM_NODELIST": "a", "HOME": "/", "SLURM_JOB_ID": "7"}).items()) == [
        ("SLURM_JOB_ID", "7"),
        ("SLURM_NODELIST", "a"),
    ]
