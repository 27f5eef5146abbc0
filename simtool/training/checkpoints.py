"""The checkpoints of a training: the two newest, and the best weights that each of them knows of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from simtool import console
from simtool.errors import listed
from simtool.training.arrays import ArraysError, read_arrays, read_header, write_arrays
from simtool.training.errors import TrainingError
from simtool.training.settings import current_names

__all__ = ["Checkpoints", "check_same", "differences"]

T = TypeVar("T")
Arrays = Iterable[tuple[str, NDArray[Any]]]
#: The entry of a configuration that is a digest of the images.
_IMAGES = "table"
#: How many are kept: should the newest be damaged, the one before is at hand.
_KEPT = 2
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")


class Checkpoints:
    """The checkpoints in a folder.

    Args:
        folder: for nothing else; made with the first checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def files(self) -> list[Path]:
        """The checkpoints, the newest first."""
        return sorted(self.folder.glob("step-*.npz"), reverse=True)

    def save(self, step: int, header: Mapping[str, Any], arrays: Arrays, best: str = "") -> None:
        """Write a checkpoint; when it is on disk, remove what no checkpoint needs any more.

        Args:
            step: of the training.
            header: for JSON.
            arrays: name and content of each.
            best: the file of best weights that it needs; empty while there are none.

        Raises:
            OSError: it cannot be written; those before are whole.
        """
        write_arrays(self.folder / f"step-{step:09}.npz", {**header, "best": best}, arrays)
        kept = self.files()[:_KEPT]
        needed = {path.name for path in kept} | {_best_of(path) for path in kept}
        self._remove(path for path in self.folder.glob("*.npz") if path.name not in needed)

    @staticmethod
    def best_name(step: int) -> str:
        """The name of the file of the weights that were the best at a step."""
        return f"best-{step:09}.npz"

    def save_best(self, step: int, arrays: Arrays) -> None:
        """Write the best weights so far; a later checkpoint refers to them by :meth:`best_name`.

        Raises:
            OSError: it cannot be written.
        """
        write_arrays(self.folder / self.best_name(step), {}, arrays)

    def read_best(self, name: str) -> Iterator[tuple[str, NDArray[Any]]]:
        """The arrays of :meth:`save_best`.

        Raises:
            ArraysError: the file is damaged.
            OSError: it cannot be read.
        """
        return read_arrays(self.folder / name)

    def restore(self, use: Callable[[dict[str, Any], Iterator[tuple[str, NDArray[Any]]]], T]) -> T | None:
        """Give the newest checkpoint that is whole to a function.

        Args:
            use: of its header and its arrays; may be called again with an older one, if an array proves damaged.

        Returns:
            what it returns; None where there is no checkpoint.

        Raises:
            ArraysError: all of them are damaged.
            TrainingError: raised by ``use``.
        """
        files = self.files()
        for path, older in zip(files, [*files[1:], None], strict=False):
            try:
                return use(read_header(path), read_arrays(path))
            except ArraysError as failure:
                if older is None:
                    raise
                console.warn(f"{failure}; going on from {older.name}")
        return None

    def clean(self) -> None:
        """Remove what a killed process was writing."""
        self._remove(path for path in self.folder.glob(".*.tmp") if _TEMPORARY.fullmatch(path.name))

    @staticmethod
    def _remove(paths: Iterable[Path]) -> None:
        for path in list(paths):
            path.unlink(missing_ok=True)


def _best_of(path: Path) -> str:
    """The file of best weights that a checkpoint needs; none where it is damaged."""
    try:
        return str(read_header(path).get("best", ""))
    except ArraysError:
        return ""


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """In which entries two configurations differ: ``learning_rate was 0.001, is 0.01``.

    Args:
        then: an object of JSON, nested; it may have names of version 0.1.
        now: another.
    """
    old, new = dict(_leaves(current_names(then))), dict(_leaves(now))
    return [
        _changed(name, old, new)
        for name in sorted(old.keys() | new.keys())
        if name not in old or name not in new or old[name] != new[name]
    ]


def check_same(then: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    """Refuse to go on with a training that began with other values.

    Raises:
        TrainingError: the configurations differ; it says in what.
    """
    if found := differences(then, now):
        raise TrainingError(
            f"{folder}: this training began with other values: {listed(found, 4)}; "
            "give the same values to go on with it, or --restart to begin again"
        )


def _changed(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What is different, in words; the digest of the images would say nothing to a person."""
    if name == _IMAGES and name in old and name in new:
        return "the images are not the same (ids, classes, splits or files)"
    return f"{name} was {_shown(old, name)}, is {_shown(new, name)}"


def _shown(values: Mapping[str, Any], name: str) -> str:
    return str(values[name]) if name in values else "absent"


def _leaves(content: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Name and value of everything in nested objects and lists that is neither."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _leaves(value, f"{name}.{key}" if name else str(key))
    elif isinstance(content, list | tuple):
        for index, value in enumerate(content):
            yield from _leaves(value, f"{name}[{index}]")
    else:
        yield name, content
