from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from simtool.cli import app
from simtool.tables.embeddings import write_embeddings
from simtool.tables.files import TableError
from simtool.tables.images import Images, write_images
from simtool.tables.provenance import Provenance


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "images.parquet").write_bytes(b"images")
    origin = Provenance.of(["embed", "my images.parquet"], [tmp_path / "images.parquet"])
    write_embeddings(tmp_path / "e.parquet", ["a", "b"], np.eye(2, dtype=np.float32), origin, "pixels")
    return tmp_path / "e.parquet"


def show(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["show", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_it_says_what_a_table_is_and_where_it_comes_from(table: Path) -> None:
    text = show(table)
    assert "a valid table of embeddings" in text
    assert "simtool embed 'my images.parquet'" in text
    assert "images.parquet: unchanged" in text


def test_it_tells_when_an_input_has_changed_or_gone(table: Path) -> None:
    (table.parent / "images.parquet").write_bytes(b"other")
    assert "images.parquet: changed" in show(table)
    (table.parent / "images.parquet").unlink()
    assert "images.parquet: not found" in show(table)


def test_an_input_that_was_written_again_with_the_same_rows_is_unchanged(tmp_path: Path) -> None:
    images = Images.build(["a", "b"], ["a.jpg", "b.jpg"])
    first, later = (replace(Provenance.of(["x"], []), created_at=time) for time in ("2001-01-01", "2002-02-02"))
    write_images(tmp_path / "i.parquet", images, first)
    write_embeddings(
        tmp_path / "e.parquet",
        ["a", "b"],
        np.eye(2, dtype=np.float32),
        Provenance.of(["embed"], [tmp_path / "i.parquet"]),
        "x",
    )
    before = (tmp_path / "i.parquet").read_bytes()
    write_images(tmp_path / "i.parquet", images, later)
    assert (tmp_path / "i.parquet").read_bytes() != before
    assert "i.parquet: unchanged" in show(tmp_path / "e.parquet")
    write_images(tmp_path / "i.parquet", Images.build(["a", "c"], ["a.jpg", "b.jpg"]), later)
    assert "i.parquet: changed" in show(tmp_path / "e.parquet")
    renamed = pd.read_parquet(tmp_path / "i.parquet").rename(columns={"image_id": "path", "path": "image_id"})
    renamed.to_parquet(tmp_path / "i.parquet")
    assert "i.parquet: changed" in show(tmp_path / "e.parquet")


def test_an_input_is_recognised_beside_the_table_after_a_move(
    table: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    moved = tmp_path_factory.mktemp("other") / "folder"
    table.parent.rename(moved)
    assert "images.parquet: unchanged" in show(moved / "e.parquet")


def test_json_says_the_same(table: Path) -> None:
    content = json.loads(show(table, "--json"))
    assert content["kind"] == "embeddings"
    assert content["valid"] is True
    assert content["inputs"][0]["state"] == "unchanged"


def test_a_table_of_another_program_is_shown_too(tmp_path: Path) -> None:
    pd.DataFrame({"image_id": ["a"], "embedding": [[1.0, 2.0]]}).to_parquet(tmp_path / "theirs.parquet")
    assert "another program" in show(tmp_path / "theirs.parquet")


def test_what_is_no_table_or_not_valid_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(TableError, match="not a table of simtool; its columns are x"):
        show(tmp_path / "x.parquet")
    pd.DataFrame({"image_id": ["a"], "embedding": [[1.0, np.nan]]}).to_parquet(tmp_path / "nan.parquet")
    with pytest.raises(TableError, match=r"missing values in 1 vector: row 0 \(a\)"):
        show(tmp_path / "nan.parquet")


def test_a_folder_of_several_tables_is_not_one_table(table: Path) -> None:
    write_images(table.with_name("images.parquet"), Images.build(["a"], ["a.png"]), Provenance.of(["test"], []))
    with pytest.raises(TableError, match=r"not one table; .*: e.parquet \(embeddings\), images.parquet \(images\)"):
        show(table.parent)


def test_what_a_table_holds_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    name = "\x1b]0;title\x07 two\nlines \u202e"
    provenance = Provenance.of(["embed", name], [])
    write_embeddings(tmp_path / "e.parquet", ["a"], np.ones((1, 2), np.float32), provenance, name=name)
    shown = CliRunner().invoke(app, ["show", str(tmp_path / "e.parquet")]).stdout
    assert r"\x1b]0;title\x07 two\nlines \u202e" in shown
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)
    document = CliRunner().invoke(app, ["show", str(tmp_path / "e.parquet"), "--json"]).stdout
    assert document.isascii()
    assert json.loads(document)["name"] == name
