"""Kinds of input that a command expects, and messages about other kinds of file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from pathlib import Path

from simtool.kinds.kind import Kind, KindError, What
from simtool.kinds.sniffing import kind_of

__all__ = ["Expected", "advice", "explain", "wrong_table"]

#: Kinds whose advice does not change with damage.
_TOLD_WHEN_DAMAGED = frozenset((What.IMAGE, What.FOREIGN_IMAGE, What.PICKLE, What.NPY))
_TABLES = frozenset((What.PARQUET, What.PARQUET_FOLDER))
_SHEETS = frozenset((What.XLSX, What.XLS, What.OFFICE))
_ARRAYS = frozenset((What.NPY, What.NPZ, What.HDF5, What.FEATURES_HDF5, What.MATLAB, What.MATLAB_HDF5, What.ARROW))
_VECTOR_FILES = _ARRAYS | {What.CSV, What.NUMBERS, What.TEXT}


class Expected(Enum):
    """An expected input.

    Attributes:
        description: the description for messages.
        kinds: the kinds of file that can be it.
    """

    TABLE = ("a table (Parquet)", _TABLES)
    EMBEDDINGS = ("a table of embeddings (Parquet)", _TABLES)
    DISTANCES = ("a table of distances (Parquet)", _TABLES)
    TRIALS = ("a table of trials (Parquet)", _TABLES)
    OUTCOMES = ("a table of outcomes (Parquet)", _TABLES)
    IMAGES = ("a table of images (Parquet)", _TABLES)
    #: The table of formats (simtool.judgments.formats) lists the kinds of judgments.
    JUDGMENTS = ("judgments that simtool import-trials reads", frozenset[What]())
    #: The table of readers (simtool.rdms.reading) lists the kinds of distances.
    RDM = ("distances that simtool import-distances reads", frozenset[What]())
    CATALOG = ("a catalog of stimuli", frozenset((What.CSV, What.NUMBERS, What.TEXT, What.PSIZ_CATALOG, What.HDF5)))
    ARCHIVE = ("a tar or zip archive", frozenset((What.TAR, What.TAR_GZ, What.ZIP, What.PSIZ_ZIP)))
    MODEL = (
        "a model that simtool can embed with",
        frozenset((What.MODEL_FOLDER, What.KERAS, What.ONNX, What.SAVED_MODEL)),
    )
    MODEL_FOLDER = ("a model folder of simtool", frozenset((What.MODEL_FOLDER,)))
    IMAGE_FOLDER = ("a folder of images", frozenset((What.IMAGE_FOLDER, What.CUB_FOLDER)))
    IMAGE = ("an image that simtool reads", frozenset((What.IMAGE,)))
    VECTORS = ("vectors that simtool import-embeddings reads", _VECTOR_FILES | _TABLES | {What.FEATURES_FOLDER})
    TRANSFORM = ("a transform of gLocal (transform.npz)", frozenset((What.NPZ,)))

    def __init__(self, description: str, kinds: frozenset[What]) -> None:
        self.description, self.kinds = description, kinds


_HEADER = "query,reference_1,...,reference_N,selected_1,...,selected_K"
_AS_TABLE = "as a Parquet file with the columns image_id and embedding (docs/tables.md shows how)"
_UNPICKLED = (
    "simtool does not load pickles, because they can run code: load it in Python, and save the array with "
    'numpy.save("features.npy", ARRAY); a tensor with numpy.save("features.npy", TENSOR.numpy())'
)
_VECTORS = f"if it holds vectors, write them {_AS_TABLE}"
_IMPORT_VECTORS = (
    "if it holds vectors, simtool import-embeddings makes a table of embeddings from it; "
    "if it holds distances of pairs, simtool import-distances makes a table of distances"
)
_AS_CSV = f"if it holds judgments, write them as a CSV with the header {_HEADER} for simtool import-trials"
_AS_PAIRS = "write the distances as a CSV with the header image_1,image_2,distance"
_NETWORK = (
    "embed the images with it, and write the vectors as a Parquet file of image_id and embedding (docs/tables.md)"
)

_EXPORT = "export the network with torch.onnx.export, and give the .onnx file (docs/howto-model.md)"

#: Advice about a kind for every expectation.
_ALWAYS: Mapping[What, str] = {
    What.LFS_POINTER: "git lfs pull fetches the file itself",
    What.ANNEX_POINTER: "git annex get fetches the file itself",
    What.HTML: "a web page was saved instead of the file: download the file itself",
    What.XML: "it can be a server's error message: open it, and get the file itself",
    What.EMPTY: "write it or get it again",
    What.ZEROS: "a copy or a download did not finish: get it again",
    What.PACKED: "unpack it first",
}

#: Advice about a kind: the command that takes it, or a conversion.
_USES: Mapping[What, str] = {
    **dict.fromkeys(_TABLES, "simtool show says which table it is"),
    What.ARROW_FOLDER: "write it as Parquet (Dataset.to_parquet)",
    **dict.fromkeys(_ARRAYS, _IMPORT_VECTORS),
    What.FEATURES_FOLDER: "simtool import-embeddings takes it",
    What.RSATOOLBOX: "simtool import-distances takes its RDMs",
    What.PICKLE: "simtool does not load pickles: write the content as CSV or Parquet",
    **dict.fromkeys((What.R_DATA, What.SQLITE), "write the content as CSV or Parquet"),
    What.CSV: "simtool import-trials takes it if it holds judgments, simtool import-embeddings if it holds vectors",
    **dict.fromkeys((What.NUMBERS, What.JSON, What.JSON_LINES, What.PSIZ_TRIALS, What.TFDS_FOLDER), _AS_CSV),
    What.TFDATA_FOLDER: "load it with tf.data.Dataset.load, and save its arrays with numpy.savez; simtool "
    "import-trials takes arrays of psiz (given8rank2_stimulus_set, outcome, agent, sample_weight)",
    What.PSIZ_DOCKET: "import the observations that belong to it",
    What.PSIZ_RATINGS: "simtool reads choices among references, not ratings",
    **dict.fromkeys((What.PSIZ_JSON, What.PSIZ_FOLDER, What.PSIZ_ZIP), "simtool import-trials takes it"),
    What.BAPPS_FOLDER: "simtool import-trials takes it, and simtool index-images takes its images",
    What.PSIZ_OBSERVATIONS: "simtool import-trials takes it, with --catalog",
    What.PSIZ_CATALOG: "simtool import-trials takes it as --catalog",
    **dict.fromkeys(_SHEETS, "save the sheet as CSV UTF-8"),
    **dict.fromkeys((What.ZIP, What.TAR, What.TAR_GZ), "unpack it, and give the file or folder in it"),
    What.GZIP: "unpack it with gunzip",
    What.FOREIGN_IMAGE: "save it as JPEG or PNG",
    What.IMAGE: "simtool index-images takes its folder",
    What.IMAGE_FOLDER: "simtool index-images takes it, and makes a table of images",
    What.CUB_FOLDER: "simtool fetch-cub --archive takes it, and makes a table of images",
    What.MODEL_FOLDER: "simtool embed takes it as --model",
    What.TRAINING_FOLDER: "run the training command again to resume and finish the training",
    **dict.fromkeys((What.KERAS, What.ONNX, What.SAVED_MODEL), "simtool embed takes it as --model, with a --recipe"),
    What.KERAS_H5: 'load it in Keras, then save("model.keras"); simtool embed takes that with a --recipe',
    What.KERAS_WEIGHTS: (
        "for a network of keras.applications, give it as --weights with --model keras:NAME; for another network, make "
        'it in Keras, load_weights, then save("model.keras")'
    ),
    What.KERAS_FOLDER: "zip its files into one .keras file; simtool embed takes that",
    **dict.fromkeys((What.TORCH, What.TFLITE, What.SAFETENSORS, What.TRANSFORMERS_FOLDER), _NETWORK),
    What.CHECKPOINT_FOLDER: 'make the model in Keras, load the checkpoint, then save("model.keras")',
}

#: Advice about a table of simtool.
_TABLE_USES: Mapping[str, str] = {
    "images": "simtool embed, fit-pca and the commands that train take it, and simtool score takes it as --images",
    "embeddings": "simtool score and compress take it",
    "distances": "simtool score and export-distances take it",
    "trials": "simtool score takes it as --trials",
    "outcomes": "simtool report takes it",
}

_IMPORT = "simtool import-trials makes a table of trials from it"
_SHEET = "save the sheet as CSV UTF-8; simtool import-trials makes a table of trials from that"
_INDEX = "simtool index-images makes a table of images from it"

#: Text tables, which can be judgments or vectors, but not images, outcomes or models.
_CELLS = _SHEETS | {What.CSV, What.NUMBERS, What.TEXT, What.JSON, What.JSON_LINES}

#: Advice about a kind for one expectation.
_AT: Mapping[Expected, Mapping[What, str]] = {
    Expected.TRIALS: {
        **dict.fromkeys((What.CSV, What.PSIZ_JSON, What.PSIZ_FOLDER, What.PSIZ_ZIP), _IMPORT),
        What.PSIZ_OBSERVATIONS: f"{_IMPORT}, with --catalog",
        **dict.fromkeys(_SHEETS, _SHEET),
    },
    Expected.EMBEDDINGS: {
        **dict.fromkeys(_CELLS, _VECTORS),
        **dict.fromkeys((What.CSV, What.NUMBERS, What.TEXT), _IMPORT_VECTORS),
        What.MODEL_FOLDER: "simtool embed makes a table of embeddings with it (--model)",
        **dict.fromkeys(
            (What.KERAS, What.ONNX, What.SAVED_MODEL),
            "simtool embed makes a table of embeddings with it (--model, and a --recipe)",
        ),
        What.IMAGE_FOLDER: "simtool index-images makes a table of images from it, and simtool embed embeds that",
    },
    Expected.IMAGES: {
        What.IMAGE_FOLDER: _INDEX,
        What.FOLDER: "simtool index-images makes a table of images from a folder of images",
        What.FOREIGN_IMAGE: "save it as JPEG or PNG",
        What.IMAGE: "simtool index-images makes a table of images from its folder",
    },
    Expected.JUDGMENTS: {
        **dict.fromkeys(
            (What.MATLAB, What.MATLAB_HDF5),
            "simtool import-distances takes distances of pairs, simtool import-embeddings vectors",
        ),
        **dict.fromkeys(_TABLES, "if it is a table of trials, simtool score takes it as --trials"),
        **dict.fromkeys(_SHEETS, "save the sheet as CSV UTF-8, and import that"),
        What.ARROW: f"if it holds judgments, write them as a CSV with the header {_HEADER}",
    },
    Expected.VECTORS: {
        **dict.fromkeys((What.PICKLE, What.TORCH), _UNPICKLED),
        What.FOLDER: "a folder of thingsvision has a file_names.txt; if the list is elsewhere, give it with --ids",
        **dict.fromkeys(_SHEETS, "save the sheet as CSV UTF-8, with the ids in the first column"),
        What.JSON: "simtool import-distances takes a tree of Meadows; write vectors as a CSV with the ids in the first "
        "column",
    },
    Expected.RDM: {
        What.PICKLE: "simtool does not load pickles: save RDMs with RDMs.save(FILE, 'hdf5'), a matrix with numpy.save",
        **dict.fromkeys((What.NPZ, What.HDF5), "if it holds a matrix of distances, save it with numpy.save"),
        What.MATLAB_HDF5: "save it with -v7, or the matrix with numpy.save",
        What.ARROW: "write it as Parquet (pyarrow.parquet.write_table)",
        **dict.fromkeys(_SHEETS, "save the sheet as CSV UTF-8, and import that"),
        **dict.fromkeys((What.JSON, What.JSON_LINES, What.TEXT), _AS_PAIRS),
    },
    Expected.MODEL: {
        **dict.fromkeys(_TABLES, "if it is a table of embeddings, simtool score takes it"),
        What.TORCH: f"it can hold code, which simtool does not run: {_EXPORT}",
        What.PICKLE: f"it can hold code, which simtool does not run: {_EXPORT}",
        **dict.fromkeys((What.SAFETENSORS, What.TRANSFORMERS_FOLDER), f"build the network in PyTorch, and {_EXPORT}"),
        What.KERAS_H5: (
            'it can hold code, which simtool does not run: load it in Keras, save("model.keras"), and give that with a '
            "--recipe"
        ),
    },
    Expected.ARCHIVE: {What.GZIP: "get the archive again", What.PACKED: "pack it as a tar.gz or a zip"},
}


def advice(kind: Kind, expected: Expected) -> str:
    """Return the advice about a kind of file where another input is expected."""
    if expected is Expected.IMAGE_FOLDER:
        return _USES.get(kind.what) or _default(expected)
    if kind.damage == "encrypted":
        return "write it again without encryption"
    if kind.damage:
        return "write it again" if kind.what in _TABLES else "get it again"
    if kind.what in _CELLS and expected in (Expected.IMAGES, Expected.OUTCOMES, Expected.MODEL, Expected.MODEL_FOLDER):
        return _default(expected)
    return _AT.get(expected, {}).get(kind.what) or _ALWAYS.get(kind.what) or _USES.get(kind.what) or _default(expected)


def _default(expected: Expected) -> str:
    makers = {
        Expected.EMBEDDINGS: "simtool embed makes one",
        Expected.TRIALS: "simtool import-trials makes one",
        Expected.OUTCOMES: "simtool score makes one",
        Expected.IMAGES: "simtool index-images makes one from a folder of images",
        Expected.MODEL: (
            "a model is keras:NAME, a .keras or .onnx file, a SavedModel, or a folder that fit-pca, train-resnet, "
            "train-glow or train-jet wrote"
        ),
        Expected.MODEL_FOLDER: "a model folder has a model.json; fit-pca and the commands that train write it",
        Expected.JUDGMENTS: f"judgments are a CSV with the header {_HEADER} or image_1,...,image_N,odd_one",
        Expected.RDM: f"{_AS_PAIRS}, or as a square matrix",
        Expected.IMAGE_FOLDER: "give the folder of the images",
        Expected.VECTORS: "docs/howto-model.md lists the formats",
        Expected.TRANSFORM: "gLocal stores its transforms as transforms/MODEL/MODULE/transform.npz",
        Expected.CATALOG: "a catalog is psiz's HDF5, a stimuli.txt, or a CSV of numbers and paths",
    }
    return makers.get(expected, "check that it is the right file")


def wrong_table(path: Path, found: str, wanted: str) -> str:
    """Return a message about a table whose kind in the contract (``images``, ``trials``) is not the wanted kind."""
    use = _TABLE_USES.get(found)
    return f"{path}: this is a table of {found}, not of {wanted}" + (f"; {use}" if use else "")


def explain(path: Path, expected: Expected, reason: str = "", kind: Kind | None = None) -> str:
    """Explain in one line why a file or folder cannot be read: its kind, the expectation, and advice.

    The reason is the fault that a reader found in a file of the right kind. A kind that is known already is not found
    again: that can take seconds for a damaged file.
    """
    try:
        kind = kind or kind_of(path)
    except KindError as failure:
        return str(failure)
    can_be_judgments = expected is Expected.JUDGMENTS and kind.what is What.NPY
    if kind.damage and kind.what in _TOLD_WHEN_DAMAGED - expected.kinds and not can_be_judgments:
        kind = replace(kind, damage="")
    if expected is not Expected.IMAGE_FOLDER and (kind.damage or kind.what in _ALWAYS):
        return f"{path}: this is {kind.description}; {advice(kind, expected)}"
    if kind.what in expected.kinds:
        again = "write it again" if kind.what in _TABLES else "get it again"
        return f"{path}: this is {kind.description}, but damaged: {reason or 'it cannot be read'}; {again}"
    return f"{path}: this is {kind.description}, not {expected.description}; {advice(kind, expected)}"
