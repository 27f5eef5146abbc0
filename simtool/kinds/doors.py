"""What a command asks for, and the line that explains why a file of another kind will not do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from pathlib import Path

from simtool.kinds.kind import Kind, KindError, What
from simtool.kinds.sniffing import kind_of

__all__ = ["Door", "advice", "explain", "wrong_table"]

#: Kinds that damage does not hide, so that what to do with them is the same.
_TOLD_WHEN_DAMAGED = frozenset((What.IMAGE, What.FOREIGN_IMAGE, What.PICKLE, What.NPY))
_TABLES = frozenset((What.PARQUET, What.PARQUET_FOLDER))


class Door(Enum):
    """What a command can ask for: in words, and the kinds that can be it."""

    TABLE = ("a table (Parquet)", _TABLES)
    EMBEDDINGS = ("a table of embeddings (Parquet)", _TABLES)
    TRIALS = ("a table of trials (Parquet)", _TABLES)
    OUTCOMES = ("a table of outcomes (Parquet)", _TABLES)
    IMAGES = ("a table of images (Parquet)", _TABLES)
    #: The table of formats (simtool.judgments.formats) lists the kinds of judgments.
    JUDGMENTS = ("judgments that simtool import-trials reads", frozenset[What]())
    CATALOG = ("a catalog of stimuli", frozenset((What.CSV, What.NUMBERS, What.TEXT, What.PSIZ_CATALOG, What.HDF5)))
    ARCHIVE = ("a tar or zip archive", frozenset((What.TAR, What.TAR_GZ, What.ZIP, What.PSIZ_ZIP)))
    MODEL = ("a model that simtool can embed with", frozenset((What.MODEL_FOLDER, What.KERAS)))
    MODEL_FOLDER = ("a model folder of simtool", frozenset((What.MODEL_FOLDER,)))
    PHOTOS = ("a folder of images", frozenset((What.IMAGE_FOLDER, What.CUB_FOLDER)))
    IMAGE = ("an image that simtool reads", frozenset((What.IMAGE,)))

    @classmethod
    def of(cls, table: str) -> Door:
        """The door of a table, by its kind in the contract: ``images``, ``trials``."""
        return cls[table.upper()]

    @property
    def words(self) -> str:
        """What is asked for."""
        return self.value[0]

    @property
    def takes(self) -> frozenset[What]:
        """The kinds that can be it."""
        return self.value[1]


_HEADER = "query,reference_1,...,reference_N,selected_1,...,selected_K"
_AS_TABLE = "as a Parquet file with the columns image_id and embedding (docs/tables.md shows how)"
_VECTORS = f"if it holds vectors, write them {_AS_TABLE}"
_AS_CSV = f"if it holds judgments, write them as a CSV with the header {_HEADER} for simtool import-trials"
_NETWORK = (
    "embed the images with it, and write the vectors as a Parquet file of image_id and embedding (docs/tables.md)"
)

#: What to do with a kind, whatever was asked for.
_ALWAYS: Mapping[What, str] = {
    What.LFS_POINTER: "git lfs pull fetches the file itself",
    What.ANNEX_POINTER: "git annex get fetches the file itself",
    What.HTML: "it was saved in the place of the file: download the file itself",
    What.XML: "servers answer so where they refuse a file: look into it, and get the file itself",
    What.EMPTY: "write it or get it again",
    What.ZEROS: "a copy or a download did not finish: get it again",
    What.PACKED: "unpack it first",
}

#: Which command takes a kind.
_USES: Mapping[What, str] = {
    What.PARQUET: "simtool show says which table it is",
    What.PARQUET_FOLDER: "simtool show says which table it is",
    What.ARROW: "write it as Parquet (pyarrow.parquet.write_table)",
    What.ARROW_FOLDER: "write it as Parquet (Dataset.to_parquet)",
    What.NPY: f"{_VECTORS}",
    What.NPZ: f"{_VECTORS}",
    What.FEATURES_HDF5: f"write them {_AS_TABLE}",
    What.RSATOOLBOX: f"{_VECTORS}",
    What.MATLAB: f"{_VECTORS}",
    What.HDF5: f"{_VECTORS}",
    What.PICKLE: "simtool runs no pickles: write what it holds as CSV or Parquet",
    What.R_DATA: "write what it holds as CSV or Parquet",
    What.SQLITE: "write what it holds as CSV or Parquet",
    What.CSV: "simtool import-trials takes it if it holds judgments",
    What.NUMBERS: _AS_CSV,
    What.PSIZ_DOCKET: "import the observations that people made of it",
    What.PSIZ_RATINGS: "simtool reads choices among references, not ratings",
    What.JSON: _AS_CSV,
    What.JSON_LINES: _AS_CSV,
    What.PSIZ_JSON: "simtool import-trials takes it",
    What.PSIZ_FOLDER: "simtool import-trials takes it",
    What.PSIZ_ZIP: "simtool import-trials takes it",
    What.PSIZ_OBSERVATIONS: "simtool import-trials takes it, with --catalog",
    What.PSIZ_CATALOG: "simtool import-trials takes it as --catalog",
    What.PSIZ_TRIALS: _AS_CSV,
    What.TFDS_FOLDER: _AS_CSV,
    What.XLSX: "save the sheet as CSV UTF-8",
    What.XLS: "save the sheet as CSV UTF-8",
    What.OFFICE: "save the sheet as CSV UTF-8",
    What.ZIP: "unpack it, and name the file or folder within",
    What.TAR: "unpack it, and name the file or folder within",
    What.TAR_GZ: "unpack it, and name the file or folder within",
    What.GZIP: "unpack it with gunzip",
    What.FOREIGN_IMAGE: "save it as JPEG or PNG",
    What.IMAGE: "simtool index-images takes the folder that it is in",
    What.IMAGE_FOLDER: "simtool index-images takes it, and makes a table of images",
    What.CUB_FOLDER: "simtool fetch-cub --archive takes it, and makes a table of images",
    What.MODEL_FOLDER: "simtool embed takes it as --model",
    What.TRAINING_FOLDER: "run its training to the end; the same command continues it",
    What.KERAS: "simtool embed takes it as --model, with a --recipe",
    What.KERAS_H5: 'load it in Keras, then save("model.keras"); simtool embed takes that with a --recipe',
    What.KERAS_WEIGHTS: 'make the model in Keras, load_weights, then save("model.keras"); simtool embed takes that',
    What.KERAS_FOLDER: "zip its files into one .keras file; simtool embed takes that",
    What.SAVED_MODEL: f'save the model from Keras with save("model.keras"), or {_NETWORK}',
    What.TORCH: _NETWORK,
    What.ONNX: _NETWORK,
    What.TFLITE: _NETWORK,
    What.SAFETENSORS: _NETWORK,
    What.TRANSFORMERS_FOLDER: _NETWORK,
    What.CHECKPOINT_FOLDER: 'make the model in Keras, load the checkpoint, then save("model.keras")',
}

#: Which command takes a table of simtool.
_TABLE_USES: Mapping[str, str] = {
    "images": "simtool embed, fit-pca and the trainings take it, and simtool score as --images",
    "embeddings": "simtool score and compress take it",
    "trials": "simtool score takes it as --trials",
    "outcomes": "simtool report takes it",
}

_IMPORT = "simtool import-trials makes a table of trials from it"
_SHEET = "save the sheet as CSV UTF-8; simtool import-trials makes a table of trials from that"
_INDEX = "simtool index-images makes a table of images from it"

#: Tables in text, which may be judgments or vectors, and are never images, outcomes or models.
_CELLS = frozenset((What.CSV, What.NUMBERS, What.TEXT, What.JSON, What.JSON_LINES, What.XLSX, What.XLS, What.OFFICE))

#: What to do with a kind where something in particular was asked for.
_AT: Mapping[Door, Mapping[What, str]] = {
    Door.TRIALS: {
        What.CSV: _IMPORT,
        What.PSIZ_JSON: _IMPORT,
        What.PSIZ_FOLDER: _IMPORT,
        What.PSIZ_ZIP: _IMPORT,
        What.PSIZ_OBSERVATIONS: f"{_IMPORT}, with --catalog",
        What.XLSX: _SHEET,
        What.XLS: _SHEET,
        What.OFFICE: _SHEET,
    },
    Door.EMBEDDINGS: {
        What.CSV: _VECTORS,
        What.NUMBERS: _VECTORS,
        What.TEXT: _VECTORS,
        What.XLSX: _VECTORS,
        What.XLS: _VECTORS,
        What.OFFICE: _VECTORS,
        What.JSON: _VECTORS,
        What.JSON_LINES: _VECTORS,
        What.MODEL_FOLDER: "simtool embed makes a table of embeddings with it (--model)",
        What.KERAS: "simtool embed makes a table of embeddings with it (--model, and a --recipe)",
        What.IMAGE_FOLDER: "simtool index-images makes a table of images from it, and simtool embed embeds that",
    },
    Door.IMAGES: {
        What.IMAGE_FOLDER: _INDEX,
        What.FOLDER: "simtool index-images makes a table of images from a folder of images",
        What.FOREIGN_IMAGE: "save it as JPEG or PNG",
        What.IMAGE: "simtool index-images makes a table of images from the folder that it is in",
    },
    Door.JUDGMENTS: {
        What.PARQUET: "if it is a table of trials, it needs no import: simtool score takes it as --trials",
        What.PARQUET_FOLDER: "if it is a table of trials, it needs no import: simtool score takes it as --trials",
        What.XLSX: "save the sheet as CSV UTF-8, and import that",
        What.XLS: "save the sheet as CSV UTF-8, and import that",
        What.OFFICE: "save the sheet as CSV UTF-8, and import that",
        What.ARROW: f"if it holds judgments, write them as a CSV with the header {_HEADER}",
        What.NPY: f"{_VECTORS}, which simtool score takes",
        What.NPZ: f"{_VECTORS}, which simtool score takes",
    },
    Door.MODEL: {
        What.PARQUET: "if it is a table of embeddings, simtool score takes it as it is",
        What.PARQUET_FOLDER: "if it is a table of embeddings, simtool score takes it as it is",
    },
    Door.ARCHIVE: {What.GZIP: "get the archive again", What.PACKED: "pack it as a tar.gz or a zip"},
}


def advice(kind: Kind, door: Door) -> str:
    """What to do with a file of a kind where something else was asked for."""
    if door is Door.PHOTOS:
        return _USES.get(kind.what) or _default(door)
    if kind.damage == "encrypted":
        return "write it again without encryption"
    if kind.damage:
        return "write it again" if kind.what in _TABLES else "get it again"
    if kind.what in _CELLS and door in (Door.IMAGES, Door.OUTCOMES, Door.MODEL, Door.MODEL_FOLDER):
        return _default(door)
    return _AT.get(door, {}).get(kind.what) or _ALWAYS.get(kind.what) or _USES.get(kind.what) or _default(door)


def _default(door: Door) -> str:
    makers = {
        Door.EMBEDDINGS: "simtool embed makes one",
        Door.TRIALS: "simtool import-trials makes one",
        Door.OUTCOMES: "simtool score makes one",
        Door.IMAGES: "simtool index-images makes one from a folder of images",
        Door.MODEL: "that is a folder with a model.json, as fit-pca and the trainings write it, or a .keras file",
        Door.MODEL_FOLDER: "that is a folder with a model.json, as fit-pca and the trainings write it",
        Door.JUDGMENTS: f"judgments are a CSV with the header {_HEADER}",
        Door.PHOTOS: "name the folder that the images are in",
        Door.CATALOG: "a catalog is psiz's HDF5, a stimuli.txt, or a CSV of numbers and paths",
    }
    return makers.get(door, "look whether it is the right one")


def wrong_table(path: Path, found: str, wanted: str) -> str:
    """Say in one line which table this is, where another one of simtool's was asked for.

    Args:
        path: the table.
        found: its kind in the contract: ``images``, ``trials``.
        wanted: the kind that was asked for.
    """
    use = _TABLE_USES.get(found)
    return f"{path}: this is a table of {found}, not of {wanted}" + (f"; {use}" if use else "")


def explain(path: Path, door: Door, reason: str = "") -> str:
    """Say in one line why a file cannot be read as what was asked for: what it is, and what to do.

    Args:
        path: the file or folder that a reader could not read.
        door: what was asked for.
        reason: what the reader found wrong, for a file whose kind is right.
    """
    try:
        kind = kind_of(path)
    except KindError as failure:
        return str(failure)
    if kind.damage and kind.what in _TOLD_WHEN_DAMAGED - door.takes:
        kind = replace(kind, damage="")
    if door is not Door.PHOTOS and (kind.damage or kind.what in _ALWAYS):
        return f"{path}: this is {kind.words}; {advice(kind, door)}"
    if kind.what in door.takes:
        again = "write it again" if kind.what in _TABLES else "get it again"
        return f"{path}: this is {kind.words}, but damaged: {reason or 'it cannot be read'}; {again}"
    return f"{path}: this is {kind.words}, not {door.words}; {advice(kind, door)}"
