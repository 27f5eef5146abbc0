"""Odd-one-out judgments and triplets: tables, texts without a header, arrays, JSON lines."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.judgments.importing import import_judgments
from simtool.tables.trials import Trials
from tests.fuzz import cells, documents, values
from tests.fuzz.case import Door, Judge, Made
from tests.fuzz.cells import Cells
from tests.fuzz.models import npy
from tests.fuzz.values import ABSENT

__all__ = ["DOORS"]

#: The images of a trial in their order, and the image that was selected; None without an answer.
_Row = tuple[tuple[str, ...], str | None]
_Arrays = dict[str, NDArray[Any]]

_IMAGES = 12
_ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")


def _rows(trials: Trials) -> list[_Row]:
    """Trials as rows; a query comes before its references."""
    names = trials.images.tolist()
    rows = zip(trials.query.tolist(), trials.references.tolist(), trials.selected[:, 0].tolist(), strict=True)
    return [
        (tuple(names[place] for place in (query, *shown) if place >= 0), names[shown[at]]) for query, shown, at in rows
    ]


def _unlike(found: Sequence[_Row], plain: Sequence[_Row]) -> str | None:
    """The difference between trials and the rows of a source; rows without an answer may be dropped."""
    answered = [row for row in plain if row[1] is not None]
    if sorted(found) == sorted(answered):
        return None
    other = next((row for row in (*found, *answered) if found.count(row) != answered.count(row)), None)
    return f"{len(found)} rows, {len(answered)} in the source; for example {other!r:.200}"


def _judge(path: Path, readings: Callable[[bytes], Iterator[Sequence[_Row]]]) -> Judge:
    """Judge by the readings of the file as it then is."""

    def judge(found: Sequence[_Row]) -> str | None:
        complaints = [_unlike(found, plain) for plain in readings(path.read_bytes())]
        return None if None in complaints else next(iter(complaints), "read although no reading of it is possible")

    return judge


def _numbered(texts: Sequence[str], first: int) -> tuple[str, ...]:
    """Ids of images from 0, from their numbers as text."""
    return tuple(str(int(float(text)) - first) for text in texts)


def _triplets(chance: Random) -> list[list[int]]:
    return [chance.sample(range(_IMAGES), 3) for _ in range(chance.choice((1, 3, 6)))]


# --- the raw table of THINGS


def _things(chance: Random) -> Cells:
    header = ("image1", "image2", "image3", "choice", "RT", "noise_ceiling", "subject_id", "age")
    rows = [
        (*(str(image + 1) for image in shown), f"{chance.randrange(3) + 1}", "812", f"{at % 4}", f"S{at % 2}", "NaN")
        for at, shown in enumerate(_triplets(chance))
    ]
    return Cells((header, *rows), delimiter="\t")


def _read_table(content: bytes) -> Iterator[Sequence[_Row]]:
    for table in cells.readings(content):
        filled = [[cell.strip() for cell in row] for row in table if any(cell.strip() for cell in row)]
        if not filled or not {"image1", "image2", "image3", "choice"} <= set(filled[0]):
            continue
        places = [filled[0].index(name) for name in ("image1", "image2", "image3", "choice")]
        try:
            yield [_of_choice(*([*row, *[""] * 9][place] for place in places)) for row in filled[1:]]
        except (ValueError, OverflowError):
            continue


def _of_choice(first: str, second: str, third: str, choice: str) -> _Row:
    shown = (first, second, third)
    named = shown if any(cell.strip("+-.0123456789eE") for cell in shown) else _numbered(shown, 1)
    return named, None if choice in ABSENT else named[int(float(choice)) - 1]


def _structured_things(chance: Random, folder: Path) -> Made:
    table, path = _things(chance), folder / "raw.csv"
    neutral = chance.random() < 0.2
    if neutral:
        table = replace(table, newline=chance.choice(("\n", "\r\n")), end=chance.random() < 0.5)
        words, content = "another newline", cells.text_of(table)
    else:
        words, content = cells.mutate(table, chance)
    path.write_bytes(content)
    return Made(path, words, _judge(path, _read_table), neutral, (path,))


def _valid_things(chance: Random, folder: Path) -> Made:
    path = folder / "raw.csv"
    path.write_bytes(cells.text_of(_things(chance)))
    return Made(path, judge=_judge(path, _read_table), files=(path,))


# --- three columns without a header


def _text(chance: Random) -> Cells:
    written = chance.choice((str, lambda image: f"{image:.18e}", lambda image: f"{image}.jpg"))
    rows = tuple(tuple(map(written, row)) for row in _triplets(chance))
    return Cells(rows, delimiter=chance.choice(" \t,;"))


def _read_text(content: bytes) -> Iterator[Sequence[_Row]]:
    texts = [content.decode(encoding, "replace").lstrip("\ufeff") for encoding in _ENCODINGS]
    spaced = ([line.split() for line in re.split(r"[\r\n]+", text)] for text in texts)
    for table in (*spaced, *map(_quoted, texts), *cells.readings(content)):
        rows = [[cell.strip() for cell in row] for row in table if any(cell.strip() for cell in row)]
        if any(len(row) < 3 for row in rows):
            continue
        try:
            yield [(named, named[2]) for named in (_numbered(row[:3], 0) for row in rows)]
        except (ValueError, OverflowError):
            yield [(tuple(row[:3]), row[2]) for row in rows]


def _quoted(text: str) -> list[list[str]]:
    """The cells of a text with blanks between them, as a general CSV."""
    rows: list[list[str]] = []
    with suppress(csv.Error):
        rows += csv.reader(io.StringIO(text, newline=""), delimiter=" ")
    return rows


def _structured_text(chance: Random, folder: Path) -> Made:
    path = folder / "triplets.txt"
    words, content = cells.mutate(_text(chance), chance)
    path.write_bytes(content)
    return Made(path, words, _judge(path, _read_text), files=(path,))


def _valid_text(chance: Random, folder: Path) -> Made:
    path = folder / "triplets.txt"
    path.write_bytes(cells.text_of(_text(chance)))
    return Made(path, judge=_judge(path, _read_text), files=(path,))


def _read_odd_last(made: Made) -> list[_Row]:
    return _rows(import_judgments(made.path, "triplets-odd-last").judgments.trials)


# --- arrays


def _alignet(chance: Random) -> _Arrays:
    shown = np.array(_triplets(chance))
    similarities = np.array([[3.0, 2.0, 1.0]] * len(shown), np.float32)
    return {"filenames": np.char.add(shown.astype(str), ".JPEG"), "similarities": similarities, "indices": shown}


def _responses(chance: Random) -> _Arrays:
    query = np.array(_triplets(chance), np.uint32)
    return {"query": query, "response": np.array([chance.choice((-2, -1, 0, 1, 3)) for _ in query])}


def _tensor(chance: Random) -> _Arrays:
    coords = np.array(_triplets(chance)).T
    data = np.array([chance.choice((-1, 1, 2)) for _ in coords.T])
    return {"coords": coords, "data": data, "shape": np.array([_IMAGES] * 3)}


def _changed(arrays: _Arrays, chance: Random) -> tuple[str, dict[str, bytes]]:
    """The members of an archive in which one array was changed."""
    name = chance.choice(list(arrays))
    array = arrays[name]
    way = chance.choice(("value", "value", "type", "shape", "object", "missing", "text", "longer", "empty", "order"))
    members = {f"{key}.npy": npy(value) for key, value in arrays.items()}
    match way:
        case "value" if array.dtype.kind in "if":
            other = array.astype(chance.choice((array.dtype, np.dtype(np.float64))))
            with np.errstate(all="ignore"):
                other.flat[chance.randrange(other.size)] = np.array(values.number(chance), np.float64).astype(
                    other.dtype
                )
            members[f"{name}.npy"] = npy(other)
        case "type":
            kind = chance.choice(("int8", ">i4", "uint64", "float16", "complex64", "S3", "U3", "bool"))
            members[f"{name}.npy"] = npy(np.ones(array.shape, kind))
        case "shape":
            members[f"{name}.npy"] = npy(chance.choice((array.ravel(), array[None], array[:1], array.T)))
        case "object":
            members[f"{name}.npy"] = npy(array.astype(object))
        case "missing":
            del members[f"{name}.npy"]
        case "text":
            members[f"{name}.npy"] = b"text"
        case "longer":
            members[f"{name}.npy"] += b"\0" * 9
        case "empty":
            members[f"{name}.npy"] = npy(array[:0])
        case _:
            members[f"{name}.npy"] = npy(np.asfortranarray(array))
    return f"{name}: {way}", members


def _archive(path: Path, members: dict[str, bytes], chance: Random) -> Made:
    with zipfile.ZipFile(path, "w", chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return Made(path, judge=_judge(path, _read_arrays), files=(path,))


def _read_arrays(content: bytes) -> Iterator[Sequence[_Row]]:
    """The rows of an archive, or of an array in each of its orders, as NumPy reads them."""
    held = np.load(io.BytesIO(content), allow_pickle=False)
    if isinstance(held, np.ndarray):
        yield [(row, row[2]) for row in map(_ids, held.tolist())]
        return
    arrays = {}
    for name in held.files:
        with suppress(ValueError, zipfile.BadZipFile, zlib.error, EOFError):  # of Python objects, or damaged
            arrays[name] = held[name]
    if {"filenames", "similarities"} <= arrays.keys():
        yield [(tuple(row), row[2]) for row in arrays["filenames"].tolist()]
    if {"query", "response"} <= arrays.keys():
        answers = arrays["response"].astype(float)
        is_boolean = bool(np.isin(answers, (0, 1)).all())
        yield _answered(arrays["query"], np.where(answers == 0, -1, answers) if is_boolean else answers)
    if {"coords", "data"} <= arrays.keys():
        yield _answered(arrays["coords"].T, arrays["data"].astype(float))


def _ids(row: Sequence[float]) -> tuple[str, ...]:
    return tuple(str(int(image)) for image in row)


def _answered(queries: NDArray[Any], answers: NDArray[np.float64]) -> list[_Row]:
    rows: list[_Row] = []
    for shown, answer in zip(map(_ids, queries.tolist()), answers.tolist(), strict=True):
        if shown[0] not in shown[1:]:  # a query among its references is a catch trial
            rows += [(shown, shown[1] if answer > 0 else shown[2])] * int(min(abs(answer), 10**6))
    return rows


def _structured_arrays(chance: Random, folder: Path) -> Made:
    words, members = _changed(chance.choice((_alignet, _responses, _tensor))(chance), chance)
    made = _archive(folder / "arrays.npz", members, chance)
    made.what = words
    return made


def _valid_arrays(chance: Random, folder: Path) -> Made:
    arrays = chance.choice((_alignet, _responses, _tensor))(chance)
    return _archive(folder / "arrays.npz", {f"{name}.npy": npy(array) for name, array in arrays.items()}, chance)


def _structured_array(chance: Random, folder: Path) -> Made:
    path = folder / "triplets.npy"
    words, members = _changed({"triplets": np.array(_triplets(chance), chance.choice(("i8", "f8", "u4")))}, chance)
    path.write_bytes(members.get("triplets.npy", b""))
    return Made(path, words, _judge(path, _read_arrays), files=(path,))


def _valid_array(chance: Random, folder: Path) -> Made:
    path = folder / "triplets.npy"
    path.write_bytes(npy(np.array(_triplets(chance), chance.choice(("i8", "f8", "u4")))))
    return Made(path, judge=_judge(path, _read_arrays), files=(path,))


def _read_any(made: Made) -> list[_Row]:
    return _rows(import_judgments(made.path).judgments.trials)


# --- JSON lines of Levels


def _trials(chance: Random) -> list[dict[str, Any]]:
    rows = []
    for number, shown in enumerate(_triplets(chance)):
        names = [f"{image}.png" for image in shown]
        row = dict(zip(("image1Path", "image2Path", "image3Path"), names, strict=True))
        kind = chance.choice(("exp_trial", "exp_trial", "catch_trial"))
        odd = chance.choice((*names, "No image selected"))
        rows.append(
            {"subject_id": "p1", "rt": 700, **row, "selected_image": odd, "exp_trial_type": kind, "trial": number}
        )
    return rows


def _read_lines(content: bytes) -> Iterator[Sequence[_Row]]:
    rows = [json.loads(line) for line in content.decode("utf-8-sig", "surrogateescape").split("\n") if line.strip()]
    plain = []
    for row in rows:
        if all(row.get(key) is None for key in ("image1Path", "image2Path", "image3Path", "selected_image")):
            continue
        shown = tuple(str(row[f"image{at}Path"]) for at in (1, 2, 3))
        odd = None if row.get("selected_image") is None else str(row["selected_image"])
        dropped = odd not in shown or row.get("exp_trial_type") in ("catch_trial", "training_trial")
        plain.append((shown, None if dropped else odd))
    yield plain


def _written(path: Path, rows: Any) -> Made:
    lines = rows if isinstance(rows, list) else [rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in lines))
    return Made(path, judge=_judge(path, _read_lines), files=(path,))


def _structured_lines(chance: Random, folder: Path) -> Made:
    words, rows = documents.changed(_trials(chance), chance)
    made = _written(folder / "p1.jsonl", rows)
    made.what = words
    return made


def _valid_lines(chance: Random, folder: Path) -> Made:
    return _written(folder / "p1.jsonl", _trials(chance))


DOORS = (
    Door("things", _read_any, _structured_things, _valid_things, (600, 200)),
    Door("odd-text", _read_odd_last, _structured_text, _valid_text, (600, 200)),
    Door("odd-array", _read_odd_last, _structured_array, _valid_array, (400, 200)),
    Door("odd-arrays", _read_any, _structured_arrays, _valid_arrays, (800, 400)),
    Door("levels", _read_any, _structured_lines, _valid_lines, (600, 200)),
)
