"""The checkpoints of a training: the two newest checkpoints, and the best weights to which they refer."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from errno import ENOENT
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from simtool import console
from simtool.errors import listed
from simtool.system.shared import look_again, once_visible
from simtool.training.arrays import Arrays, ArraysError, read_arrays, read_header, write_arrays
from simtool.training.outcome import TrainingError
from simtool.training.settings import current_names

__all__ = ["Checkpoints", "check_same", "differences", "digest_of"]

T = TypeVar("T")
#: Takes the header and the arrays of a checkpoint.
Use = Callable[[dict[str, Any], Iterator[tuple[str, NDArray[Any]]]], T]
#: The entry of a configuration that holds a digest of the images.
_IMAGES = "table"
#: The value of an entry that a configuration lacks, in messages.
_ABSENT = "not set"
#: How many checkpoints are kept: if the newest is damaged, the one before it is used.
_KEPT = 2


class Checkpoints:
    """The checkpoints in a folder.

    Args:
        folder: holds only checkpoints; the first checkpoint creates it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def files(self) -> list[Path]:
        """The checkpoints, newest first."""
        return sorted(self.folder.glob("step-*.npz"), reverse=True)

    def save(self, step: int, header: Mapping[str, Any], arrays: Arrays, best: str = "") -> None:
        """Write a checkpoint. When it is on disk, remove the files that no checkpoint needs any more.

        ``best`` names the file of best weights to which the checkpoint refers; empty if there is none yet.

        Raises:
            OSError: the checkpoint cannot be written; the earlier checkpoints are complete.
        """
        write_arrays(self._at(step), {**header, "best": best}, arrays)
        kept = self.files()[:_KEPT]
        needed = {path.name for path in kept} | {_best_of(path) for path in kept}
        # Checkpoints first, so that at no moment a checkpoint refers to a removed file.
        for path in [*self.folder.glob("step-*.npz"), *self.folder.glob("best-*.npz")]:
            if path.name not in needed:
                path.unlink(missing_ok=True)

    def best(self, step: int) -> Path:
        """The file of the weights that were the best at a step; a later checkpoint refers to it by its name."""
        return self.folder / f"best-{step:09}.npz"

    def restore(self, use: Use[T]) -> T | None:
        """Pass the newest undamaged checkpoint to a function.

        Args:
            use: takes the header and the arrays; is called again with an older checkpoint if an array is damaged.

        Returns:
            the value that ``use`` returns; None if there is no checkpoint.

        Raises:
            ArraysError: all checkpoints are damaged.
            TrainingError: raised by ``use``.
        """
        look_again(self.folder)
        return once_visible(lambda: self._restore_newest(use))

    def restore_same(self, step: int, digest: int, use: Use[T]) -> T:
        """Pass the checkpoint that another worker has restored to a function, as soon as this worker sees it.

        Args:
            step: of that checkpoint.
            digest: of its header, see :func:`digest_of`.
            use: as in :meth:`restore`.

        Raises:
            TrainingError: this worker does not see it, or raised by ``use``.
        """
        path = self._at(step)

        def read() -> T:
            header = read_header(path)
            if digest_of(header) != digest:
                raise FileNotFoundError(ENOENT, "an older file", str(path))
            return use(header, read_arrays(path))

        return self._seen(path, read)

    def read_best(self, name: str) -> Arrays:
        """The best weights, by the name of their file, which another worker may have written.

        Raises:
            ArraysError: the file is damaged.
            TrainingError: this worker does not see the file.
        """
        path = self.folder / name
        self._seen(path, lambda: read_header(path))
        return read_arrays(path)

    def _at(self, step: int) -> Path:
        return self.folder / f"step-{step:09}.npz"

    def _restore_newest(self, use: Use[T]) -> T | None:
        files = self.files()
        for path, older in zip(files, [*files[1:], None], strict=False):
            try:
                return use(read_header(path), read_arrays(path))
            except ArraysError as failure:
                if older is None:
                    raise
                console.warn(f"{failure}; resuming from {older.name}")
        return None

    def _seen(self, path: Path, read: Callable[[], T]) -> T:
        """Read a file of another worker as soon as this worker sees it."""
        try:
            return once_visible(read)
        except FileNotFoundError as failure:
            raise TrainingError(
                f"{path}: the first worker sees this file, another worker does not; "
                "use a folder on a file system that all workers share"
            ) from failure


def digest_of(header: Mapping[str, Any]) -> int:
    """A number below 2^32 that tells the header of a checkpoint from that of another one."""
    return zlib.crc32(json.dumps(header, sort_keys=True).encode())


def _best_of(path: Path) -> str:
    """The file of best weights to which a checkpoint refers; empty if the checkpoint is damaged."""
    try:
        return str(read_header(path).get("best", ""))
    except ArraysError:
        return ""


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The entries in which two configurations differ, for example ``learning_rate was 0.001, is 0.01``.

    ``then`` may have names of version 0.1.
    """
    old, new = dict(_leaves(current_names(then))), dict(_leaves(now))
    pairs = {name: (old.get(name, _ABSENT), new.get(name, _ABSENT)) for name in sorted(old.keys() | new.keys())}
    return [_changed(name, before, after) for name, (before, after) in pairs.items() if before != after]


def check_same(then: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    """Refuse to resume a training with other settings."""
    old, new = (current_names(each.get("model")) for each in (then, now))
    if isinstance(old, Mapping) and isinstance(new, Mapping) and old.keys() - new and new.keys() - old:
        raise TrainingError(f"{folder}: this folder holds another kind of model; name another folder")
    if found := differences(then, now):
        raise TrainingError(
            f"{folder}: cannot resume: settings differ from the checkpoint: {listed(found, 4)}; "
            "use the same settings to resume, or --restart to train from the beginning"
        )


def _changed(name: str, before: Any, after: Any) -> str:
    """One difference in words. A digest of images means nothing to a person, so it is not shown."""
    if name == _IMAGES and _ABSENT not in (before, after):
        return "the images are not the same (ids, classes, splits or files)"
    return f"{name} was {before}, is {after}"


def _leaves(content: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Name and value of every plain value in nested objects and lists."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _leaves(value, f"{name}.{key}" if name else str(key))
    elif isinstance(content, list | tuple):
        for index, value in enumerate(content):
            yield from _leaves(value, f"{name}[{index}]")
    else:
        yield name, content
