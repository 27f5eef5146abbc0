"""A batch is split over devices without loss, and its random numbers do not depend on the split."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.training.data import Draws, ReplicaBatch, check_even, in_parts, replica_batches, step_seed
from simtool.training.devices import Devices, Worker
from simtool.training.outcome import TrainingError


class Several:
    """A strategy that hands out one value per device of a worker."""

    def __init__(self, worker: int, local: int) -> None:
        self.first, self.local = worker * local, local

    def experimental_distribute_values_from_function(self, make: Any) -> list[Any]:
        return [make(SimpleNamespace(replica_id_in_sync_group=self.first + device)) for device in range(self.local)]


def split(rows: int, batch_size: int, workers: int, local: int, parts: int) -> list[list[ReplicaBatch]]:
    """All shares of each part of a global batch whose examples are their own places."""
    found: list[list[list[ReplicaBatch]]] = []
    for index in range(workers):
        devices = Devices(Several(index, local), Worker(index, workers), workers * local)
        own = {"place": np.arange(rows)[index::workers]}
        of_worker = replica_batches(own, devices, batch_size, False, parts)
        found.append([[part] if local == 1 else part for part in of_worker])
    return [[share for of_worker in of_part for share in of_worker] for of_part in zip(*found, strict=True)]


@settings(deadline=None)  # the first example loads TensorFlow
@given(
    batch_size=st.integers(1, 20),
    short=st.integers(0, 19),
    workers=st.integers(1, 4),
    local=st.integers(1, 3),
    parts=st.integers(1, 5),
)
def test_every_example_is_there_once_and_knows_its_place(
    batch_size: int, short: int, workers: int, local: int, parts: int
) -> None:
    rows = max(batch_size - short, 1)
    of_parts = split(rows, batch_size, workers, local, parts)
    assert len(of_parts) <= parts
    shares = [share for of_part in of_parts for share in of_part]
    places = [share.batch["place"].numpy()[share.weights.numpy() > 0] for share in shares]
    assert sorted(np.concatenate(places)) == list(range(rows))
    for share, place in zip(shares, places, strict=True):
        assert share.rows.numpy()[: len(place)].tolist() == place.tolist()
        assert share.rows.numpy().max(initial=0) < batch_size
    for of_part in of_parts:
        assert len({len(share.weights) for share in of_part}) == 1


def test_parts_hold_the_same_examples_on_any_number_of_devices() -> None:
    for workers, local in ((1, 1), (1, 2), (2, 1), (2, 2)):
        of_parts = split(16, 16, workers, local, 4)
        places = [sorted(np.concatenate([share.rows.numpy() for share in of_part])) for of_part in of_parts]
        assert places == np.arange(16).reshape(4, 4).tolist()


def test_batches_are_divided_into_parts_of_consecutive_rows() -> None:
    batch = {"x": np.arange(7), "y": np.arange(7) + 10}
    assert [part["x"].tolist() for part in in_parts(iter([batch]), 3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [part["y"].tolist() for part in in_parts(iter([batch]), 1)] == [list(range(10, 17))]


def test_one_device_gets_only_its_rows_unless_padding_is_asked_for() -> None:
    devices = Devices(None)
    batch = {"x": np.arange(6.0).reshape(3, 2)}
    (plain,) = replica_batches(batch, devices, 5, fill=False)
    assert plain.weights.numpy().tolist() == [1, 1, 1]
    (filled,) = replica_batches(batch, devices, 5, fill=True)
    assert filled.weights.numpy().tolist() == [1, 1, 1, 0, 0]
    assert filled.batch["x"].numpy()[3:].tolist() == [[0, 1], [2, 3]]


def test_a_worker_without_rows_gets_zeros() -> None:
    devices = Devices(Several(1, 1), Worker(1, 2), 2)
    (share,) = replica_batches({"x": np.ones((0, 2), np.float32)}, devices, 4, fill=False)
    assert share.weights.numpy().tolist() == [0, 0]
    assert share.batch["x"].numpy().tolist() == [[0, 0], [0, 0]]


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(TrainingError, match=r"arrays of one length, not {'x': 3, 'y': 2}"):
        replica_batches({"x": np.zeros(3), "y": np.zeros(2)}, Devices(None), 4, fill=False)
    with pytest.raises(TrainingError, match="arrays of one length, not none"):
        replica_batches({}, Devices(None), 4, fill=False)


def test_too_many_rows_are_refused() -> None:
    with pytest.raises(TrainingError, match="5 rows for 1 devices; batch_size 4 gives 4 to each"):
        replica_batches({"x": np.zeros(5)}, Devices(None), 4, fill=False)


def test_devices_that_cannot_share_a_batch_evenly_are_refused() -> None:
    devices = Devices(Several(0, 2), Worker(0, 2), 4)
    check_even(16, 16, devices)
    with pytest.raises(TrainingError, match="4 devices cannot share batches of 18 evenly"):
        check_even(18, 18, devices)


def test_a_batch_of_fewer_images_than_the_batch_size_cannot_be_divided_evenly() -> None:
    alone = Devices(None)
    check_even(20, 32, alone)
    check_even(20, 20, alone, parts=4)
    # 32 images in 4 parts are 8 in each, of which 20 would fill two and a half.
    with pytest.raises(TrainingError, match=r"multiple of 4, up to 20, the number of training images"):
        check_even(20, 32, alone, parts=4)


@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_the_numbers_are_the_same_however_the_batch_is_split(kind: str) -> None:
    seed = step_seed(1, "training", 7)
    whole = getattr(Draws(seed, 10, np.arange(10)), kind)((3, 2)).numpy()
    for worker in range(4):
        rows = np.arange(worker, 10, 4)
        assert np.array_equal(getattr(Draws(seed, 10, rows), kind)((3, 2)).numpy(), whole[rows])


def test_uniform_numbers_fill_the_unit_interval() -> None:
    numbers = Draws(step_seed(1, "training", 0), 100, np.arange(100)).uniform((50,)).numpy()
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.02


def test_folding_gives_other_numbers() -> None:
    draws = Draws(step_seed(1, "training", 0), 4, np.arange(4))
    assert not np.array_equal(draws.uniform(), draws.fold(1).uniform())
    assert np.array_equal(draws.fold(1).uniform(), draws.fold(1).uniform())


def test_every_step_and_purpose_has_its_own_seed() -> None:
    seeds = {
        tuple(step_seed(seed, stream, step))
        for seed in (0, 1)
        for stream in ("training", "validation")
        for step in range(100)
    }
    assert len(seeds) == 400
    assert step_seed(0, "training", 3).dtype == np.int32
