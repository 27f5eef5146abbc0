"""Folders of features that thingsvision writes: ``file_names.txt`` and features, perhaps in a folder for each module.

Source: thingsvision 2.7.3, ``utils/storing/helpers.py`` and ``core/extraction/base.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from simtool.errors import listed
from simtool.vectors.vectors import Block, Vectors, VectorsError

__all__ = ["FILE_NAMES", "open_folder"]

#: The file that lists the images.
FILE_NAMES = "file_names.txt"
#: Features in one file, and features of a step, which ends with the number behind the hyphen. The numbers before it
#: are wrong in all modules but the first.
_WHOLE = re.compile(r"features\.(npy|hdf5|mat|txt)")
_STEP = re.compile(r"features.*?(\d+)\.npy")
_PICKLED = re.compile(r"features.*\.pt")

Opener = Callable[[Path], Vectors]


@dataclass(frozen=True)
class _Features:
    """The files of features of a folder.

    Attributes:
        whole: features of all images; thingsvision writes one format at a time.
        steps: features of consecutive images, in order.
        pickled: features that only PyTorch reads.
    """

    folder: Path
    whole: tuple[Path, ...]
    steps: tuple[Path, ...]
    pickled: tuple[Path, ...]

    @classmethod
    def of(cls, folder: Path) -> _Features:
        files = sorted(path for path in folder.iterdir() if path.is_file())
        steps = {path: int(match[1]) for path in files if (match := _STEP.fullmatch(path.name))}
        return cls(
            folder,
            tuple(path for path in files if _WHOLE.fullmatch(path.name)),
            tuple(sorted(steps, key=lambda path: steps[path])),
            tuple(path for path in files if _PICKLED.fullmatch(path.name)),
        )

    def __bool__(self) -> bool:
        return bool(self.whole or self.steps or self.pickled)

    def opened(self, open_file: Opener) -> Vectors:
        """Open the only file, or join the steps.

        Raises:
            VectorsError: there are several files, or pickles only.
        """
        if len(self.whole) > 1 or (self.whole and self.steps):
            held = listed((path.name for path in (*self.whole, *self.steps)), 9)
            raise VectorsError(f"{self.folder}: it holds several files: {held}; give one of them with --ids")
        if self.whole:
            return open_file(self.whole[0])
        if not self.steps:
            raise VectorsError(
                f"{self.pickled[0]}: this is a PyTorch file, which simtool does not load, because it can run code; "
                'save the features with file_format="npy", or with numpy.save("features.npy", features.numpy())'
            )
        return _joined(self.folder, [open_file(path) for path in self.steps])


def open_folder(folder: Path, module: str | None, open_file: Opener) -> Vectors:
    """Open the features of a folder.

    Args:
        folder: the folder that holds ``file_names.txt``.
        module: the module whose features to read; None for the only one.
        open_file: opens one file.

    Raises:
        VectorsError: the folder holds no features, pickles only, or several modules and none is asked for.
    """
    direct = _Features.of(folder)
    below = {
        path.relative_to(folder).as_posix(): _Features.of(path) for path in sorted(folder.rglob("*")) if path.is_dir()
    }
    modules = {name: features for name, features in below.items() if features}
    if module is not None and module not in modules:
        raise VectorsError(f"{folder}: no module is called {module}; it holds {listed(modules, 12) or 'no modules'}")
    if module is not None:
        return modules[module].opened(open_file)
    found = [*([direct] if direct else []), *modules.values()]
    if not found:
        raise VectorsError(
            f"{folder}: it holds no features; thingsvision writes none with file_format txt if they have more than "
            "2 axes: choose npy"
        )
    if len(found) > 1:
        raise VectorsError(f"{folder}: it holds several modules: {listed(modules, 12)}; choose one with --module")
    return found[0].opened(open_file)


def _joined(folder: Path, parts: Sequence[Vectors]) -> Vectors:
    """The vectors of consecutive files.

    Raises:
        VectorsError: their shapes differ.
    """
    if other := [part for part in parts if part.shape != parts[0].shape]:
        first, second = parts[0], other[0]
        raise VectorsError(
            f"{folder}: {first.path.name} has vectors of {first.shape}, {second.path.name} of {second.shape}"
        )

    def blocks() -> Iterator[Block]:
        for part in parts:
            yield from part.blocks()

    files = tuple(file for part in parts for file in part.files)
    return Vectors(folder, sum(part.rows for part in parts), parts[0].shape, blocks, files)
