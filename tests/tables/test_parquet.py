"""A table in which a bit has flipped is refused, or says what it said."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

import numpy as np
import pyarrow.parquet as pq
import pytest

from simtool.tables.embeddings import open_embeddings, write_embeddings
from simtool.tables.files import TableError
from simtool.tables.provenance import Provenance
from simtool.tables.trials import Trials, read_trials, write_trials


def _flipped(path: Path, place: int, bit: int) -> Path:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    target = path.with_name("flipped.parquet")
    target.write_bytes(content)
    return target


def _pages_end(path: Path) -> int:
    """Where the pages of a Parquet file end and its footer begins."""
    content = path.read_bytes()
    return len(content) - 8 - int(struct.unpack("<I", content[-8:-4])[0])


def test_vectors_are_never_others_because_a_bit_has_flipped(tmp_path: Path, provenance: Provenance) -> None:
    path = tmp_path / "vectors.parquet"
    vectors = np.random.default_rng(0).standard_normal((8, 16), dtype=np.float32)
    write_embeddings(path, [f"{at}.jpg" for at in range(8)], vectors, provenance, "model")
    chance, refused = Random(0), 0
    for place in range(4, _pages_end(path), 2):
        try:
            table = open_embeddings(_flipped(path, place, chance.randrange(8)))
            np.testing.assert_array_equal(table.read(), vectors)
            assert table.image_id.tolist() == [f"{at}.jpg" for at in range(8)]
        except TableError:
            refused += 1
    assert refused > 0.8 * (_pages_end(path) - 4) / 2


def test_trials_are_never_others_because_a_bit_has_flipped(
    tmp_path: Path, trials: Trials, provenance: Provenance
) -> None:
    path = tmp_path / "trials.parquet"
    write_trials(path, trials, provenance)
    chance = Random(0)
    for place in range(4, _pages_end(path), 8):
        try:
            found = read_trials(_flipped(path, place, chance.randrange(8)))
        except TableError:
            continue
        np.testing.assert_array_equal(found.images[found.query], trials.images[trials.query])
        np.testing.assert_array_equal(found.selected, trials.selected)
        np.testing.assert_array_equal(found.response_ms, trials.response_ms)


@pytest.mark.parametrize("checksums", [True, False])
def test_a_table_without_checksums_is_read_too(tmp_path: Path, provenance: Provenance, checksums: bool) -> None:
    path, copy = tmp_path / "vectors.parquet", tmp_path / "copy.parquet"
    write_embeddings(path, ["a", "b"], np.eye(2), provenance, "model")
    pq.write_table(pq.read_table(path), copy, write_page_checksum=checksums)
    np.testing.assert_array_equal(open_embeddings(copy).read(), np.eye(2))


def test_a_column_is_never_lost_because_a_bit_of_its_name_has_flipped(
    tmp_path: Path, trials: Trials, provenance: Provenance
) -> None:
    path = tmp_path / "trials.parquet"
    write_trials(path, trials, provenance)
    content = path.read_bytes()
    for name in (b"participant", b"session", b"weight", b"response_ms"):
        place = content.index(name, _pages_end(path))
        with pytest.raises(TableError, match=r"flipped\.parquet.*its footer has two different lists of columns"):
            read_trials(_flipped(path, place + 1, 0))
