"""The model folder: weights, the training log, and ``model.json``, which describes them.

A model folder is not trusted. The weights are arrays without code, and they are read only after their hashes and shapes
have been checked.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simtool import console
from simtool.errors import clipped, listed
from simtool.images.preprocessing import Preprocessing, PreprocessingError
from simtool.kinds import Expected, explain
from simtool.models.errors import ModelError
from simtool.system.lock import NAME as LOCK
from simtool.system.lock import alone_in
from simtool.system.space import SpaceError
from simtool.tables.atomic import atomic_folder, atomic_path, remove_leftovers, temporary_folder
from simtool.tables.description import Description
from simtool.tables.provenance import Provenance, sha256_of
from simtool.training.folder import ASIDE, MANIFEST, TRAINING

__all__ = [
    "MANIFEST",
    "TRANSFORM",
    "Manifest",
    "check_place",
    "check_trained",
    "check_weights",
    "completed_folder",
    "describe_model",
    "digest_of",
    "model_folder",
    "occupied",
    "read_manifest",
    "write_manifest",
]

#: Seconds that a job of a cluster waits for another process that uses its model folder: for example for the same job,
#: before it was requeued.
_PATIENCE = 600.0
#: The name of the folder, within hidden names, that a model is saved to before it is complete.
_UNFINISHED = "model"
#: The version of the layout that this program writes.
VERSION = 1
#: The kind of a folder that holds a transform of vectors, not a model of images.
TRANSFORM = "transform"


@dataclass(frozen=True)
class Manifest:
    """The content of ``model.json``.

    Attributes:
        kind: of model, for example ``pca``.
        name: the label in reports.
        preprocessing: of images, before the model; None for a transform of vectors.
        weights: the SHA-256 of each file of weights.
        layers: the names of layers that can be embedded, the default first.
        settings: that the kind needs to load the model.
        provenance: of the model; None if it is not stated.
    """

    kind: str
    name: str
    preprocessing: Preprocessing | None
    weights: Mapping[str, str]
    layers: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    provenance: Provenance | None = None

    @property
    def digest(self) -> str:
        """One hash of all weights; see :func:`digest_of`."""
        return digest_of(self.weights)

    @property
    def of_images(self) -> Preprocessing:
        """The preprocessing of a model of images.

        Raises:
            ModelError: it is a transform of vectors.
        """
        if self.preprocessing is None:
            raise ModelError("it transforms vectors, not images; simtool transform applies it")
        return self.preprocessing

    def to_json(self) -> dict[str, Any]:
        """As the content of ``model.json``."""
        return {
            "kind": self.kind,
            "version": VERSION,
            "name": self.name,
            "preprocessing": None if self.preprocessing is None else self.preprocessing.to_json(),
            "layers": list(self.layers),
            "settings": dict(self.settings),
            "weights": dict(self.weights),
            "sha256": self.digest,
            **(self.provenance.to_json() if self.provenance else {}),
        }


def digest_of(weights: Mapping[str, str]) -> str:
    """One hash of files by their hashes: of the only file, or of the list that ``sha256sum`` prints, sorted by name."""
    if len(weights) == 1:
        return next(iter(weights.values()))
    listing = "".join(f"{digest}  {name}\n" for name, digest in sorted(weights.items()))
    return hashlib.sha256(listing.encode()).hexdigest()


@contextmanager
def occupied(path: Path, purpose: str) -> Iterator[None]:
    """Lock a model folder against other processes that fit or train a model there, while the body runs.

    Temporary files of killed processes are removed first. A missing folder is made; it is removed again if it is empty
    at the end.

    Raises:
        LockedError: another process uses the folder; a job of a cluster waits for it first.
        OSError: the folder cannot be made or written.
    """
    patience = _PATIENCE if "SLURM_JOB_ID" in os.environ else 0.0
    missing = not path.exists()
    try:
        with alone_in(path, purpose, patience, console.note):
            remove_leftovers(path)
            yield
    finally:
        if missing:
            with suppress(OSError):
                path.rmdir()


def check_place(path: Path) -> None:
    """Refuse a folder that no model may replace.

    Raises:
        ModelError: the path is a folder that holds other files.
    """
    if path.is_dir() and not (path / MANIFEST).is_file() and any(one.name != LOCK for one in path.iterdir()):
        raise ModelError(f"{path}: this folder holds other files; name a folder for the model alone")


@contextmanager
def model_folder(path: Path, purpose: str) -> Iterator[Path]:
    """Write a model folder that appears complete or not at all; it replaces an older model of that path.

    Yields:
        The temporary folder to fill.

    Raises:
        ModelError: the path is a folder that holds other files.
        LockedError: another process uses the folder.
        OSError: the folder cannot be written.
    """
    check_place(path)
    with occupied(path, purpose), atomic_folder(path) as temporary:
        yield temporary


@contextmanager
def completed_folder(path: Path) -> Iterator[Path]:
    """Add a model to the folder of its training; ``model.json`` appears last. An older model in it is replaced.

    Yields:
        A temporary folder in it, to save the model to.
    """
    with temporary_folder(path / _UNFINISHED) as filled:
        try:
            yield filled
        except SpaceError as failure:
            raise SpaceError(str(failure).replace(str(filled), str(path))) from failure
        (path / MANIFEST).unlink(missing_ok=True)
        for file in sorted(filled.iterdir(), key=lambda file: file.name == MANIFEST):
            with file.open("rb") as written:
                os.fsync(written.fileno())
            if file.name == MANIFEST:
                (path / ASIDE).unlink(missing_ok=True)
            file.replace(path / file.name)


def check_trained(path: Path) -> None:
    """Refuse a folder whose training is not complete.

    Raises:
        ModelError: says how to resume the training.
    """
    aside = (path / ASIDE).exists()
    if (path / MANIFEST).exists() or not (aside or (path / TRAINING).is_dir()):
        return
    before = f"; {ASIDE} in it describes the previous model" if aside else ""
    raise ModelError(
        f"{path}: its training is not complete; run the same training again, without --restart, to resume it{before}"
    )


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``model.json`` into a folder."""
    with atomic_path(folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps(manifest.to_json(), indent=2, ensure_ascii=False) + "\n", "utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Read ``model.json``.

    Raises:
        ModelError: the folder does not exist, its training is not complete, or its ``model.json`` is missing, damaged
            or of a newer version.
    """
    check_trained(folder)
    path = folder / MANIFEST
    if not folder.is_dir():
        raise ModelError(explain(folder, Expected.MODEL_FOLDER))
    if path.exists() and not path.is_file():
        raise ModelError(f"{path}: not a file; copy the model folder again")
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as failure:
        raise ModelError(explain(folder, Expected.MODEL_FOLDER)) from failure
    except (ValueError, RecursionError) as failure:
        raise ModelError(f"{path}: damaged: {failure}") from failure
    if not isinstance(content, dict) or not isinstance(content.get("kind"), str):
        raise ModelError(f"{path}: it does not state the kind of the model")
    version = content.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise ModelError(f"{path}: version {version} of the model folder; this program reads up to {VERSION}")
    return _manifest_of(path, content)


def _manifest_of(path: Path, content: dict[str, Any]) -> Manifest:
    weights, layers, settings = content.get("weights"), content.get("layers", []), content.get("settings", {})
    if not isinstance(weights, dict) or not all(isinstance(digest, str) for digest in weights.values()):
        raise ModelError(f"{path}: weights should be an object of file names and their SHA-256")
    if outside := [name for name in weights if Path(name).name != name or name in ("", "..")]:
        raise ModelError(f"{path}: weights must be in the model folder itself, not at {listed(outside)}")
    if not isinstance(layers, list) or not isinstance(settings, dict):
        raise ModelError(f"{path}: layers should be a list, settings an object")
    stated, is_transform = content.get("preprocessing"), content["kind"] == TRANSFORM
    try:
        preprocessing = None if is_transform and stated is None else Preprocessing.from_json(stated)
    except PreprocessingError as failure:
        raise ModelError(f"{path}: {failure}") from failure
    return Manifest(
        kind=content["kind"],
        name=str(content.get("name") or content["kind"]),
        preprocessing=preprocessing,
        weights=weights,
        layers=tuple(str(layer) for layer in layers),
        settings=settings,
        provenance=Provenance.from_json(content),
    )


def check_weights(folder: Path, manifest: Manifest) -> None:
    """Refuse weights that differ from those of the manifest.

    Raises:
        ModelError: a file is missing or has another hash.
    """
    for name, expected in manifest.weights.items():
        file = folder / name
        if not file.is_file():
            raise ModelError(f"{file}: missing; copy the whole model folder")
        if (found := sha256_of(file)) != expected:
            raise ModelError(
                f"{file}: SHA-256 {found[:12]}… is not the {expected[:12]}… of {MANIFEST}; copy the model folder again"
            )


def describe_model(folder: Path) -> Description:
    """Check a model folder, and summarise its content.

    Raises:
        ModelError: it is not a model folder, or its weights differ from those of its manifest.
    """
    manifest = read_manifest(folder)
    check_weights(folder, manifest)
    facts = (
        ("name", manifest.name),
        ("layers", listed(manifest.layers, 99) or "none"),
        *_stated(manifest.settings),
        *(() if manifest.preprocessing is None else (("preprocessing", manifest.preprocessing.to_text()),)),
        ("weights", f"{listed(manifest.weights, 9)}, SHA-256 {manifest.digest}"),
    )
    return Description(manifest.kind, facts, manifest.provenance)


def _stated(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Label and text of each setting; the settings of a group have a line each."""
    for name, value in settings.items():
        for label, one in value.items() if isinstance(value, Mapping) else [(name, value)]:
            yield clipped(label.replace("_", " ")), _in_words(one)


def _in_words(value: object) -> str:
    """A value of JSON in words: ``yes``, ``1,000``, ``200: robin, wren, tern and 197 more``."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case list():
            return f"{len(value):,}: {listed(map(_in_words, value))}" if value else "none"
        case _:
            return clipped(value)
