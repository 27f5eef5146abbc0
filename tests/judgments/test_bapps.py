from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from simtool.judgments.assembly import Judgments, JudgmentsError
from simtool.judgments.importing import import_judgments
from simtool.tables.trials import Trials
from tests.studies import plain


def write_set(folder: Path, shares: dict[str, float], shape: tuple[int, ...] = (1,), dtype: str = "f4") -> Path:
    """Write a set of judgments: empty images, and the shares that prefer p1."""
    for name in ("ref", "p0", "p1", "judge"):
        (folder / name).mkdir(parents=True)
    for stem, share in shares.items():
        for name in ("ref", "p0", "p1"):
            (folder / name / f"{stem}.png").touch()
        np.save(folder / "judge" / f"{stem}.npy", np.full(shape, share, dtype))
    return folder


def read(path: Path) -> Judgments:
    reading = import_judgments(path)
    assert reading.format == "bapps"
    return reading.judgments


def chosen(trials: Trials) -> Counter[tuple[str, str]]:
    """The number of trials by query and selected image."""
    return Counter((row["query"], row["references"][row["selected"][0]]) for row in plain(trials))


def test_every_judgment_of_a_display_is_a_trial(tmp_path: Path) -> None:
    write_set(tmp_path / "2afc" / "val" / "cnn", {"000": 0.4, "001": 1})
    trials = read(tmp_path).trials
    at = "2afc/val/cnn"
    assert chosen(trials) == {
        (f"{at}/ref/000.png", f"{at}/p0/000.png"): 3,
        (f"{at}/ref/000.png", f"{at}/p1/000.png"): 2,
        (f"{at}/ref/001.png", f"{at}/p1/001.png"): 5,
    }
    assert plain(trials)[0]["references"] == [f"{at}/p0/000.png", f"{at}/p1/000.png"]


def test_the_folders_tell_split_kind_and_number_of_people(tmp_path: Path) -> None:
    write_set(tmp_path / "2afc" / "train" / "mix", {"a": 0.5})
    write_set(tmp_path / "2afc" / "val" / "deblur", {"a": 0})
    trials = read(tmp_path).trials
    told = Counter(zip(trials.extra["split"].to_pylist(), trials.extra["kind"].to_pylist(), strict=True))
    assert told == {("train", "mix"): 2, ("val", "deblur"): 5}


def test_ids_are_the_same_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = write_set(tmp_path / "2afc" / "val" / "cnn", {"000": 0.4})
    found = [read(folder).trials.images.tolist() for folder in (tmp_path, inner.parent.parent, inner.parent, inner)]
    monkeypatch.chdir(inner)
    found.append(read(Path()).trials.images.tolist())
    assert found[1:] == found[:-1]


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1)])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_a_share_has_any_shape_and_precision(tmp_path: Path, shape: tuple[int, ...], dtype: str) -> None:
    trials = read(write_set(tmp_path / "val" / "cnn", {"a": 0.2, "b": 0.8}, shape, dtype)).trials
    assert sum(row["selected"] == [1] for row in plain(trials)) == 1 + 4


def test_files_belong_together_by_stem_whatever_their_order(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "val" / "cnn", {"a": 1, "a.o": 0})
    assert [file.name for file in sorted((folder / "ref").iterdir())] == ["a.o.png", "a.png"]
    assert [file.name for file in sorted((folder / "judge").iterdir())] == ["a.npy", "a.o.npy"]
    (folder / "p1" / "a.png").rename(folder / "p1" / "a.jpg")
    (folder / "p0" / "._a.png").touch()
    at = "2afc/val/cnn"
    assert chosen(read(folder).trials) == {
        (f"{at}/ref/a.png", f"{at}/p1/a.jpg"): 5,
        (f"{at}/ref/a.o.png", f"{at}/p0/a.o.png"): 5,
    }


def test_just_noticeable_differences_are_left_out(tmp_path: Path) -> None:
    write_set(tmp_path / "2afc" / "val" / "cnn", {"a": 0})
    for name in ("p0", "p1", "same"):
        (tmp_path / "jnd" / "val" / "cnn" / name).mkdir(parents=True)
    assert read(tmp_path).notes == ("left out 1 folder of just noticeable differences, which have no reference",)
    with pytest.raises(JudgmentsError, match="jnd: just noticeable differences, which have no reference: give the fol"):
        read(tmp_path / "jnd")


@pytest.mark.parametrize(
    ("share", "complaint"),
    [
        (0.5, "has the share 0.5 of 5 votes, which is no whole number of votes"),
        (1.2, "has the share 1.2 of 5 votes"),
        (float("nan"), "has the share nan of 5 votes"),
    ],
)
def test_an_impossible_share_is_refused(tmp_path: Path, share: float, complaint: str) -> None:
    folder = write_set(tmp_path / "val" / "cnn", {"a": 0, "b": share})
    with pytest.raises(JudgmentsError, match=f"{folder / 'judge' / 'b.npy'} {complaint}"):
        read(folder)


def test_a_file_that_is_no_share_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "val" / "cnn", {"a": 0})
    file = folder / "judge" / "a.npy"
    np.save(file, np.zeros(2))
    with pytest.raises(JudgmentsError, match=rf"{file}: not one share in a \.npy file: an array of shape \(2,\)"):
        read(folder)
    np.save(file, np.array([None]), allow_pickle=True)
    with pytest.raises(JudgmentsError, match=rf"{file}: not one share in a \.npy file: an array of object"):
        read(folder)
    np.save(file, np.zeros(1))
    broken = file.read_bytes().replace(b"False", b"Falsy")
    for content in (b"", b"0.5\n", broken[:40], broken):
        file.write_bytes(content)
        with pytest.raises(JudgmentsError, match=rf"{file}: not one share in a \.npy file") as caught:
            read(folder)
        assert "object at" not in str(caught.value)


def test_a_folder_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "val" / "cnn", {"a": 0, "b": 1})
    (folder / "p1" / "b.png").unlink()
    with pytest.raises(JudgmentsError, match=f"{folder / 'p1'}: 1 file missing that the other folders have: b; get"):
        read(folder)
    (folder / "p1" / "b.png").touch()
    (folder / "p1" / "b.jpg").touch()
    with pytest.raises(JudgmentsError, match=f"{folder / 'p1'}: b.jpg and b.png have the same stem"):
        read(folder)
    with pytest.raises(JudgmentsError, match="its folders judge are empty"):
        read(write_set(tmp_path / "val" / "mix", {}))
    with pytest.raises(JudgmentsError, match="not a folder of BAPPS; give the folder 2afc"):
        import_judgments(Path(__file__), "bapps")
    with pytest.raises(JudgmentsError, match=r"its folder mine should be train \(2 people .*\) or val \(5 people\)"):
        read(write_set(tmp_path / "mine" / "cnn", {"a": 0}))


def test_the_sample_has_its_expected_shares(formats: Path) -> None:
    counts = chosen(read(formats / "bapps").trials)
    wanted: Counter[tuple[str, str]] = Counter()
    at = "2afc/val/traditional"
    with (formats / "bapps" / "expected.csv").open() as file:
        for row in csv.DictReader(file):
            second = round(float(row["share_preferring_p1"]) * int(row["people"]))
            wanted[f"{at}/{row['ref']}", f"{at}/{row['p1']}"] += second
            wanted[f"{at}/{row['ref']}", f"{at}/{row['p0']}"] += int(row["people"]) - second
    assert counts == +wanted
