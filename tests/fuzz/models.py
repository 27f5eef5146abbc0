"""Models: folders with a manifest and arrays, preprocessing, and archives of Keras."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import logging
import struct
import zipfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import SimtoolError
from simtool.images.preprocessing import PREPROCESSINGS, Preprocessing
from simtool.models.folder import MANIFEST, describe_model
from simtool.models.registry import load_model
from tests.fuzz import documents
from tests.fuzz.case import Door, Judge, Made

__all__ = ["DOORS", "npy", "pca_folder"]

_COMPONENTS, _SIDE = 3, 2
_DIMENSION = _SIDE * _SIDE * 3


def _arrays() -> dict[str, NDArray[Any]]:
    components = np.eye(_COMPONENTS, _DIMENSION, dtype=np.float32)
    return {"components.npy": components, "mean.npy": np.full(_DIMENSION, 0.25), "variance.npy": np.arange(3.0, 0, -1)}


def npy(array: NDArray[Any]) -> bytes:
    """An array as NumPy writes it."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _manifest(files: dict[str, bytes]) -> dict[str, Any]:
    return {
        "kind": "pca",
        "version": 1,
        "name": "PCA 3",
        "preprocessing": PREPROCESSINGS["study"].adjusted(_SIDE).to_json(),
        "layers": [],
        "settings": {"components": _COMPONENTS},
        "weights": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        "sha256": "0" * 64,
        "created_by": "simtool",
        "created_at": "2026",
        "command": ["fit-pca"],
        "inputs": [],
    }


def _write(folder: Path, files: dict[str, bytes], manifest: bytes) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / MANIFEST).write_bytes(manifest)
    return folder


def pca_folder(path: Path) -> Path:
    """A whole model folder of a PCA."""
    files = {name: npy(array) for name, array in _arrays().items()}
    return _write(path, files, json.dumps(_manifest(files)).encode())


def _change_array(files: dict[str, bytes], chance: Random) -> str:
    """Change the header of an array, its values or its length."""
    name = chance.choice(list(files))
    content = files[name]
    length = struct.unpack("<H", content[8:10])[0]
    header = content[10 : 10 + length].decode("latin-1")
    way = chance.choice(
        ("header", "header", "key", "value", "shorter", "longer", "dtype", "version", "order", "length")
    )
    array = _arrays()[name].copy()
    if way == "header":
        fields = ast.literal_eval(header)
        fields[chance.choice(sorted(fields))] = chance.choice(
            (
                (2**62, 9),
                (-1, 3),
                (),
                "x",
                None,
                True,
                "<f4",
                "|O",
                "<f9",
                (3,),
                ("3",),
                (2**80,),
                [("a", "<f4")],
                1.5,
                "é",
            )
        )
        files[name] = _with_header(content, repr(fields), length)
    elif way == "key":
        files[name] = _with_header(
            content, chance.choice(("{}", "[", "{'descr': 1}", header + ",", "(" * 900, "1+" * 400)), length
        )
    elif way == "value":
        array.reshape(-1)[chance.randrange(array.size)] = chance.choice((np.nan, np.inf, -np.inf, 1e30))
        files[name] = npy(array)
    elif way == "shorter":
        files[name] = content[: -chance.randrange(1, 20)]
    elif way == "longer":
        files[name] = content + b"\0" * chance.choice((1, 4, 400))
    elif way == "dtype":
        with np.errstate(all="ignore"):
            files[name] = npy(array.astype(chance.choice(("f2", "f4", "f8", ">f4", "i4", "c8", "S4", "U2"))))
    elif way == "version":
        files[name] = content[:6] + bytes((chance.choice((0, 2, 3, 9)), 0)) + content[8:]
    elif way == "order":
        files[name] = npy(np.asfortranarray(array) if array.ndim > 1 else array[::-1])
    else:
        files[name] = content[:8] + struct.pack("<H", chance.choice((0, 1, length - 1, 60_000))) + content[10:]
    return f"{name}: {way}"


def _with_header(content: bytes, header: str, length: int) -> bytes:
    written = header.encode("latin-1", "replace").ljust(length - 1) + b"\n"
    return content[:8] + struct.pack("<H", len(written)) + written + content[10 + length :]


def _structured(chance: Random, folder: Path) -> Made:
    files = {name: npy(array) for name, array in _arrays().items()}
    if chance.random() < 0.5:
        words = _change_array(files, chance)
        manifest = json.dumps(_manifest(files)).encode()  # with the hashes of what was changed
    else:
        words, document = documents.changed(_manifest(files), chance)
        manifest = documents.text_of(document, chance)
        words = f"{MANIFEST}: {words}"
    if chance.random() < 0.05:
        del files[chance.choice(list(files))]
        words += "; a file is missing"
    path = _write(folder / "model", files, manifest)
    return Made(path, words, _judge(path), files=(path / MANIFEST,))


def _judge(folder: Path) -> Judge:
    """The loaded values equal the files, are finite, and the model projects images."""

    def judge(found: Any) -> str | None:
        components, mean, projected = found
        stored = np.load(folder / "components.npy")
        if not np.array_equal(components, stored[: len(components)]) or not np.array_equal(
            mean, np.load(folder / "mean.npy")
        ):
            return "other components than in the file"
        if not np.isfinite(projected).all():
            return "projections that are not finite"
        return None

    return judge


def _load(made: Made) -> Any:
    model: Any = load_model(made.path)
    side = model.preprocessing.shape
    if model.kind != "pca" or np.prod(side) > 1 << 20:
        raise SimtoolError(f"{made.path}: too large for a test")
    return model.components, model._mean, model.embed(np.zeros((2, *side), np.float32))


def _valid(chance: Random, folder: Path) -> Made:
    path = pca_folder(folder / "model")
    return Made(path, judge=_judge(path), files=tuple(sorted(path.iterdir())))


def _describe(made: Made) -> Any:
    return describe_model(made.path)


def _structured_description(chance: Random, folder: Path) -> Made:
    made = _structured(chance, folder)
    made.judge = lambda found: "no facts" if not found.facts else None
    return made


# --- preprocessing


def _recipe(chance: Random, folder: Path) -> Made:
    words, document = documents.changed(PREPROCESSINGS[chance.choice(sorted(PREPROCESSINGS))].to_json(), chance)
    path = folder / "recipe"
    return Made(path, words, _judge_recipe, other=document)


def _judge_recipe(found: Preprocessing) -> str | None:
    return (
        None
        if Preprocessing.from_json(json.loads(found.to_text())) == found
        else "not the same when written and read again"
    )


def _read_recipe(made: Made) -> Preprocessing:
    try:
        return Preprocessing.from_json(made.other)
    except SimtoolError as failure:  # the reader of a preprocessing does not know the file; its callers name it
        raise SimtoolError(f"{made.path}: {failure}") from failure


# --- archives of Keras


@cache
def _keras_file() -> bytes:
    import tempfile

    import keras

    inputs = keras.Input((8, 8, 3))
    hidden = keras.layers.Conv2D(2, 3, name="conv")(inputs)
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(hidden)
    network = keras.Model(inputs, keras.layers.Dense(3, "softmax", name="predictions")(pooled))
    with tempfile.TemporaryDirectory() as folder:
        network.save(Path(folder) / "model.keras")
        return (Path(folder) / "model.keras").read_bytes()


def _structured_keras(chance: Random, folder: Path) -> Made:
    with zipfile.ZipFile(io.BytesIO(_keras_file())) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = chance.choice(("config.json", "config.json", "config.json", "metadata.json", "model.weights.h5"))
    if name.endswith(".json"):
        words, document = documents.changed(json.loads(members[name]), chance)
        members[name] = documents.text_of(document, chance)
    else:
        words = "weights"
        members[name] = chance.choice((b"", members[name][:-200], members[name][::-1]))
    if chance.random() < 0.1:
        del members[name]
        words = "missing"
    path = folder / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return Made(path, f"{name}: {words}", _judge_keras)


def _judge_keras(found: Any) -> str | None:
    return None if found.ndim == 2 and found.dtype == np.float32 else f"{found.dtype} of shape {found.shape}"


def _load_keras(made: Made) -> Any:
    from simtool.models.classifier.keras_file import load_keras_file

    # TensorFlow warns of many graphs in one process.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    model = load_keras_file(made.path, PREPROCESSINGS["bytes"], 8)
    return model.embed(np.zeros((1, 8, 8, 3), np.float32))


def _valid_keras(chance: Random, folder: Path) -> Made:
    path = folder / "model.keras"
    path.write_bytes(_keras_file())
    return Made(path, judge=_judge_keras, files=(path,))


DOORS = (
    Door("models", _load, _structured, _valid, (900, 300)),
    Door("manifests", _describe, _structured_description, None, (600, 0)),
    Door("recipes", _read_recipe, _recipe, None, (1000, 0)),
    Door("keras", _load_keras, _structured_keras, _valid_keras, (40, 20)),
)
