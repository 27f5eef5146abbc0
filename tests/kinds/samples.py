"""A small file of every kind that simtool tells apart, most of them written by the library that people use."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
from PIL import Image
from scipy.io import savemat

from simtool.kinds import What

__all__ = ["LFS_POINTER", "SAMPLES", "hdf5", "tarred", "zipped"]

LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 12345\n"
_TABLE = pa.table({"image_id": ["a", "b"], "value": [1.0, 2.0]})
_NUMBERS = np.arange(12.0).reshape(3, 4)


def _written(write: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def zipped(*members: tuple[str, bytes]) -> bytes:
    def write(buffer: io.BytesIO) -> None:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members:
                archive.writestr(name, content)

    return _written(write)


def tarred(*members: tuple[str, bytes]) -> bytes:
    def write(buffer: io.BytesIO) -> None:
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, content in members:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))

    return _written(write)


def hdf5(datasets: dict[str, Any], attributes: dict[str, Any] | None = None) -> bytes:
    def write(buffer: io.BytesIO) -> None:
        with h5py.File(buffer, "w") as file:
            for name, content in datasets.items():
                file[name] = content
            file.attrs.update(attributes or {})

    return _written(write)


def _image(format_of: str) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    return _written(lambda buffer: Image.fromarray(noise).save(buffer, format_of))


def _arrow(stream: bool) -> bytes:
    def write(buffer: io.BytesIO) -> None:
        make = pa.ipc.new_stream if stream else pa.ipc.new_file
        with make(buffer, _TABLE.schema) as writer:
            writer.write_table(_TABLE)

    return _written(write)


def _sqlite() -> bytes:
    with sqlite3.connect(":memory:") as base:
        base.execute("create table judgments (query text)")
        return base.serialize()


def _field(number: int, content: bytes | int) -> bytes:
    """A field of a protocol buffer."""
    if isinstance(content, int):
        return bytes([number << 3, content])
    length = len(content)
    return bytes([number << 3 | 2, length & 0x7F | 0x80, length >> 7]) + content


_PSIZ_DOCUMENT = {"version": "0.2.0", "data": [{"sequence_id": "a", "sequence": []}]}
_WORKBOOK = (("_rels/.rels", b"<x/>"), ("xl/workbook.xml", b"<x/>" * 90), ("[Content_Types].xml", b"<x/>"))
_KERAS = (("metadata.json", b"{}"), ("config.json", b"{}" * 99), ("model.weights.h5", hdf5({"layers/x": [1.0]})))
_TAR = tarred(("images/a.jpg", b"x" * 700), ("images/b.jpg", b"y" * 700))
_ONNX_GRAPH = _field(1, b"node" * 60)

#: Name, kind and content; the name is of the suffix that people give such a file.
SAMPLES: dict[str, tuple[What, bytes]] = {
    "table.parquet": (What.PARQUET, _written(lambda buffer: pq.write_table(_TABLE, buffer))),
    "table.feather": (What.ARROW, _written(lambda buffer: pyarrow.feather.write_feather(_TABLE, buffer))),
    "file.arrow": (What.ARROW, _arrow(stream=False)),
    "stream.arrow": (What.ARROW, _arrow(stream=True)),
    "array.npy": (What.NPY, _written(lambda buffer: np.save(buffer, _NUMBERS))),
    "objects.npy": (What.NPY, _written(lambda buffer: np.save(buffer, np.array([{}], object), allow_pickle=True))),
    "arrays.npz": (What.NPZ, _written(lambda buffer: np.savez(buffer, image_id=["a"], embedding=_NUMBERS))),
    "packed.npz": (What.NPZ, _written(lambda buffer: np.savez_compressed(buffer, embedding=_NUMBERS))),
    "judgments.csv": (What.CSV, b"query,reference_1,reference_2,selected_1\na,b,c,b\n"),
    "header.csv": (What.CSV, b"query,reference_1"),
    "judgments.tsv": (What.CSV, b"query\treference_1\na, b\tc\n"),
    "excel.csv": (What.CSV, b"sep=;\r\nquery;reference_1\r\na;b\r\n"),
    "decimal-commas.csv": (What.CSV, b"query;weight\na;0,5\nb;1,5\n"),
    "old-mac.csv": (What.CSV, b"query,reference_1\ra,b\rc,d\r"),
    "quoted.csv": (What.CSV, b'query,comment\na,"one, or\ntwo"\nb,c\n'),
    "latin.csv": (What.CSV, "query,reference_1\ngrün,weiß\n".encode("latin-1")),
    "utf16.csv": (What.CSV, "query,reference_1\ngrün,weiß\n".encode("utf-16")),
    "stimuli.txt": (What.CSV, b"local_id|filepath\n0000001|/s/a.jpg\n"),
    "triplets.txt": (What.NUMBERS, b"0 1 2\n3 4 5\n1 4 2\n"),
    "floats.txt": (What.NUMBERS, b"1.0000e+00 2.5e-1\n-3.0 4.0\n"),
    "names.txt": (What.TEXT, b"a.jpg\nb.jpg\n"),
    "prose.txt": (What.TEXT, b"Dear reader,\nthis is no table, though it has commas, and more.\nYours, S.\nPS\nPPS\n"),
    "survey.json": (What.JSON, json.dumps({"status": "finished", "trials": [1, 2, 3]}).encode()),
    "list.json": (What.JSON, json.dumps([{"stimulus": "a"}, {"stimulus": "b"}], indent=1).encode()),
    "data.json": (What.JSON, json.dumps({"data": [{"label": 1}]}).encode()),
    "sequence.json": (What.PSIZ_JSON, json.dumps(_PSIZ_DOCUMENT).encode()),
    "indented.json": (What.PSIZ_JSON, b"\xef\xbb\xbf" + json.dumps(_PSIZ_DOCUMENT, indent=2).encode()),
    "trials.jsonl": (What.JSON_LINES, b'{"trial": 1}\n{"trial": 2}\n'),
    "jatos.txt": (What.JSON_LINES, b'[{"trial": 1}]\n[{"trial": 1}]\n'),
    "obs.hdf5": (What.PSIZ_OBSERVATIONS, hdf5({"stimulus_set": [[1, 2, 3]], "n_select": [1], "is_ranked": [True]})),
    "docket.hdf5": (What.PSIZ_DOCKET, hdf5({"stimulus_set": [[1, 2, 3]], "class_name": "RankDocket"})),
    "rate.hdf5": (What.PSIZ_RATINGS, hdf5({"stimulus_set": [[1, 2]], "class_name": "RateObservations"})),
    "dataset.hdf5": (What.PSIZ_TRIALS, hdf5({"class_name": "TrialDataset", "content": [1]})),
    "catalog.hdf5": (What.PSIZ_CATALOG, hdf5({"stimulus_id": [1], "stimulus_filepath": [b"a.jpg"]})),
    "model.h5": (What.KERAS_H5, hdf5({"model_weights/a": [1.0]}, {"model_config": "{}"})),
    "old-weights.h5": (What.KERAS_WEIGHTS, hdf5({"dense/a": [1.0]}, {"layer_names": ["dense"]})),
    "model.weights.h5": (What.KERAS_WEIGHTS, hdf5({"layers/dense/vars/0": [1.0]})),
    "rdms.hdf5": (What.RSATOOLBOX, hdf5({"dissimilarities": [[1.0]]}, {"rsatoolbox_version": "0.3"})),
    "features.hdf5": (What.FEATURES_HDF5, hdf5({"features": _NUMBERS})),
    "other.hdf5": (What.HDF5, hdf5({"waves": _NUMBERS})),
    "features.mat": (What.MATLAB, _written(lambda buffer: savemat(buffer, {"features": _NUMBERS}))),
    "new.mat": (What.MATLAB_HDF5, b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + hdf5({"features": _NUMBERS})),
    "workbook.xlsx": (What.XLSX, zipped(*_WORKBOOK)),
    "openpyxl.xlsx": (What.XLSX, zipped(("docProps/app.xml", b"<x/>"), *_WORKBOOK)),
    "workbook.xls": (What.XLS, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)),
    "sheet.ods": (What.OFFICE, zipped(("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"))),
    "letter.docx": (What.OFFICE, zipped(("[Content_Types].xml", b"<x/>"), ("word/document.xml", b"<x/>"))),
    "images.zip": (What.ZIP, zipped(("a.jpg", b"x"), ("b.jpg", b"y"))),
    "nothing.zip": (What.ZIP, zipped()),
    "osf.zip": (
        What.PSIZ_ZIP,
        zipped(("s/stimuli.txt", b"x"), ("s/a_seqs/s.json", json.dumps(_PSIZ_DOCUMENT).encode())),
    ),
    "survey.zip": (What.ZIP, zipped(("a.json", b'{"trials": []}'))),
    "images.tar": (What.TAR, _TAR),
    "hdf5.tar": (What.TAR, tarred(("a.hdf5", hdf5({"a": [1]})))),
    "images.tgz": (What.TAR_GZ, gzip.compress(_TAR, mtime=0)),
    "judgments.csv.gz": (What.GZIP, gzip.compress(b"query,reference_1\na,b\n", mtime=0)),
    "table.rds": (What.R_DATA, gzip.compress(b"X\n\0\0\0\3\0\4", mtime=0)),
    "images.tar.xz": (What.PACKED, b"\xfd7zXZ\0" + bytes(40)),
    "model.keras": (What.KERAS, zipped(*_KERAS)),
    "model.pt": (What.TORCH, zipped(("archive/data.pkl", b"\x80\x02}."), ("archive/version", b"3\n"))),
    "old.pth": (What.TORCH, b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03." + bytes(40)),
    "model.onnx": (What.ONNX, _field(1, 8) + _field(2, b"pytorch") + _field(7, _ONNX_GRAPH) + _field(8, b"\x10\x14")),
    "saved_model.pb": (What.SAVED_MODEL, _field(1, 1) + _field(2, _field(1, b"meta" * 40))),
    "model.safetensors": (What.SAFETENSORS, (40).to_bytes(8, "little") + b'{"w":{"dtype":"F32"}}'.ljust(40) + bytes(8)),
    "model.tflite": (What.TFLITE, b"\x1c\0\0\0TFL3" + bytes(40)),
    "rdms.pkl": (What.PICKLE, pickle.dumps({"a": [1, 2, 3]})),
    "old.pkl": (What.PICKLE, pickle.dumps({"a": [1, 2, 3]}, protocol=2)),
    "judgments.sqlite": (What.SQLITE, _sqlite()),
    "paper.pdf": (What.PDF, b"%PDF-1.7\n%\xe2\xe3\n"),
    **{
        f"image.{name.lower()}": (What.IMAGE, _image(name))
        for name in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
    },
    "photo.heic": (What.FOREIGN_IMAGE, b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
    "photo.avif": (What.FOREIGN_IMAGE, b"\0\0\0\x18ftypavif\0\0\0\0mif1avif"),
    "photo.jp2": (What.FOREIGN_IMAGE, b"\0\0\0\x0cjP  \r\n\x87\n"),
    "clip.mp4": (What.VIDEO, b"\0\0\0\x18ftypisom\0\0\2\0isom"),
    "page.html": (What.HTML, b"\n<!DOCTYPE html>\n<html><body>Sign in</body></html>"),
    "xhtml.html": (What.HTML, b'<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml"></html>'),
    "denied.xml": (What.XML, b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'),
    "pointer": (What.LFS_POINTER, LFS_POINTER),
    "annexed": (What.ANNEX_POINTER, b"/annex/objects/MD5E-s12--0123456789abcdef0123456789abcdef.csv\n"),
    "empty": (What.EMPTY, b""),
    "blank.csv": (What.EMPTY, b" \r\n\t\n"),
    "zeros.jpg": (What.ZEROS, bytes(3000)),
    "noise.bin": (What.OTHER, bytes(range(128, 256)) * 3 + bytes(range(1, 32))),
}
