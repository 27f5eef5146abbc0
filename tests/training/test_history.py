"""The log of a training is read as it was written, and refused if it is none."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from simtool.training import history as module
from simtool.training.folder import LOG, MANIFEST, TRAINING
from simtool.training.history import History, read_history
from simtool.training.logger import write_csv
from simtool.training.outcome import TrainingError


def _folder(path: Path, content: str | bytes) -> Path:
    (path / TRAINING).mkdir(parents=True)
    (path / TRAINING / LOG).write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_log_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "net", "")
    rows = [{"epoch": 1, "loss": 2.5, "val_top_1": 0.25}, {"epoch": 2, "loss": math.nan}, {"epoch": 2.5, "loss": 1.0}]
    write_csv(folder / TRAINING / LOG, rows)
    found = read_history(folder, "Net")
    assert (found.name, found.epochs, found.is_complete) == ("Net", [1, 2, 2.5], False)
    assert list(found.columns) == ["loss", "val_top_1"]
    assert found.columns["val_top_1"][0] == 0.25
    assert all(map(math.isnan, [found.columns["loss"][1], *found.columns["val_top_1"][1:]]))
    (folder / MANIFEST).touch()
    assert read_history(folder, "Net").is_complete


def test_a_log_that_a_spreadsheet_saved_is_read(tmp_path: Path) -> None:
    found = read_history(_folder(tmp_path / "net", "\ufeffepoch,loss\r\n1,0.5\r\n"), "Net")
    assert (found.epochs, found.columns) == ([1], {"loss": [0.5]})


@pytest.mark.parametrize(
    ("columns", "kept"),
    [
        ({"val_top_1": [0.1, 0.4, 0.4]}, 1),
        ({"val_top_1": [math.nan, 0.4, math.nan], "val_bits_per_dim": [1, 2, 3]}, 1),
        ({"val_bits_per_dim": [2.0, 1.0, 1.0]}, 1),
        ({"val_bits_per_dim": [math.nan, math.inf, 3.0]}, 2),
        ({"val_top_1": [math.nan] * 3}, None),
        ({"loss": [1, 2, 3]}, None),
    ],
)
def test_the_first_best_epoch_is_kept(columns: dict[str, list[float]], kept: int | None) -> None:
    assert History("a", [1, 2, 3], columns).kept == kept


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "with epoch"),
        ("loss\n1\n", "with epoch"),
        ("epoch,epoch\n1,1\n", "different columns"),
        ("epoch,loss\n", "no epoch is complete yet"),
        ("epoch,loss\n1\n", "row 1 has 1 cells, the first line 2"),
        ("epoch,loss\n1,=CMD()\n", r"row 1, loss: =CMD\(\) is no number"),
        ("epoch,loss\n2,1\n1,1\n", "should ascend"),
        ("epoch,loss\nnan,1\n", "should ascend"),
        ("epoch,loss\n1,1\n,1\n3,1\n", "should ascend"),
        ("epoch,loss\n1,1\n1e300,1\n", "should ascend"),
        (b"epoch,loss\n1,\xff\n", "not a table of numbers"),
        ("epoch," + ",".join(map(str, range(200))) + "\n" + ",".join(["1"] * 201), "more than 100 columns"),
        ("epoch,loss\n1,1\n" + " " * 1000, "larger than 500 bytes"),
    ],
)
def test_a_file_that_is_no_log_is_refused(
    tmp_path: Path, content: str | bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "500" in reason:
        monkeypatch.setattr(module, "MOST_BYTES", 500)
    with pytest.raises(TrainingError, match=reason):
        read_history(_folder(tmp_path / "net", content), "Net")


def test_a_folder_without_a_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"it has no log of a training \(training/log.csv\)"):
        read_history(tmp_path, "Net")
    with pytest.raises(TrainingError, match="no such file or folder"):
        read_history(tmp_path / "none", "Net")
