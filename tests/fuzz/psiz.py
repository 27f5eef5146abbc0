"""The files of psiz: observations and catalogs in HDF5, sequences in JSON, catalogs as text."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np

from simtool.judgments.catalog import Catalog, read_catalog
from simtool.judgments.importing import import_judgments
from tests.fuzz import cells, documents, values
from tests.fuzz.case import Door, Judge, Made
from tests.fuzz.cells import Cells
from tests.fuzz.tables import rows_of_trials
from tests.fuzz.triplets import unlike

__all__ = ["DOORS", "image", "observations", "sequences", "write_catalog", "write_hdf5"]

_Row = Mapping[str, Any]
_Datasets = dict[str, Any]

_STIMULI = 12
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def image(number: int) -> str:
    """The image that a number of a stimulus stands for."""
    return f"family/species_{number % 2}/{number}.jpg"


def write_catalog(path: Path) -> Path:
    """A whole catalog of the stimuli, as text."""
    lines = ["id_1based,filepath", *(f"{number},{image(number)}" for number in range(1, _STIMULI + 1))]
    path.write_text("\n".join(lines) + "\n")
    return path


def _judgment(chance: Random) -> tuple[int, list[int], int]:
    """Stimuli by number from 1 (query, selected references, other references), and the number of selections."""
    n, k = chance.choice(((2, 1), (8, 2)))
    return n, chance.sample(range(1, _STIMULI + 1), n + 1), k


# --- observations in HDF5


def observations(chance: Random, base: int) -> _Datasets:
    """The datasets of a file of observations whose stimuli count from ``base``."""
    rows = [_judgment(chance) for _ in range(chance.choice((1, 3, 6)))]
    stimuli = np.full((len(rows), 9), base - 1, np.int32)
    for at, (n, shown, _) in enumerate(rows):
        stimuli[at, : n + 1] = np.array(shown) - 1 + base
    # With both bases the first stimulus or padding occurs, so that the bases can be distinguished.
    return {
        "stimulus_set": stimuli,
        "n_select": np.array([k for *_, k in rows], np.int32),
        "is_ranked": np.ones(len(rows), bool),
        "agent_id": np.arange(len(rows), dtype=np.int32) % 2,
        "session_id": np.zeros(len(rows), np.int32),
        "weight": np.ones(len(rows)),
        "rt_ms": np.full(len(rows), 300.0),
        **({"mask_zero": np.bool_(True)} if base else {}),
    }


def _plain_observations(datasets: _Datasets, base: int) -> list[_Row]:
    """The judgments of datasets with the usual shapes; none for other shapes."""
    try:
        rows = zip(
            np.asarray(datasets["stimulus_set"]).astype(np.int64).tolist(),
            np.asarray(datasets["n_select"]).tolist(),
            strict=True,
        )
        return [
            {
                "query": image(shown[0] + 1 - base),
                "references": [image(number + 1 - base) for number in shown[1:] if number != base - 1],
                "chosen": [image(number + 1 - base) for number in shown[1 : 1 + int(chosen)]],
                "participant": None,
            }
            for shown, chosen in rows
        ]
    except (KeyError, TypeError, ValueError, IndexError):
        return []


def write_hdf5(path: Path, datasets: _Datasets) -> None:
    """Write datasets: None is a group, a tuple a claimed shape."""
    with h5py.File(path, "w") as file:
        for name, value in datasets.items():
            if value is None:
                file.create_group(name)
            elif isinstance(value, tuple):
                file.create_dataset(name, shape=value, dtype="i4", chunks=tuple(min(side, 64) for side in value))
            else:
                with suppress(TypeError):  # a type that HDF5 does not have
                    file[name] = value


_ODD = (
    None,
    (10**9, 9),
    (2**40,),
    np.float32(math.nan),
    np.zeros((0, 9), np.int32),
    np.zeros(0, np.int32),
    np.array([b"a", b"b"]),
    np.zeros((2, 2, 2), np.int32),
    np.array([1.5, math.nan]),
    b"TrialDataset",
    b"RankDocket",
    b"\xff\xfe",
    np.array([2**63], np.uint64),
    np.array([1 + 2j]),
    np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    h5py.Empty("f4"),
    np.bool_(False),
    np.bool_(True),
    "text",
)


def _change_datasets(datasets: _Datasets, chance: Random) -> str:
    name = chance.choice(list(datasets))
    value = np.asarray(datasets[name])
    match chance.choice(("odd", "drop", "cell", "cell", "cell", "type", "shape", "rename", "extra", "mask")):
        case "odd":
            datasets[name] = chance.choice(_ODD)
        case "drop":
            del datasets[name]
        case "cell" if value.size and value.dtype.kind in "iuf":
            changed = value.copy().reshape(-1)
            with np.errstate(all="ignore"):
                number: int | float = chance.choice((0, -1, -2, 1, 12, 13, 99, 2**31 - 1, -(2**31)))
                number = values.number(chance) if value.dtype.kind == "f" else number
                changed[chance.randrange(value.size)] = np.array(number).astype(value.dtype)
            datasets[name] = changed.reshape(value.shape)
            return f"{name}: a value of {number}"
        case "type" if value.dtype.kind in "iufb":
            datasets[name] = value.astype(chance.choice(("i1", "u1", "i8", "u8", "f4", "f8", "S4", ">i4", "f2")))
        case "shape":
            datasets[name] = chance.choice((value[..., None], value[:0] if value.ndim else value, np.repeat(value, 2)))
        case "rename":
            datasets[f"{name}_"] = datasets.pop(name)
        case "extra":
            datasets[chance.choice(("trial_components", "stimulus_filepath", "class_name", "trial_type"))] = (
                chance.choice(_ODD)
            )
        case _:
            datasets["mask_zero"] = chance.choice(
                (np.bool_(False), np.array([True, False]), None, np.float64(math.nan))
            )
    return f"{name} changed to {datasets.get(name)!r:.50}"


def _observed(path: Path, datasets: _Datasets, base: int, words: str, neutral: bool) -> Made:
    write_hdf5(path, datasets)

    stated = datasets.get("mask_zero")
    first = int(stated) if isinstance(stated, np.bool_) else base

    def judge(found: Sequence[_Row]) -> str | None:
        return unlike([_bare(row) for row in found], _plain_observations(datasets, first), whole=True)

    catalog = write_catalog(path.with_name("catalog.csv"))
    return Made(path, words, judge, neutral, (path,), catalog)


def _bare(row: _Row) -> _Row:
    """A trial without the values that the reference reader does not have."""
    return {**row, "participant": None, "weight": math.nan, "response_ms": math.nan}


def _respelled_observations(chance: Random, folder: Path) -> Made:
    """The same observations in another spelling. Their base is stated or can be inferred."""
    base = chance.choice((0, 1))
    datasets = observations(chance, base)
    datasets["mask_zero"] = np.bool_(base)
    words = []
    for name in ("stimulus_set", "n_select", "agent_id", "session_id"):
        kind = chance.choice(("i1", "i2", "i8", ">i4", "<i8"))
        datasets[name] = datasets[name].astype(kind)
        words.append(f"{name} as {kind}")
    datasets["is_ranked"] = datasets["is_ranked"].astype(chance.choice(("i1", "u1", "?", "i8")))
    for name in chance.sample(["agent_id", "session_id", "weight", "rt_ms"], chance.randrange(5)):
        del datasets[name]
        words.append(f"no {name}")
    if chance.random() < 0.5:
        padding = np.full((len(datasets["stimulus_set"]), chance.randrange(1, 4)), base - 1, np.int8)
        datasets["stimulus_set"] = np.hstack([datasets["stimulus_set"], padding])
        words.append("more padding")
    datasets["notes"] = "text"
    return _observed(folder / "obs.hdf5", datasets, base, "; ".join(words), neutral=True)


def _structured_observations(chance: Random, folder: Path) -> Made:
    if chance.random() < 0.2:
        return _respelled_observations(chance, folder)
    base = chance.choice((0, 1))
    datasets = observations(chance, base)
    if base == 0 and not (datasets["stimulus_set"] == -1).any():
        datasets["stimulus_set"][0, 0] = 0  # what tells the base
        datasets["stimulus_set"][0, 1:] = range(1, 9)
    words = [_change_datasets(datasets, chance) for _ in range(chance.choice((1, 1, 2)))]
    return _observed(folder / "obs.hdf5", datasets, base, "; ".join(words), neutral=False)


def _valid_observations(chance: Random, folder: Path) -> Made:
    made = _observed(folder / "obs.hdf5", observations(chance, 1), 1, "", neutral=False)
    made.judge = _possible
    return made


def _possible(found: Sequence[_Row]) -> str | None:
    """Check only that the images exist: HDF5 does not detect damage to its values."""
    images = {image(number) for number in range(1, _STIMULI + 1)}
    return None if all({row["query"], *row["references"]} <= images for row in found) else "an image out of nowhere"


def _read(made: Made) -> list[dict[str, Any]]:
    return rows_of_trials(import_judgments(made.path, catalog=made.other).judgments.trials)


# --- sequences in JSON


def _stimulus(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return f"PZ001{digits:0>7}"


def sequences(chance: Random, participant: str = "P1") -> dict[str, Any]:
    """A document of sequences."""
    timesteps = []
    for _ in range(chance.choice((1, 2, 4))):
        n, shown, k = _judgment(chance)
        actions = [{"kind": "content:query", "detail": _stimulus(shown[0])}]
        actions += [
            {"kind": f"content:reference_{at}", "detail": _stimulus(number)} for at, number in enumerate(shown[1:])
        ]
        actions += [
            {"kind": f"behavior:rank_{at}", "detail": _stimulus(number)} for at, number in enumerate(shown[1 : k + 1])
        ]
        timesteps.append({"kind": f"rank:{n}rank{k}", "response_time_ms": 900, "interactions": actions})
    data = {"sequence_id": f"S{participant}", "anonymous_id": participant, "grade": 100, "sequence": timesteps}
    return {"version": "1.0", "data": [data]}


def _stimuli_text() -> str:
    lines = [f"{_stimulus(number)[5:]}|{image(number)}" for number in range(1, _STIMULI + 1)]
    return "\n".join(["local_id|filepath", *lines]) + "\n"


def _plain_timesteps(document: Any) -> Iterator[_Row]:
    """All parts of a document that can be read as judgments."""
    if isinstance(document, list):
        for entry in document:
            yield from _plain_timesteps(entry)
    elif isinstance(document, dict):
        if isinstance(actions := document.get("interactions"), list):
            yield from _plain_timestep(actions)
        for entry in document.values():
            yield from _plain_timesteps(entry)


def _plain_timestep(actions: list[Any]) -> Iterator[_Row]:
    details = {
        action["kind"]: action["detail"]
        for action in actions
        if isinstance(action, dict) and isinstance(action.get("kind"), str) and isinstance(action.get("detail"), str)
    }
    try:
        named = {kind: image(int(detail[5:], 36)) for kind, detail in details.items() if len(detail) == 12}
    except ValueError:
        return
    references = [named[f"content:reference_{at}"] for at in range(20) if f"content:reference_{at}" in named]
    chosen = [named[f"behavior:rank_{at}"] for at in range(20) if f"behavior:rank_{at}" in named]
    yield {"query": named.get("content:query"), "references": references, "chosen": chosen, "participant": None}


def _judge_sequences(file: Path) -> Judge:
    def judge(found: Sequence[_Row]) -> str | None:
        plain: list[_Row] = []
        for content in _contents(file):
            plain += _plain_timesteps(json.loads(content))
        return unlike([_bare(row) for row in found], plain, whole=False)

    return judge


def _contents(file: Path) -> Iterator[bytes]:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            yield from (
                archive.read(name)
                for name in sorted(archive.namelist())
                if name.endswith(".json") and "MACOSX" not in name
            )
    else:
        yield file.read_bytes()


def _respelled_sequences(chance: Random, folder: Path) -> Made:
    """The same sequences at another path or in another spelling."""
    documents_of = [sequences(chance, f"P{at}") for at in range(chance.choice((1, 2)))]
    contents = {}
    for at, document in enumerate(documents_of):
        text = json.dumps(document, indent=chance.choice((None, 1)), sort_keys=chance.random() < 0.5)
        contents[f"train_seqs/{at}.json"] = text.encode(chance.choice(("utf-8", "utf-8-sig")))
    contents["stimuli.txt"] = _stimuli_text().encode()
    contents["readme.txt"] = b"Thank you."
    plain = [row for document in documents_of for row in _plain_timesteps(document)]

    def judge(found: Sequence[_Row]) -> str | None:
        return unlike([_bare(row) for row in found], plain, whole=True)

    if chance.random() < 0.5:
        path = folder / "data"
        for name, content in contents.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
        return Made(path, "a folder", judge, neutral=True)
    top = chance.choice(("", "top/", "a/b/"))
    path = folder / "judgments.zip"
    with zipfile.ZipFile(path, "w", chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, content in contents.items():
            archive.writestr(top + name, content)
            if chance.random() < 0.3:
                archive.writestr(f"__MACOSX/{top}._{Path(name).name}", b"\0")
    return Made(path, f"a zip below {top!r}", judge, neutral=True)


def _structured_sequences(chance: Random, folder: Path) -> Made:
    if chance.random() < 0.2:
        return _respelled_sequences(chance, folder)
    words, document = documents.changed(sequences(chance), chance)
    content = documents.text_of(document, chance)
    if chance.random() < 0.6:
        path = folder / "sequences.json"
        path.write_bytes(content)
        (folder / "stimuli.txt").write_text(_stimuli_text())
        return Made(path, words, _judge_sequences(path), files=(path,))
    return _zipped(chance, folder / "judgments.zip", content, words)


def _zipped(chance: Random, path: Path, content: bytes, words: str) -> Made:
    """A zip of sequences, sometimes an unusual one."""
    names = ["train_seqs/1.json", "stimuli.txt"]
    odd = chance.choice(("", "", "name", "method", "encrypted", "empty", "twice", "directory", "macos"))
    if odd == "name":
        names[0] = chance.choice(
            ("../1.json", "/1.json", "train_seqs/\N{GRINNING FACE}.json", "a" * 300 + ".json", ".json")
        )
    method = chance.choice((zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)) if odd == "method" else zipfile.ZIP_DEFLATED
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        archive.writestr(names[0], content)
        archive.writestr(names[1], _stimuli_text())
        if odd == "empty":
            archive.writestr(zipfile.ZipInfo(""), b"")
        if odd == "macos":
            archive.writestr("__MACOSX/train_seqs/._1.json", b"\0\1")
        if odd == "directory":
            archive.writestr("train_seqs/2.json/", b"")
    raw = bytearray(data.getvalue())
    if odd == "encrypted":
        raw[6] |= 1
        raw[raw.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(raw)
    return Made(path, f"{words}; zip: {odd}", _judge_sequences(path), files=(path,))


def _valid_sequences(chance: Random, folder: Path) -> Made:
    content = json.dumps(sequences(chance)).encode()
    if chance.random() < 0.4:
        path = folder / "sequences.json"
        path.write_bytes(content)
        (folder / "stimuli.txt").write_text(_stimuli_text())
        return Made(path, judge=_judge_sequences(path), files=(path,))
    return _zipped(Random(0), folder / "judgments.zip", content, "")


# --- catalogs


def _catalog_cells(chance: Random) -> Cells:
    column = chance.choice(("id_1based", "local_id", "stimulus_id", "id_0based"))
    rows = []
    for number in range(1, _STIMULI + 1):
        spelled = {"local_id": _stimulus(number)[5:], "id_0based": str(number - 1)}.get(column, str(number))
        rows.append((spelled, image(number)))
    return Cells(((column, "filepath"), *rows), delimiter="|" if column == "local_id" else ",")


def _judge_catalog(path: Path) -> Judge:
    """Each pair of number and image is in a row of the file."""

    def judge(found: Catalog) -> str | None:
        pairs = list(zip(found.number.tolist(), found.image_id.tolist(), strict=True))
        for table in cells.readings(path.read_bytes()):
            rows = [{cell.strip().replace("\\", "/") for cell in row} for row in table]
            if all(any(_mentions(row, *pair) for row in rows) for pair in pairs):
                return None
        return f"not in the file: {pairs[0]!r:.200}"

    return judge


def _mentions(row: set[str], number: int, image: str) -> bool:
    numbers = {str(number), str(number - 1)}
    for cell in row:
        try:
            numbers |= {cell} if int(cell, 36) == number or int(cell) in (number, number - 1) else set()
        except ValueError:
            continue
    return bool(numbers & row) and any(_below(cell).endswith(image) for cell in row)


def _below(cell: str) -> str:
    return "/".join(part for part in cell.split("/") if part not in ("", "."))


def _structured_catalog(chance: Random, folder: Path) -> Made:
    if chance.random() < 0.4:
        return _hdf5_catalog(chance, folder / "catalog.hdf5")
    path = folder / "catalog.txt"
    table = _catalog_cells(chance)
    neutral = chance.random() < 0.3
    if neutral:
        words, table = cells.respell(table, chance)
        content = cells.text_of(table)
    else:
        words, content = cells.mutate(table, chance)
    path.write_bytes(content)
    return Made(path, words, _judge_catalog(path), neutral, (path,))


def _hdf5_catalog(chance: Random, path: Path) -> Made:
    names = [image(number) for number in range(1, _STIMULI + 1)]
    datasets: _Datasets = {
        "stimulus_id": np.arange(_STIMULI) + chance.choice((0, 1)),
        "stimulus_filepath": np.array(names, dtype=h5py.string_dtype()),
        "class_id": np.zeros(_STIMULI, np.int32),
    }
    words = _change_datasets(datasets, chance)
    write_hdf5(path, datasets)
    return Made(path, words, _consistent, files=(path,))


def _consistent(found: Catalog) -> str | None:
    if len(set(found.number.tolist())) != len(found.number) or len(set(found.image_id)) != len(found.image_id):
        return "a stimulus twice"
    return None if found.number.min() >= 1 else "a number below 1"


def _valid_catalog(chance: Random, folder: Path) -> Made:
    if chance.random() < 0.5:
        made = _hdf5_catalog(Random(1), folder / "catalog.hdf5")
        names = [image(number) for number in range(1, _STIMULI + 1)]
        write_hdf5(
            made.path,
            {"stimulus_id": np.arange(_STIMULI), "stimulus_filepath": np.array(names, dtype=h5py.string_dtype())},
        )
        return made
    path = folder / "catalog.txt"
    path.write_bytes(cells.text_of(_catalog_cells(chance)))
    return Made(path, judge=_judge_catalog(path), files=(path,))


DOORS = (
    Door("observations", _read, _structured_observations, _valid_observations, (1800, 500)),
    Door("sequences", _read, _structured_sequences, _valid_sequences, (1800, 500)),
    Door("catalog", lambda made: read_catalog(made.path), _structured_catalog, _valid_catalog, (1500, 300)),
)
