from __future__ import annotations

import json
import tracemalloc
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.tables.description import describe_table
from simtool.tables.distances import DistanceInfo, DistanceTable, Pairs, read_distances, write_distances
from simtool.tables.files import TableError, table_kind
from simtool.tables.parts import part_name
from simtool.tables.provenance import Provenance

ROWS = [("a", "b", 1.0), ("b", "c", 2.0), ("a", "c", 0.5)]


def listed(*rows: tuple[str, str, float]) -> Pairs:
    """Pairs as a file would list them."""
    names = sorted({name for one, two, _ in rows for name in (one, two)})
    first = np.array([names.index(one) for one, _, _ in rows], np.int32)
    second = np.array([names.index(two) for _, two, _ in rows], np.int32)
    return Pairs(np.array(names, object), first, second, np.array([value for _, _, value in rows], float))


def as_dict(table: DistanceTable) -> dict[tuple[str, str], float]:
    ends = zip(table.image_id[table.first], table.image_id[table.second], strict=True)
    return dict(zip(ends, table.distance.tolist(), strict=True))


def write(path: Path, *rows: tuple[str, str, float]) -> Path:
    pd.DataFrame(rows, columns=["image_1", "image_2", "distance"]).to_parquet(path)
    return path


@pytest.mark.parametrize("symmetric", [True, False])
def test_round_trip_keeps_pairs_and_metadata(symmetric: bool, tmp_path: Path, provenance: Provenance) -> None:
    table = DistanceTable.of(listed(*ROWS), DistanceInfo("my model", symmetric, "lpips"))
    write_distances(tmp_path / "d.parquet", table, provenance)
    found = read_distances(tmp_path / "d.parquet")
    assert as_dict(found) == as_dict(table) == {("a", "b"): 1, ("a", "c"): 0.5, ("b", "c"): 2}
    assert found.info == table.info
    assert found.provenance == provenance
    assert found.source == tmp_path / "d.parquet"


def test_the_schema_is_the_contracts(tmp_path: Path, provenance: Provenance) -> None:
    write_distances(tmp_path / "d.parquet", DistanceTable.of(listed(*ROWS), DistanceInfo("m")), provenance)
    schema = pq.read_schema(tmp_path / "d.parquet")
    assert [(field.name, str(field.type), field.nullable) for field in schema] == [
        ("image_1", "string", False),
        ("image_2", "string", False),
        ("distance", "double", False),
    ]
    metadata = json.loads(schema.metadata[b"simtool"])
    assert (metadata["table"], metadata["symmetric"], metadata["measure"]) == ("distances", True, None)
    assert pd.read_parquet(tmp_path / "d.parquet").values.tolist() == [["a", "b", 1.0], ["a", "c", 0.5], ["b", "c", 2]]


def test_tables_of_pandas_and_polars_need_three_columns_and_no_metadata(tmp_path: Path) -> None:
    frame = pd.DataFrame(ROWS, columns=["image_1", "image_2", "distance"])
    frame["image_1"] = frame["image_1"].astype("category")
    frame["distance"] = frame["distance"].astype("float32")
    frame.assign(note="x").to_parquet(tmp_path / "pandas.parquet")
    pl.DataFrame(ROWS, schema=["image_1", "image_2", "distance"], orient="row").write_parquet(
        tmp_path / "polars.parquet"
    )
    for name in ("pandas", "polars"):
        table = read_distances(tmp_path / f"{name}.parquet")
        assert table.info == DistanceInfo(name)
        assert as_dict(table) == {("a", "b"): 1, ("a", "c"): 0.5, ("b", "c"): 2}
        assert table_kind(tmp_path / f"{name}.parquet") == "distances"


def test_a_folder_of_parts_is_one_table(tmp_path: Path) -> None:
    folder = tmp_path / "lpips"
    folder.mkdir()
    for at, row in enumerate(ROWS):
        write(folder / part_name(at, 3), row)
    table = read_distances(folder)
    assert as_dict(table) == {("a", "b"): 1, ("a", "c"): 0.5, ("b", "c"): 2}
    assert table.info.name == "lpips"
    (folder / part_name(1, 3)).unlink()
    with pytest.raises(TableError, match="part-00001-of-00003"):
        read_distances(folder)


@given(st.permutations(range(6)), st.lists(st.booleans(), min_size=6, max_size=6))
def test_order_and_direction_of_symmetric_pairs_do_not_matter(order: list[int], turned: list[bool]) -> None:
    rows = [(one, two, float(at)) for at, (one, two) in enumerate(combinations("abcd", 2))]
    some = [(rows[at][1], rows[at][0], rows[at][2]) if turned[at] else rows[at] for at in order]
    assert as_dict(DistanceTable.of(listed(*some), DistanceInfo("m"))) == {row[:2]: row[2] for row in rows}


def test_both_directions_and_zeros_of_a_whole_matrix_count_once() -> None:
    whole = [(one, two, float(ord(one) + ord(two))) for one, two in permutations("abc", 2)]
    table = DistanceTable.of(listed(*whole, *((name, name, 0.0) for name in "abc")), DistanceInfo("m"))
    assert as_dict(table) == {("a", "b"): 195, ("a", "c"): 196, ("b", "c"): 197}


def test_directions_that_differ_by_rounding_get_their_mean() -> None:
    table = DistanceTable.of(listed(("a", "b", 1.0), ("b", "a", 1.0 + 2**-40), ("a", "a", 1e-16)), DistanceInfo("m"))
    assert as_dict(table) == {("a", "b"): 1.0 + 2**-41}


def test_with_a_direction_both_distances_are_kept() -> None:
    table = DistanceTable.of(listed(("a", "b", 1.0), ("b", "a", 2.0)), DistanceInfo("m", symmetric=False))
    assert as_dict(table) == {("a", "b"): 1, ("b", "a"): 2}


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([("a", "b", np.nan), ("b", "c", np.nan)], "m: NaN instead of a distance in 2 pairs: a and b, b and c;"),
        ([("a", "b", np.inf)], "m: an infinite distance in 1 pair: a and b"),
        ([("a", "b", -1)], "m: a negative distance in 1 pair: a and b; if larger numbers .* --similarity"),
        ([("a", "b", 1), ("b", "b", 1)], r"m: the distance of 1 image to itself is not 0: b \(1\).*--similarity"),
        ([("a", "b", 1), ("b", "a", 2)], "1 pair has two distances: a and b 1 and 2; if .* --asymmetric"),
        ([("a", "b", 1), ("a", "b", 2)], "1 pair has two distances"),
        ([("a", "a", 0)], "there are no pairs of two different images"),
        ([], "there are no pairs"),
    ],
)
def test_pairs_that_are_not_distances_are_refused(rows: list[tuple[str, str, float]], complaint: str) -> None:
    with pytest.raises(TableError, match=complaint):
        DistanceTable.of(listed(*rows), DistanceInfo("m"))


def test_a_stated_measure_may_be_negative() -> None:
    table = DistanceTable.of(listed(("a", "b", -3)), DistanceInfo("m", measure="-similarity"))
    assert as_dict(table) == {("a", "b"): -3}


def test_missing_columns_and_values_are_named(tmp_path: Path) -> None:
    pd.DataFrame({"image_1": ["a"], "distance": [1.0]}).to_parquet(tmp_path / "d.parquet")
    with pytest.raises(TableError, match="a table of distances needs column image_2; found image_1, distance"):
        read_distances(tmp_path / "d.parquet")
    pd.DataFrame({"image_1": ["a", None], "image_2": ["b", "c"], "distance": [1.0, 2.0]}).to_parquet(
        tmp_path / "d.parquet"
    )
    with pytest.raises(TableError, match="column image_1 has 1 missing value, at row 1"):
        read_distances(tmp_path / "d.parquet")


def test_metadata_of_other_types_are_refused(tmp_path: Path) -> None:
    table = pq.read_table(write(tmp_path / "d.parquet", *ROWS))
    pq.write_table(table.replace_schema_metadata({"simtool": '{"symmetric": "yes"}'}), tmp_path / "d.parquet")
    with pytest.raises(TableError, match="the metadata's symmetric must be true or false, but is 'yes'"):
        read_distances(tmp_path / "d.parquet")


def test_the_table_is_described(tmp_path: Path) -> None:
    described = describe_table(write(tmp_path / "d.parquet", *ROWS[:2]))
    assert described.kind == "distances"
    assert dict(described.facts) == {
        "name": "d",
        "images": "3",
        "pairs": "2 of 3",
        "direction": "none (symmetric)",
        "measure": "not stated",
        "smallest and largest": "1, 2",
    }


@pytest.mark.slow
def test_ids_stay_codes_while_pairs_are_read(tmp_path: Path, provenance: Provenance) -> None:
    names = np.array([f"a/very/long/folder/{number:0100}.png" for number in range(700)], object)
    first, second = (each.astype(np.int32) for each in np.triu_indices(700, 1))
    pairs = Pairs(names, first, second, np.arange(first.size, dtype=float))
    write_distances(tmp_path / "d.parquet", DistanceTable.of(pairs, DistanceInfo("m")), provenance)
    tracemalloc.start()
    table = read_distances(tmp_path / "d.parquet")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(table.distance, pairs.value)
    assert peak < 100 * first.size  # a pair of these ids is 250 bytes
