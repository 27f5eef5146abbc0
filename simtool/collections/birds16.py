"""birds-16 (Roads & Mozer 2019): 208 photographs of CUB of 16 species in 4 families, judged by people."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from simtool.archive import open_archive, unpack
from simtool.collections.folder import index_folder
from simtool.errors import SimtoolError, listed
from simtool.pillow import SUFFIXES
from simtool.tables.atomic import atomic_path
from simtool.tables.images import Images, image_paths, read_images
from simtool.tables.provenance import sha256_of
from simtool.text import counted

__all__ = [
    "Birds16Error",
    "altered",
    "are_placed",
    "holds_photographs",
    "index_placed",
    "place_photographs",
    "placed_ids",
    "require_replaceable",
]

#: The photographs that were cropped or saved again, and the SHA-256 of the versions that people saw.
ALTERED: Mapping[str, str] = {
    "Blue_Grosbeak_0002_36648.jpg": "a3c17b4503af29c7f45977183bd665287061615c4d87689ec9c219414c43e03b",
    "Blue_Grosbeak_0024_36680.jpg": "65d5fbe7cfd9f39b1fd4a73662d916227df10c764ccd5502d1a9a6540d78a548",
    "Blue_Grosbeak_0103_36673.jpg": "854693d7355808b79af2f82290a7a8b25f705455d10e82051bff5ff02f824129",
    "Painted_Bunting_0016_15200.jpg": "a8d778337b86ac0ea38873eff6e3dd5d135a6b9e6e859cf2fb06b54bfc781b70",
    "Painted_Bunting_0019_15231.jpg": "2effbe015001cb6519bc2d9e434ad5c81b187dc0884acc90d7e9465a76d34771",
    "Painted_Bunting_0040_16691.jpg": "1bb3fa6d0224e57fcc40fc978bf424220443f98995ec219fbe5673612eb811d6",
    "Painted_Bunting_0061_16930.jpg": "2e38b74ddfed1967bac3166fba3e523454172e3ee1838bee10a1c53225017c37",
}

#: The folder of the photographs; an image id is the path below it.
IMAGES = "images"
_ROOT = "Bird"


class Birds16Error(SimtoolError):
    """A copy of birds-16 is incomplete or holds something else."""


def holds_photographs(path: Path) -> bool:
    """Return whether a folder or an archive holds image files.

    Raises:
        ArchiveError: the path is neither, or the archive is damaged.
    """
    return any(_is_photograph(name) for name in _names(path))


def _names(path: Path) -> list[PurePosixPath]:
    """Return the files of a folder or an archive."""
    with open_archive(path) as members:
        return [PurePosixPath(member.name) for member in members if member.kind != "folder"]


def _is_photograph(name: PurePosixPath) -> bool:
    return name.suffix.lower() in SUFFIXES and not any(part.startswith(("._", "__MACOSX")) for part in name.parts)


def _places(image_id: Sequence[str] | NDArray[np.object_]) -> dict[str, PurePosixPath]:
    """Map each file name to its place below the folder: ``images/Bird/<family>/<species>/<file>``."""
    paths = [PurePosixPath(name) for name in image_id]
    if shallow := [path for path in paths if len(path.parts) < 3]:
        raise Birds16Error(f"the catalog's paths do not end in family/species/file: {listed(shallow)}")
    return {path.name: PurePosixPath(IMAGES, _ROOT, *path.parts[-3:]) for path in paths}


def placed_ids(names: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return the ids of placed photographs: their paths below ``images/``, in the order of the names.

    Raises:
        Birds16Error: a name does not end in family/species/file.
    """
    places = _places(names)
    return np.array([str(places[PurePosixPath(name).name].relative_to(IMAGES)) for name in names], object)


def are_placed(names: NDArray[np.object_], folder: Path) -> bool:
    """Return whether all photographs are where :func:`place_photographs` puts them."""
    return all((folder / place).is_file() for place in _places(names).values())


def place_photographs(source: Path, names: NDArray[np.object_], folder: Path) -> None:
    """Copy the photographs of an archive or a folder to ``folder/images/Bird/<family>/<species>/``.

    The photographs are found by file name, in any folder of ``source``. Their names end in family/species/file.

    Raises:
        Birds16Error: photographs are missing, or a file name occurs twice.
        ArchiveError: the archive is damaged.
        SpaceError: the disk is full.
        OSError: a file cannot be copied.
    """
    places = _places(names)
    found = [name for name in _names(source) if _is_photograph(name) and name.name in places]
    if missing := sorted(set(places) - {name.name for name in found}):
        raise Birds16Error(f"{source}: {len(missing):,} of {len(places):,} photographs are missing: {listed(missing)}")
    if len(found) > len(places):
        raise Birds16Error(f"{source}: {len(found):,} files have the names of {len(places):,} photographs")
    if not source.is_dir():
        unpack(source, folder, keep=lambda path: places.get(path.name) if _is_photograph(path) else None)
        return
    for name in found:
        target = folder / places[name.name]
        if not (target.exists() and target.samefile(source / name)):
            with atomic_path(target) as temporary:
                shutil.copyfile(source / name, temporary)


def index_placed(names: NDArray[np.object_], folder: Path, table: Path) -> Images:
    """Return the rows of the table of images for the photographs placed in a folder.

    Raises:
        FolderError: a file is not an image.
    """
    images = index_folder(folder / IMAGES, table, layout="group/class").images
    return images.take(np.isin(images.image_id, placed_ids(names)))


def require_replaceable(table: Path, names: NDArray[np.object_]) -> None:
    """Refuse to overwrite a table of other images.

    Raises:
        Birds16Error: the table lists other images.
        TableError: the file is no table of images.
    """
    if not table.exists():
        return
    ours = {PurePosixPath(name).name for name in names}
    if others := [name for name in read_images(table).image_id if PurePosixPath(name).name not in ours]:
        raise Birds16Error(
            f"{table} lists {counted(len(others), 'other images')} and would be overwritten: choose another folder, "
            f"or join the judgments to it with --images {table}"
        )


def altered(images: Images, table: Path, mentioned: NDArray[np.object_]) -> list[str]:
    """Return the mentioned images of a table whose files are CUB's originals, although people saw altered ones."""
    rows = images.take(np.isin(images.image_id, mentioned))
    return [
        name
        for name, path in zip(rows.image_id, image_paths(table, rows), strict=True)
        if (seen := ALTERED.get(PurePosixPath(name).name)) and path.is_file() and sha256_of(path) != seen
    ]
