"""Shared behaviour of stages: check paths, note inputs and outputs, measure time, record provenance."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from simtool import console
from simtool.errors import UsageError, clipped, likeliest
from simtool.stages.hashing import of_stage
from simtool.stages.invocation import Terminated, api, command
from simtool.stages.places import Folder, Place, check_images, check_places, table_file
from simtool.tables.provenance import Provenance
from simtool.text import counted

if TYPE_CHECKING:
    from simtool.tables.distances import DistanceTable
    from simtool.tables.embeddings import EmbeddingCollector, EmbeddingInfo, EmbeddingTable, EmbeddingWriter
    from simtool.tables.images import Images

__all__ = [
    "Folder",
    "Place",
    "Run",
    "api",
    "chosen",
    "files_of",
    "in_memory",
    "in_words",
    "path_of",
    "stage",
    "table_file",
]

_T = TypeVar("_T")


def path_of(source: object) -> Path | None:
    """The path of an argument, or of the table that it reads from; None for None and for an object in memory."""
    return Path(source) if isinstance(source, str | Path) else getattr(source, "source", None)


def files_of(source: object, images: Images) -> list[Path]:
    """The image files of a table that was read from ``source``; those of a table in memory, from the current folder."""
    from simtool.tables.images import image_paths

    return image_paths(path_of(source) or Path("images"), images)


def in_memory(images: Images, table: Path) -> Images:
    """A table that was written to ``table``, with paths from the current folder, as for a table in memory."""
    from simtool.tables.files import objects
    from simtool.tables.images import image_paths

    return replace(images, path=objects([path.as_posix() for path in image_paths(table, images)]))


def in_words(images: Images, split: str = "all") -> str:
    """The images of a split of a table: ``208 images``, ``11 images of split test``."""
    return counted(len(images), "images") + ("" if split == "all" else f" of split {split}")


def chosen(names: Iterable[str], option: str, value: str) -> str:
    """The value of an option that takes one of some names; a UsageError lists them."""
    known = list(names)
    if value not in known:
        raise UsageError(f"{option} is one of {', '.join(known)}, not {clipped(value)}{likeliest(value, known)}")
    return value


class Run:
    """One call of a stage.

    Attributes:
        name: of the stage, as on the command line.
        doing: the last step that was finished, for the report of an unexpected error.
        device: that computes a network, for the provenance; None without a network.
    """

    def __init__(self, name: str, writes: Sequence[Place | None] = ()) -> None:
        self.name = name
        self._writes = writes
        self.doing = "before it had read anything"
        self.device: str | None = None
        self._inputs: list[Path] = []
        self._hashing = of_stage()

    def begin(self, *sources: object) -> None:
        """Hash inputs beside the work, from now on, if an output states them; sources in memory have no file."""
        if any(place is not None for place in self._writes):
            for path in filter(None, map(path_of, sources)):
                self._hashing.begin(path)

    def read(self, path: Path, detail: str, files: Iterable[Path] | None = None) -> None:
        """Note an input and its content, for example ``208 images``.

        A ``path`` is a file or a folder of parts. For another folder, ``files`` are recorded in the provenance.
        """
        self._inputs.extend([path] if files is None else files)
        self.doing = f"after it had read {path}"
        console.note(f"read   {path}: {detail}")

    def computes_on(self, device: str) -> None:
        """Note the device that computes a network."""
        self.device = device
        console.note(f"device {device}")

    def load(self, source: str | Path | _T, read: Callable[[Path], _T], describe: Callable[[_T], str]) -> _T:
        """Read an argument that is a path, and note its content; return an object in memory as it is."""
        if not isinstance(source, str | Path):
            return source
        self.begin(source)
        content = read(Path(source))
        self.read(Path(source), describe(content))
        return content

    def read_images(self, source: str | Path | Images, split: str = "all", note: bool = True) -> Images:
        """Read an argument that is a table of images; keep those of a split. No output may be one of its image files.

        ``note`` is False where the caller notes the table, after it has chosen rows.
        """
        from simtool.tables.images import Images, read_images

        images = source if isinstance(source, Images) else read_images(Path(source))
        place = path_of(source)
        check_images(place or Path("the table of images"), files_of(source, images), self._writes)
        images = images.where_split(split)
        if note and place is not None:
            self.read(place, in_words(images, split))
        return images

    def read_embeddings(self, source: str | Path | EmbeddingTable) -> EmbeddingTable:
        """Open an argument that is a table of embeddings, and note it."""
        from simtool.tables.embeddings import EmbeddingTable, open_embeddings

        def detail(table: EmbeddingTable) -> str:
            return f"{counted(len(table), 'vectors')} of {table.info.dimension:,} values ({table.info.name})"

        if isinstance(source, EmbeddingTable):
            self._note_held(source)
        return self.load(source, open_embeddings, detail)

    def read_model(self, source: str | Path | EmbeddingTable | DistanceTable) -> EmbeddingTable | DistanceTable:
        """Open an argument that is a table of embeddings or a table of distances, and note it."""
        from simtool.tables.distances import KIND, DistanceTable, read_distances
        from simtool.tables.files import table_kind

        def detail(table: DistanceTable) -> str:
            pairs = f"{counted(len(table), 'pairs')} of {counted(len(table.image_id), 'images')}"
            return f"distances of {pairs} ({table.info.name})"

        if isinstance(source, DistanceTable):
            self._note_held(source)
            return source
        if isinstance(source, str | Path) and table_kind(Path(source)) == KIND:
            return self.load(source, read_distances, detail)
        return self.read_embeddings(source)

    def _note_held(self, table: EmbeddingTable | DistanceTable) -> None:
        """Note a table in memory that was read from a file."""
        if table.source is not None:
            self.begin(table)
            self._inputs.append(table.source)

    def embeddings(
        self, out: str | Path | None, info: EmbeddingInfo, float16: bool = False
    ) -> EmbeddingWriter | EmbeddingCollector:
        """A writer of a table of embeddings: to a file, or without ``out`` in memory. Its ``table`` is the result."""
        from simtool.tables.embeddings import EmbeddingCollector, EmbeddingWriter

        if out is None:
            return EmbeddingCollector(info, float16)
        return EmbeddingWriter(Path(out), info, self.provenance(), float16)

    def wrote(self, path: Path, detail: str) -> None:
        """Note an output and its content."""
        self.doing = f"after it had written {path}"
        console.note(f"wrote  {path}: {detail}")

    def provenance(self) -> Provenance:
        """The provenance of a file that is written now: the command and the inputs so far, hashed."""
        return Provenance.of(command() or (self.name,), self._inputs, self._hashing.describe, self.device)


@contextmanager
def stage(name: str, *, reads: Iterable[Place | None], writes: Iterable[Place | None]) -> Iterator[Run]:
    """Run the body of a stage, and note at its end how long it took. See :func:`check_places` for inputs and outputs.

    Raises:
        PlaceError: an output is an input or another output, or is no file; raised before anything is read.
    """
    outputs = list(writes)
    check_places(reads, outputs)
    started = time.perf_counter()
    run = Run(name, outputs)
    try:
        yield run
    except (KeyboardInterrupt, Terminated):
        console.note(f"{name} was stopped; no output is half-written: run the same command again")
        raise
    except Exception as failure:
        failure.add_note(f"simtool {name}, {run.doing}")
        raise
    console.note(f"{name} took {time.perf_counter() - started:.1f} s")
