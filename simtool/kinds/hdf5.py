"""Detection of HDF5 files by the names at their root; the only value that is read is the class name of psiz."""

from __future__ import annotations

import io
import mmap
import os
from itertools import islice
from typing import Any, BinaryIO

from simtool.errors import listed
from simtool.kinds.hdf5_guards import has_sound_texts, survives
from simtool.kinds.kind import TRUNCATED, Kind, What

__all__ = ["hdf5_kind", "matlab_kind"]

_MOST = 1000
#: Maximum bytes of numbers that are read as a test.
_WALKED_BYTES = 1 << 26


def hdf5_kind(content: BinaryIO) -> Kind:
    """Return the kind of an HDF5 file."""
    import h5py

    checked = _mapped(content)
    if _stated_size(checked) > content.seek(0, os.SEEK_END):
        return Kind(What.HDF5, f"{TRUNCATED}: it is shorter than its header states")
    if not survives(lambda: _walk(content)):
        return Kind(What.HDF5, "damaged: HDF5 cannot read it without crashing")
    content.seek(0, os.SEEK_END)  # the child process moved the shared file position
    try:
        with h5py.File(content, "r") as file:
            names = tuple(str(name) for name in islice(file, _MOST))
            attributes = tuple(str(name) for name in islice(file.attrs, _MOST))
            datasets = {name: held for name in names if (held := _dataset(file, name)) is not None}
            if broken := [name for name, held in datasets.items() if not has_sound_texts(held, checked)]:
                return Kind(What.HDF5, f"damaged: the texts of {listed(broken)} cannot be found")
            stored = next((_word(file[name]) for name in ("class_name", "trial_type") if name in names), "")
    except Exception:  # damaged files raise many types, and the text of HDF5 can differ from call to call
        return Kind(What.HDF5, "damaged: HDF5 cannot read it")
    what = _what(set(names), set(attributes), stored)
    return Kind(what, detail=f"that holds {listed(names, 6) or 'nothing'}" if what is What.HDF5 else "", keys=names)


def matlab_kind(content: BinaryIO) -> Kind:
    """Return the kind of a MATLAB file of version 7.3: HDF5 behind a user block."""
    if not survives(lambda: _walk(content)):
        return Kind(What.MATLAB_HDF5, "damaged: HDF5 cannot read it without crashing")
    return Kind(What.MATLAB_HDF5)


def _mapped(content: BinaryIO) -> bytes | mmap.mmap:
    """Return the bytes of a file, without reading them."""
    try:
        return mmap.mmap(content.fileno(), 0, access=mmap.ACCESS_READ)
    except io.UnsupportedOperation:
        content.seek(0)
        return content.read()


def _stated_size(content: bytes | mmap.mmap) -> int:
    """Return the size of an HDF5 file by the superblock at its beginning; 0 where none with 8-byte addresses is there.

    Source: HDF5 File Format Specification 3.0, section II.A. A file that ends within its superblock counts as longer.
    """
    if content[:8] != b"\x89HDF\r\n\x1a\n":
        return 0
    if len(content) < 48:
        return len(content) + 1
    width, end = {0: (13, 40), 1: (13, 44)}.get(content[8], (9, 28))
    return int.from_bytes(content[end : end + 8], "little") if content[width] == 8 else 0


def _walk(content: BinaryIO) -> None:
    """Access a file like its readers: list its names, open its datasets, read the small datasets."""
    import h5py

    left = _WALKED_BYTES
    with h5py.File(content, "r") as file:
        list(islice(file.attrs.items(), _MOST))
        for name in islice(file, _MOST):
            held = _dataset(file, name)
            # Heaps of variable-length texts have a separate check, has_sound_texts.
            if held is not None and not held.dtype.hasobject and held.nbytes <= left:
                left -= held.nbytes
                _ = held[()]


def _dataset(file: Any, name: str) -> Any:
    """Return a dataset at the root; None for a group, a soft link and an external link."""
    import h5py

    held = file[name] if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
    return held if isinstance(held, h5py.Dataset) else None


def _word(stored: Any) -> str:
    """Return the value of a dataset of one text; empty for other datasets."""
    if getattr(stored, "shape", None) != () or stored.dtype.kind not in "OS":
        return ""
    value = stored[()]
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _what(names: set[str], attributes: set[str], stored: str) -> What:
    """Return the kind by the names and attributes of the root, and the class name of psiz."""
    weights = names & {"layers", "vars", "_layer_checkpoint_dependencies"}
    rules = {
        What.PSIZ_TRIALS: "trial_components" in names or stored == "TrialDataset",
        What.PSIZ_DOCKET: "Docket" in stored,
        What.PSIZ_RATINGS: "Rate" in stored,
        What.PSIZ_OBSERVATIONS: "stimulus_set" in names,
        What.PSIZ_CATALOG: {"stimulus_id", "stimulus_filepath"} <= names,
        What.KERAS_H5: "model_config" in attributes,
        What.KERAS_WEIGHTS: "layer_names" in attributes or weights,
        What.RSATOOLBOX: "rsatoolbox_version" in attributes or names & {"dissimilarities", "measurements"},
        What.FEATURES_HDF5: names == {"features"},
    }
    return next((what for what, applies in rules.items() if applies), What.HDF5)
