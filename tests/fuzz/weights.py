"""Files of weights: archives of arrays, and the folder of a flow."""

from __future__ import annotations

import json
import zipfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.models.folder import MANIFEST
from simtool.models.registry import load_model
from simtool.tables.provenance import Provenance
from simtool.training.arrays import read_arrays, read_header, write_arrays
from tests.fuzz import documents
from tests.fuzz.case import Door, Judge, Made
from tests.fuzz.models import npy

__all__ = ["DOORS"]

_Arrays = dict[str, NDArray[Any]]
_ORIGIN = Provenance(("simtool", "fuzz"), (), "simtool", "2026-01-01T00:00:00+00:00")


def _plain() -> _Arrays:
    return {
        "weights/0000": np.arange(12, dtype=np.float32).reshape(3, 4),
        "steps": np.array(7),
        "empty": np.zeros((0, 2)),
    }


def _judge(found: tuple[dict[str, Any], _Arrays]) -> str | None:
    """Check that all arrays equal the written arrays. The caller checks that none is missing."""
    header, arrays = found
    if header != {"epoch": 3}:
        return f"the header {header}"
    for name, array in _plain().items():
        if name in arrays and not np.array_equal(arrays[name], array):
            return f"another {name}"
    return None


def _valid(chance: Random, folder: Path) -> Made:
    path = folder / "weights.npz"
    write_arrays(path, {"epoch": 3}, _plain().items())
    return Made(path, judge=_judge, files=(path,))


def _structured(chance: Random, folder: Path) -> Made:
    """An archive in which one member is replaced."""
    members = {f"{name}.npy": npy(array) for name, array in _plain().items()}
    members["header.json"] = b'{"epoch": 3}'
    name = chance.choice(list(members))
    way = chance.choice(("missing", "header", "dtype", "object", "compressed", "twice", "text", "longer"))
    if way == "missing":
        del members[name]
    elif way == "header":
        content = documents.text_of(documents.changed({"epoch": 3, "best": "x"}, chance)[1], chance)
        members["header.json"] = content
    elif way == "dtype":
        members[name] = npy(np.arange(12).astype(chance.choice(("c8", "S2", "U3", "M8[s]", ">f4", "V4"))))
    elif way == "object":
        members[name] = npy(np.array([{}], object))
    elif way in ("text", "longer"):
        members[name] = b"text" if way == "text" else members[name] + b"\0" * 9
    path = folder / "weights.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if way == "compressed" else zipfile.ZIP_STORED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return Made(
        path, f"{name}: {way}", lambda found: None if isinstance(found[0], dict) else "no header", files=(path,)
    )


def _read(made: Made) -> tuple[dict[str, Any], _Arrays]:
    return read_header(made.path), dict(read_arrays(made.path))


@cache
def _flow() -> dict[str, bytes]:
    """The files of a small flow."""
    import tempfile

    from simtool.images.preprocessing import PREPROCESSINGS
    from simtool.models.flows.glow.config import GlowConfig
    from simtool.tensorflow import load_tensorflow

    load_tensorflow()
    from simtool.models.flows.glow.flow import GlowFlow
    from simtool.models.flows.glow.model import Glow

    with tempfile.TemporaryDirectory() as folder:
        config = GlowConfig(size=4, levels=1, steps=1, width=2)
        Glow(PREPROCESSINGS["study"].adjusted(4), GlowFlow(config), []).save(Path(folder), _ORIGIN)
        return {file.name: file.read_bytes() for file in Path(folder).iterdir()}


def _written(path: Path, files: dict[str, bytes]) -> Made:
    path.mkdir()
    for name, content in files.items():
        (path / name).write_bytes(content)
    return Made(path, judge=_finite(), files=tuple(sorted(path.iterdir())))


def _finite() -> Judge:
    return lambda found: None if np.isfinite(found).all() else "latents that are not finite"


def _structured_flow(chance: Random, folder: Path) -> Made:
    files = dict(_flow())
    words, document = documents.changed(json.loads(files[MANIFEST]), chance)
    files[MANIFEST] = documents.text_of(document, chance)
    made = _written(folder / "model", files)
    made.what = words
    return made


def _valid_flow(chance: Random, folder: Path) -> Made:
    return _written(folder / "model", dict(_flow()))


def _latents(made: Made) -> NDArray[np.float32]:
    model = load_model(made.path)
    return model.embed(np.zeros((1, *model.preprocessing.shape), np.float32))


DOORS = (
    Door("arrays", _read, _structured, _valid, (500, 300)),
    Door("flows", _latents, _structured_flow, _valid_flow, (40, 20)),
)
