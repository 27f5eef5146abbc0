"""Index images: from a folder of images to a table of images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from simtool import console
from simtool.collections.folder import grouped, index_folder
from simtool.errors import listed
from simtool.stages.run import Folder, api, in_memory, stage, table_file
from simtool.tables.images import Images, write_images
from simtool.text import counted, plural

__all__ = ["index_images"]


@api
def index_images(
    folder: str | Path, out: str | Path | None = None, *, skip_bad: bool = False, layout: str = "auto"
) -> Images:
    """List the images of a folder, and of the folders in it.

    Args:
        folder: the folder.
        out: the Parquet file to write; None writes nothing.
        skip_bad: leave out files that cannot be read as images, with a warning, instead of failing.
        layout: the meaning of the folders, an image's own folder last: ``class``, ``group/class``, ``split/class``,
            ``class/other``; ``flat`` for no meaning; ``auto`` finds out.

    Returns:
        The table. Its paths start from the current folder; those in the file, from the folder of ``out``.

    Raises:
        SimtoolError: the folder has no images, a file cannot be read as an image, the layout is unknown, or ``out``
            cannot be written there.

    Example:
        >>> from simtool import stages
        >>> images = stages.index_images("images", "images.parquet", layout="group/class")  # doctest: +SKIP
    """
    folder = Path(folder)
    with stage("index-images", reads=[Folder(folder)], writes=[table_file(out)]) as run:
        index = index_folder(folder, Path(out or "images.parquet"), skip_bad, layout)
        count = counted(len(index.images), "images")
        run.read(folder, f"{count}, {_ignored(index.others)}" if index.others else count, files=())
        console.note(f"layout {folder}: {index.note}" + (" (--layout changes it)" if layout == "auto" else ""))
        if index.foreign:
            console.warn(
                f"ignored images of other formats, or without a suffix ({len(index.foreign):,}): "
                f"{listed(index.foreign)}; save them as JPEG or PNG"
            )
        if index.bad:
            console.warn(f"left out files that cannot be read as images ({len(index.bad):,}): {grouped(index.bad)}")
        if out is not None:
            write_images(Path(out), index.images, run.provenance())
            classes = len({number for number in index.images.class_id.tolist() if number >= 0})
            run.wrote(Path(out), f"{count} of {counted(classes, 'classes', 'class')}" if classes else count)
    return index.images if out is None else in_memory(index.images, Path(out))


def _ignored(others: Mapping[str, int]) -> str:
    """The number of other files, and their kinds."""
    total = sum(others.values())
    kinds = listed(f"{count:,} {suffix or 'without a suffix'}" for suffix, count in sorted(others.items()))
    return f"ignored {total:,} other {plural(total, 'files')} ({kinds})"
