"""Kinds of files and folders, and their descriptions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from simtool.errors import SimtoolError

__all__ = ["TRUNCATED", "Kind", "KindError", "Text", "What"]

#: The first word of the damage of truncated files.
TRUNCATED = "truncated"


class KindError(SimtoolError):
    """A path does not exist, or cannot be read (a pipe, a device)."""


class What(StrEnum):
    """All kinds of files and folders; the value describes the kind in messages."""

    PARQUET = "a Parquet file"
    ARROW = "an Arrow (Feather) file"
    NPY = "a NumPy array (.npy)"
    NPZ = "a NumPy archive (.npz)"
    CSV = "a CSV"
    NUMBERS = "a text of numbers in columns"
    TEXT = "a text file"
    JSON = "a JSON file"
    JSON_LINES = "a JSON-lines file"
    PSIZ_JSON = "a JSON of psiz-datasets"
    PSIZ_OBSERVATIONS = "a file of psiz's observations (HDF5)"
    PSIZ_CATALOG = "a catalog of stimuli of psiz (HDF5)"
    PSIZ_TRIALS = "a TrialDataset of psiz (HDF5)"
    PSIZ_DOCKET = "a docket of psiz (HDF5), which holds trials without answers"
    PSIZ_RATINGS = "a file of psiz's ratings (HDF5)"
    HDF5 = "an HDF5 file"
    RSATOOLBOX = "a file of rsatoolbox (HDF5)"
    FEATURES_HDF5 = "an HDF5 file of features, as thingsvision writes it"
    MATLAB = "a MATLAB file (.mat)"
    MATLAB_HDF5 = "a MATLAB file of version 7.3 (.mat)"
    XLSX = "an Excel workbook (.xlsx)"
    XLS = "an old Excel workbook or Word document"
    OFFICE = "an office document"
    PSIZ_ZIP = "a zip of psiz-datasets"
    ZIP = "a zip archive"
    TAR = "a tar archive"
    TAR_GZ = "a gzipped tar archive"
    GZIP = "a gzipped file"
    PACKED = "a packed file"
    KERAS = "a Keras model (.keras)"
    KERAS_H5 = "a Keras model in HDF5 (.h5)"
    KERAS_WEIGHTS = "a file of Keras weights, without the model"
    TORCH = "a PyTorch file"
    ONNX = "an ONNX model"
    SAFETENSORS = "a safetensors file, which holds weights without the model"
    TFLITE = "a TensorFlow Lite model"
    PICKLE = "a Python pickle"
    R_DATA = "a file of R"
    SQLITE = "an SQLite database"
    PDF = "a PDF"
    IMAGE = "an image"
    FOREIGN_IMAGE = "an image of a format that simtool does not read"
    VIDEO = "a video, or another file like MP4"
    HTML = "a web page (HTML)"
    XML = "an XML file"
    LFS_POINTER = "a Git LFS pointer instead of the file"
    ANNEX_POINTER = "a git-annex pointer instead of the file"
    EMPTY = "an empty file"
    ZEROS = "a file of zero bytes only"
    OTHER = "a file of unknown kind"
    MODEL_FOLDER = "a model folder of simtool"
    TRAINING_FOLDER = "the folder of an unfinished training"
    PARQUET_FOLDER = "a folder of Parquet files"
    PSIZ_FOLDER = "a folder of psiz-datasets"
    BAPPS_FOLDER = "a folder of BAPPS"
    CUB_FOLDER = "a copy of CUB-200-2011"
    IMAGE_FOLDER = "a folder of images"
    SAVED_MODEL = "a SavedModel of TensorFlow"
    KERAS_FOLDER = "an unpacked .keras model"
    CHECKPOINT_FOLDER = "a folder of TensorFlow checkpoints"
    TRANSFORMERS_FOLDER = "a model folder of Hugging Face"
    TFDATA_FOLDER = "a data set that tf.data saved"
    TFDS_FOLDER = "a data set of tensorflow_datasets"
    ARROW_FOLDER = "a data set of Hugging Face (Arrow files)"
    EMPTY_FOLDER = "an empty folder"
    FEATURES_FOLDER = "a folder of features, as thingsvision writes it"
    FOLDER = "a folder"


@dataclass(frozen=True)
class Text:
    """The format of a text.

    Attributes:
        encoding: Python's name of the encoding; ``utf-8-sig`` for UTF-8 with a byte order mark.
        delimiter: the separator of cells; empty without cells.
    """

    encoding: str = "utf-8"
    delimiter: str = ""


@dataclass(frozen=True)
class Kind:
    """The detected kind of a file or folder.

    Attributes:
        what: the kind.
        damage: a description of the damage; empty for an intact file.
        detail: more details for messages.
        keys: the names in it: keys of JSON, cells of the first line of a CSV, arrays, datasets, members.
        text: the format of a text.
    """

    what: What
    damage: str = ""
    detail: str = ""
    keys: tuple[str, ...] = ()
    text: Text | None = None

    @property
    def description(self) -> str:
        """A phrase for messages: ``a CSV with tabs in UTF-16``."""
        if self.damage:
            return f"{self.what}, but {self.damage}"
        return f"{self.what}{self._written}{f' {self.detail}' if self.detail else ''}"

    @property
    def _written(self) -> str:
        if self.text is None:
            return ""
        marks = {"": "", ",": "", " ": "", "\t": " with tabs between cells"}
        cells = marks.get(self.text.delimiter, f" with {self.text.delimiter} between cells")
        return cells + ("" if self.text.encoding in ("utf-8", "utf-8-sig") else f" in {self.text.encoding.upper()}")
