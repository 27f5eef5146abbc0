"""Judgments of several row groups and parts, each with another dictionary."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.tables import files
from simtool.tables.parquet import TableError
from simtool.tables.provenance import Provenance
from simtool.tables.trials import Trials, read_trials, write_trials
from tests.fuzz.tables import rows_of_trials

#: Texts in lists: as Arrow, pandas, polars and Spark store them.
LISTS = [pa.list_(pa.string()), pa.large_list(pa.large_string()), pa.list_(pa.binary()), pa.list_view(pa.string_view())]


def judgments(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Trials of two and of three references, in plain rows. Later trials show other images."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        size = 2 + number % 2
        shown = [f"image {place + number // 10}" for place in rng.permutation(9)[: size + 1]]
        who = [None, "ann", "bob", f"guest {number // 7}"][number % 4]
        rows.append(
            {
                "trial_id": 3 * number,
                "trial_type": f"{size}-choose-1",
                "query": shown[0],
                "references": shown[1:],
                "selected": [int(rng.integers(size))],
                "participant": who,
            }
        )
    return rows


def table(rows: Sequence[dict[str, Any]], lists: pa.DataType = LISTS[0]) -> pa.Table:
    columns = {name: pa.array([row[name] for row in rows]) for name in rows[0] if name != "references"}
    return pa.table({**columns, "references": pa.array([row["references"] for row in rows], lists)})


def plain(trials: Trials) -> list[dict[str, Any]]:
    """Trials as the rows of :func:`judgments`."""
    return [{name: row[name] for name in judgments(1)[0]} for row in map(dict, rows_of_trials(trials))]


@settings(max_examples=30, deadline=None)
@given(
    groups=st.integers(1, 60),
    batch=st.integers(1, 60),
    lists=st.sampled_from(LISTS),
    options=st.sampled_from([{}, {"use_dictionary": False}, {"dictionary_pagesize_limit": 60, "data_page_size": 64}]),
)
def test_groups_of_any_size_and_encoding_are_one_table(
    tmp_path_factory: pytest.TempPathFactory, groups: int, batch: int, lists: pa.DataType, options: dict[str, Any]
) -> None:
    folder, rows = tmp_path_factory.mktemp("t"), judgments(60)
    for part, half in enumerate((rows[:37], rows[37:])):
        pq.write_table(table(half, lists), folder / f"{part}.parquet", row_group_size=groups, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_BATCH_ROWS", batch)
        read = read_trials(folder)
    assert plain(read) == rows
    queries = [row["query"] for row in rows]
    shown = [name for row in rows for name in row["references"]]
    assert read.images.tolist() == list(dict.fromkeys([*queries, *shown]))


def test_missing_values_of_several_groups_are_counted_together(tmp_path: Path) -> None:
    rows = judgments(9)
    for row in (1, 8):
        rows[row]["references"][0] = None
    pq.write_table(table(rows), tmp_path / "t.parquet", row_group_size=4)
    with pytest.raises(TableError, match="column references has 2 missing values inside its lists"):
        read_trials(tmp_path / "t.parquet")
    rows[1]["selected"] = rows[8]["selected"] = None
    pq.write_table(table(rows), tmp_path / "t.parquet", row_group_size=4)
    with pytest.raises(TableError, match="column selected has 2 missing values, at rows 1, 8"):
        read_trials(tmp_path / "t.parquet")


@pytest.mark.parametrize("rows", [1, 7, 100])
def test_groups_that_are_written_hold_the_names_that_they_mention(
    tmp_path: Path, provenance: Provenance, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    pq.write_table(table(judgments(40)), tmp_path / "t.parquet")
    trials = read_trials(tmp_path / "t.parquet").take(slice(0, 20))
    monkeypatch.setattr(files, "_GROUP_ROWS", rows)
    write_trials(tmp_path / "out.parquet", trials, provenance)
    assert plain(read_trials(tmp_path / "out.parquet")) == judgments(20)
    assert b"guest 5" not in (tmp_path / "out.parquet").read_bytes()
    file = pq.ParquetFile(tmp_path / "out.parquet")
    assert file.num_row_groups == -(-20 // rows)
    assert file.read().select(["query", "references"]).to_pylist() == [
        {"query": row["query"], "references": row["references"]} for row in judgments(20)
    ]


MEMORY = """
import sys
from pathlib import Path
import numpy as np, pyarrow as pa
from simtool.tables.provenance import Provenance
from simtool.tables.trials import Trials, read_trials, write_trials

names = [f"{number:04}".rjust(2_000, "x") for number in range(200)]
query, step = np.arange(20_000) % 200, np.arange(20_000) % 50 + 1
references = np.stack([query + step, query + 2 * step], axis=1) % 200
trials = Trials.build(names, ["2-choose-1"] * 20_000, query, references, np.zeros((20_000, 1), int))
write_trials(Path(sys.argv[1]), trials, Provenance.of([], []))
assert read_trials(Path(sys.argv[1])).images[0] == names[0]
print(pa.default_memory_pool().max_memory())
"""


def test_texts_of_a_large_column_are_never_decoded(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MEMORY, str(tmp_path / "t.parquet")]
    peak = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert peak < 40_000_000  # the texts of the references are 80 MB
