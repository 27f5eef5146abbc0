"""Detection of folders by the names of their files and subfolders."""

from __future__ import annotations

import errno
import json
import os
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePath

from simtool.errors import listed
from simtool.kinds.kind import Kind, What
from simtool.kinds.texts import WHOLE_JSON, text_kind

__all__ = ["folder_kind"]

#: Maximum entries of a folder to inspect, and maximum subfolders.
_ENTRIES = 5000
_BELOW = 50
_MANIFEST_BYTES = 1 << 22
#: The folders of a set of judgments of BAPPS: of choices, and of just noticeable differences.
_BAPPS = (frozenset(("ref", "p0", "p1", "judge")), frozenset(("p0", "p1", "same")))
#: The names of the folders above them.
_ABOVE_BAPPS = frozenset(
    (*("2afc", "jnd", "train", "val"), *("traditional", "cnn", "mix", "superres", "deblur", "color", "frameinterp"))
)
_IMAGES = frozenset(
    (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".heic", ".heif", ".avif", ".jfif")
)


def folder_kind(path: Path) -> Kind:
    """Return the kind of a folder; raise an OSError if it cannot be listed."""
    if not os.access(path, os.R_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    files, folders = _listing(path)
    if not files and not folders:
        return Kind(What.EMPTY_FOLDER)
    if what := _by_names(path, files, folders):
        return Kind(what, keys=tuple(files[:_BELOW]))
    if _holds_parquet(files) or any(_holds_parquet(_listing(path / name)[0]) for name in folders if "=" in name):
        return Kind(What.PARQUET_FOLDER, keys=tuple(files[:_BELOW]))
    below = list(islice(_below(path, folders, 3), _ENTRIES))
    suffixes = Counter(PurePath(name).suffix.lower() for name in (*files, *below))
    if suffixes[".json"] and _holds_sequences(path, files, folders):
        return Kind(What.PSIZ_FOLDER)
    if sum(suffixes[suffix] for suffix in _IMAGES):
        return Kind(What.IMAGE_FOLDER)
    contents = listed((f"{count:,} {suffix or 'without suffix'}" for suffix, count in suffixes.most_common()), 4)
    return Kind(What.FOLDER, detail=f"of {contents}" if contents else "of folders only", keys=tuple(files[:_BELOW]))


def _by_names(path: Path, files: list[str], folders: list[str]) -> What | None:
    """Return the kind by characteristic files; None without such files."""
    held = set(files)

    def has(*endings: str) -> bool:
        return any(name.endswith(endings) for name in held)

    rules = {
        What.MODEL_FOLDER: "model.json" in held and _is_manifest(path / "model.json"),
        What.TRAINING_FOLDER: "checkpoints" in folders
        and any(name.endswith(".npz") for name in _listing(path / "checkpoints")[0]),
        What.SAVED_MODEL: {"saved_model.pb", "saved_model.pbtxt"} & held,
        What.KERAS_FOLDER: {"config.json", "metadata.json", "model.weights.h5"} <= held,
        What.TRANSFORMERS_FOLDER: "config.json" in held and has(".safetensors", ".bin"),
        What.ARROW_FOLDER: "dataset_info.json" in held and has(".arrow"),
        What.TFDS_FOLDER: "features.json" in held
        or ("dataset_info.json" in held and any(".tfrecord" in name for name in held)),
        What.TFDATA_FOLDER: {"snapshot.metadata", "dataset_spec.pb"} <= held,
        What.BAPPS_FOLDER: _holds_bapps(path, folders, depth=3),
        What.CUB_FOLDER: {"images.txt", "classes.txt"} <= held and "images" in folders,
        What.CHECKPOINT_FOLDER: "checkpoint" in held and has(".index"),
        What.FEATURES_FOLDER: "file_names.txt" in held,
    }
    return next((what for what, applies in rules.items() if applies), None)


def _holds_bapps(path: Path, folders: list[str], depth: int) -> bool:
    """Return whether a folder, or a folder below it with a name of BAPPS, has the folders of a set of judgments."""
    if any(names <= set(folders) for names in _BAPPS):
        return True
    below = [path / name for name in folders if name in _ABOVE_BAPPS] if depth else []
    return any(_holds_bapps(folder, _listing(folder)[1], depth - 1) for folder in below)


def _holds_sequences(path: Path, files: list[str], folders: list[str]) -> bool:
    """Return whether the first JSON file of a folder or of its ``*_seqs`` folders is a document of psiz-datasets."""
    filed = [f"{name}/{file}" for name in folders if name.endswith("_seqs") for file in _listing(path / name)[0]]
    first = next((name for name in (*filed, *files) if name.endswith(".json")), None)
    if first is None or not (path / first).is_file():
        return False
    with (path / first).open("rb") as opened:
        content = opened.read(WHOLE_JSON)
    kind = text_kind(content, len(content) < WHOLE_JSON, lambda count: content[:count])
    return kind is not None and kind.what is What.PSIZ_JSON


def _holds_parquet(files: list[str]) -> bool:
    return any(name.endswith(".parquet") for name in files)


def _is_manifest(file: Path) -> bool:
    """Return whether a ``model.json`` is of simtool; TensorFlow.js uses this name too."""
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        content = opened.read(_MANIFEST_BYTES)
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError):
        return True
    return not (isinstance(manifest, dict) and "modelTopology" in manifest)


def _below(path: Path, folders: list[str], depth: int) -> Iterator[str]:
    """Yield the names of the files in the first subfolders."""
    for folder in folders[:_BELOW]:
        files, inner = _listing(path / folder)
        yield from files
        if depth > 1:
            yield from _below(path / folder, inner, depth - 1)


def _listing(path: Path) -> tuple[list[str], list[str]]:
    """Return the sorted names of files and of folders, without hidden names."""
    files: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(path) as entries:
            for entry in islice(entries, _ENTRIES):
                if not entry.name.startswith("."):
                    (folders if entry.is_dir() else files).append(entry.name)
    except PermissionError:
        return [], []
    return sorted(files), sorted(folders)
