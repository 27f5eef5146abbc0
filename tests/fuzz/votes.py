"""Choices with votes (NIGHTS, BAPPS), annotations of Meadows, and arrays of psiz 0.13."""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from simtool.judgments.importing import import_judgments
from tests.fuzz import cells, documents
from tests.fuzz.case import Door, Made
from tests.fuzz.cells import Cells
from tests.fuzz.models import npy
from tests.fuzz.psiz import image, write_catalog
from tests.fuzz.tables import rows_of_trials

__all__ = ["DOORS"]

#: The number of trials by shown images, query first, and by the selected image.
_Counts = Counter[tuple[tuple[str, ...], str]]

_NIGHTS = ("ref_path", "left_path", "right_path", "left_vote", "right_vote", "votes", "split")
_STIMULI = ("stim1_name", "stim2_name", "stim3_name")


def _read(made: Made) -> _Counts:
    rows = rows_of_trials(import_judgments(made.path, catalog=made.other).judgments.trials)
    return Counter(
        (tuple(filter(None, (row["query"], *row["references"]))), row["references"][row["selected"][0]]) for row in rows
    )


def _judge_by(made: Made, readings: Iterator[_Counts]) -> Made:
    """Accept what is in one of the readings of the file as it then is."""

    def judge(found: _Counts) -> str | None:
        several = list(readings)
        if any(found == counts for counts in several):
            return None
        return f"in no reading: {next(iter(found - several[0]), None) if several else 'there is none'!r:.200}"

    made.judge = judge
    return made


# --- NIGHTS


def _nights(chance: Random) -> Cells:
    rows = [_NIGHTS]
    for number in range(chance.choice((1, 3, 5))):
        right = chance.choice(("0", "1", "1.0", "0.5"))
        votes = str(chance.choice((2, 6, 8)))
        paths = (f"ref/{number}.png", f"distort/{number}_0.png", f"distort/{number}_1.png")
        rows.append((*paths, f"{1 - float(right):g}", right, votes, chance.choice(("train", "val"))))
    return Cells(tuple(rows))


def _nights_readings(path: Path) -> Iterator[_Counts]:
    for table in cells.readings(path.read_bytes()):
        header, *rows = [[cell.strip() for cell in row] for row in table if any(cell.strip() for cell in row)] or [[]]
        counts: _Counts = Counter()
        try:
            for row in (dict(zip(header, row, strict=False)) for row in rows):
                shown = tuple(row[name] for name in _NIGHTS[:3])
                second = round(float(row["right_vote"]) * float(row["votes"]))
                counts[shown, shown[2]] += second
                counts[shown, shown[1]] += round(float(row["votes"])) - second
        except (KeyError, ValueError, OverflowError):
            continue
        yield Counter({key: number for key, number in counts.items() if number > 0 and key[0][0] not in key[0][1:]})


def _made_nights(chance: Random, folder: Path, way: str) -> Made:
    table, path = _nights(chance), folder / "data.csv"
    words = ""
    if way == "mutate":
        words, content = cells.mutate(table, chance)
    else:
        content = cells.text_of(table)
    path.write_bytes(content)
    return _judge_by(Made(path, words, files=(path,)), _nights_readings(path))


# --- BAPPS


def _bapps(chance: Random, folder: Path) -> Made:
    split = chance.choice(("train", "val"))
    root = folder / "2afc" / split / "cnn"
    for name in ("ref", "p0", "p1", "judge"):
        (root / name).mkdir(parents=True)
    for stem in ("000", "001"):
        for name in ("ref", "p0", "p1"):
            (root / name / f"{stem}.png").touch()
        share = chance.choice((0, 0.5, 1)) if split == "train" else chance.choice((0.2, 0.4, 1))
        (root / "judge" / f"{stem}.npy").write_bytes(npy(np.full((1,), share, "f4")))
    return Made(folder, files=(root / "judge" / "000.npy",))


def _structured_bapps(chance: Random, folder: Path) -> Made:
    made = _bapps(chance, folder)
    (file,) = made.files
    arrays = (
        *(np.array(share, kind) for share in (-1, 2, np.nan, np.inf, 0.3) for kind in ("f2", "f8", ">f4")),
        *(np.zeros(shape) for shape in ((0,), (2,), (1, 1, 1, 1), (1 << 12,))),
        *(np.array(value) for value in (True, 1, 1j, "0.5", b"1", np.datetime64("2020-01-01"))),
        np.array([(0.5, 1)], [("a", "f4"), ("b", "i4")]),
    )
    match chance.choice(("array", "array", "missing", "folder", "name", "split")):
        case "array":
            array = chance.choice(arrays)
            made.what = f"{array.dtype} of shape {array.shape}"
            file.write_bytes(npy(array))
        case "missing":
            made.what = "a file is missing"
            chance.choice([one for one in folder.rglob("*") if one.is_file()]).unlink()
        case "folder":
            made.what = "a folder in place of a file"
            file.unlink()
            file.mkdir()
        case "name":
            made.what = "another name"
            file.rename(file.with_name(chance.choice(("0.npy", "000.NPY", "000", "a b.npy", "\udcff.npy"))))
        case _:
            made.what = "another split"
            file.parents[2].rename(file.parents[3] / "test")
    return made


# --- Meadows


def _annotations(chance: Random) -> list[dict[str, Any]]:
    rows = []
    for _ in range(chance.choice((1, 3, 5))):
        shown = chance.sample("abcdef", 3)
        row: dict[str, Any] = {"task": "odd", "participation": chance.choice(("calm-ox", "wise-ant"))}
        row |= {name: f"{one} " for name, one in zip(_STIMULI, shown, strict=True)}
        row |= {"start": "2020-09-14T18:18:59.500Z", "resp": "2020-09-14T18:19:01.000Z", "label": chance.choice(shown)}
        rows.append(row)
    return rows


def _of_annotations(rows: Sequence[Mapping[str, Any]]) -> _Counts:
    """The trials of annotations of three images with a label."""
    counts: _Counts = Counter()
    for row in rows:
        shown = tuple("" if row.get(name) is None else str(row[name]).strip() for name in _STIMULI)
        label = "" if row.get("label") is None else str(row["label"]).strip()
        if all(one not in ("", "NA") for one in shown) and label not in ("", "NA"):
            counts[shown, label] += 1
    return counts


def _annotations_readings(path: Path) -> Iterator[_Counts]:
    for table in cells.readings(path.read_bytes()):
        header, *rows = [row for row in table if any(cell.strip() for cell in row)] or [[]]
        names = [name.strip() for name in header]
        yield _of_annotations([dict(zip(names, row, strict=False)) for row in rows])


def _document_readings(path: Path) -> Iterator[_Counts]:
    for encoding in ("utf-8-sig", "utf-16", "latin-1"):
        try:
            yield _of_annotations(json.loads(path.read_bytes().decode(encoding)))
        except (ValueError, AttributeError, TypeError):
            continue


def _made_annotations(chance: Random, folder: Path, way: str) -> Made:
    rows, path = _annotations(chance), folder / "Meadows_s_v_v1_calm-ox_1_annotations"
    words = ""
    if chance.random() < 0.5:
        table = Cells((tuple(rows[0]), *(tuple(map(str, row.values())) for row in rows)))
        words, content = cells.mutate(table, chance) if way == "mutate" else ("", cells.text_of(table))
        path.write_bytes(content)
        return _judge_by(Made(path, words, files=(path,)), _annotations_readings(path))
    document: Any = rows
    if way == "mutate":
        words, document = documents.changed(rows, chance)
    path.write_text(json.dumps(document))
    return _judge_by(Made(path, words, files=(path,)), _document_readings(path))


# --- arrays of psiz 0.13


def _arrays(chance: Random) -> tuple[dict[str, Any], _Counts]:
    n = chance.choice((2, 4))
    count = chance.choice((1, 3))
    shown = np.array([chance.sample(range(1, 13), n + 1) for _ in range(count)])
    index = np.array([chance.randrange(n) for _ in range(count)])
    counts: _Counts = Counter()
    for row, place in zip(shown.tolist(), index.tolist(), strict=True):
        counts[tuple(map(image, row)), image(row[1 + place])] += 1
    outcome = np.eye(n, dtype=np.float32)[index] if chance.random() < 0.5 else index
    arrays = {f"given{n}rank1_stimulus_set": shown, "outcome": outcome, "agent": np.arange(count)[:, None]}
    return arrays | {"sample_weight": np.full(count, 0.5), "condition": np.array(["x"] * count)}, counts


def _archive(chance: Random, folder: Path, arrays: Mapping[str, Any]) -> Made:
    path = folder / "trials.npz"
    with zipfile.ZipFile(path, "w", chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as file:
        for name, array in arrays.items():
            file.writestr(f"{name}.npy", npy(array))
    return Made(path, files=(path,), other=write_catalog(folder / "catalog.csv"), names=("trials.npz", "catalog.csv"))


def _valid_arrays(chance: Random, folder: Path) -> Made:
    arrays, counts = _arrays(chance)
    made = _archive(chance, folder, arrays)
    whole = made.path.read_bytes()
    # A change of bytes beside the arrays, for example of a time stamp, changes nothing.
    made.judge = lambda found: None if found == counts or _differ(made.path, whole) else "other judgments"
    return made


def _differ(path: Path, whole: bytes) -> bool:
    """Whether the arrays of a damaged archive differ from those of the whole one."""
    try:
        with np.load(path) as found, np.load(io.BytesIO(whole)) as stored:
            return {*found} != {*stored} or any(not np.array_equal(found[name], stored[name]) for name in stored)
    except (ValueError, OSError, zipfile.BadZipFile):
        return True


def _structured_arrays(chance: Random, folder: Path) -> Made:
    arrays, _ = _arrays(chance)
    name = chance.choice(list(arrays))
    array = np.asarray(arrays[name])
    match chance.choice(("type", "type", "shape", "value", "value", "drop", "rename", "object", "twice")):
        case "type":
            kind = chance.choice(("i1", "u8", "f2", "f8", "S4", "U3", ">i4", ">f8", "?", "c16", "M8[s]"))
            arrays[name] = np.ones(array.shape, kind)
        case "shape":
            arrays[name] = chance.choice((array[:0], array[:1], array[None], array.ravel(), array[..., None], array.T))
        case "value" if array.dtype.kind in "if":
            other = array.astype(chance.choice((array.dtype, np.dtype("f8"))))
            with np.errstate(all="ignore"):
                number = np.array(chance.choice((0, -1, 1, 13, 99, 2**31, -(2**62), np.nan, np.inf, 1e300)))
                other.flat[chance.randrange(other.size)] = number.astype(other.dtype)
            arrays[name] = other
        case "drop":
            del arrays[name]
        case "rename":
            del arrays[name]
            arrays[chance.choice(("stimulus_set", "given9rank1_stimulus_set", "given4rank9_stimulus_set", "x"))] = array
        case "object":
            arrays[name] = array.astype(object)
        case _:
            arrays[f"my_{name}"] = array
    made = _archive(chance, folder, arrays)
    made.what = name
    return made


DOORS = (
    Door(
        "nights",
        _read,
        lambda chance, folder: _made_nights(chance, folder, "mutate"),
        lambda chance, folder: _made_nights(chance, folder, "valid"),
        (600, 200),
    ),
    Door("bapps", _read, _structured_bapps, _bapps, (200, 200)),
    Door(
        "meadows",
        _read,
        lambda chance, folder: _made_annotations(chance, folder, "mutate"),
        lambda chance, folder: _made_annotations(chance, folder, "valid"),
        (800, 300),
    ),
    Door("psiz-npz", _read, _structured_arrays, _valid_arrays, (600, 400)),
)
