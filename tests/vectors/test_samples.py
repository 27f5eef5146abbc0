"""Files of real programs, and files in their layouts: each equals the expected vectors, or is refused in one line."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from simtool import stages
from simtool.errors import SimtoolError
from simtool.tables.embeddings import EmbeddingTable


def expected(path: Path) -> tuple[list[str], np.ndarray]:
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [row[0] for row in rows], np.array([row[1:] for row in rows], np.float64)


def assert_equal(table: EmbeddingTable, path: Path) -> None:
    names, values = expected(path)
    assert [Path(name).name for name in table.image_id] == names
    np.testing.assert_allclose(table.read(), values, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("folder", "module", "wanted"),
    [
        *(
            (f"{kind}-{file}", None, "expected")
            for kind in ("classes", "flat")
            for file in ("npy", "hdf5", "mat", "txt")
        ),
        ("classes-relative-npy", None, "expected"),
        ("flat-conv1-hdf5", None, "expected-conv1"),
        ("flat-conv1-mat", None, "expected-conv1"),
        ("flat-modules-in-steps", "fc", "expected"),
        ("flat-modules-one-file", "fc", "expected"),
        ("awkward-npy", None, "expected-awkward"),
    ],
)
def test_a_folder_of_thingsvision_is_read(formats: Path, folder: str, module: str | None, wanted: str) -> None:
    table = stages.import_embeddings(formats / "thingsvision" / folder, module=module)
    assert_equal(table, formats / "thingsvision" / f"{wanted}.csv")
    assert table.info.shape == ((4, 8, 8) if "conv1" in folder else (6,))


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        (
            "flat-pt",
            'this is a PyTorch file, which simtool does not load, because it can run code; save .* file_format="npy"',
        ),
        ("classes-pt", "this is a PyTorch file, which simtool does not load"),
        ("flat-modules-in-steps", "it holds several modules: avgpool, fc, flat; choose one with --module"),
        ("flat-modules-one-file", "it holds several modules: avgpool, fc; choose one with --module"),
        (
            "awkward-mat",
            r"a\.jpg and a\.png share the variable a, no variable for _b\.png; save the features in another",
        ),
    ],
)
def test_a_folder_of_thingsvision_is_refused(formats: Path, folder: str, reason: str) -> None:
    with pytest.raises(SimtoolError, match=reason):
        stages.import_embeddings(formats / "thingsvision" / folder)


@pytest.mark.parametrize(
    ("file", "dataset", "wanted"),
    [
        ("final_embedding.npy", None, "expected"),
        ("final_embedding_pruned.npy", None, "expected"),
        ("pruned_params.npz", None, "expected-pruned-sorted"),
        ("spose_embedding_6d_sorted.txt", None, "expected-pruned-sorted"),
        ("spose_embedding_6d_sorted_trailing_space.txt", None, "expected-pruned-sorted"),
    ],
)
def test_an_embedding_of_vice_or_spose_is_read(formats: Path, file: str, dataset: str | None, wanted: str) -> None:
    folder = formats / "vice-spose-embeddings"
    assert_equal(stages.import_embeddings(folder / file, ids=folder / "unique_id.txt"), folder / f"{wanted}.csv")


@pytest.mark.parametrize("file", ["parameters.npz", "final_embedding_unpruned.npy"])
def test_an_embedding_of_vice_keeps_dimensions_that_were_not_pruned(formats: Path, file: str) -> None:
    folder = formats / "vice-spose-embeddings"
    array = np.load(folder / file)
    array = array["loc"] if file == "parameters.npz" else array
    table = stages.import_embeddings(folder / file, ids=folder / "unique_id.txt")
    np.testing.assert_array_equal(table.read(), array)


@pytest.mark.parametrize(
    ("transform", "wanted"),
    [("own_net/avgpool", "expected"), ("own_ViT-B/16/visual", "expected-no-bias")],
)
def test_a_transform_of_glocal_is_applied(formats: Path, transform: str, wanted: str) -> None:
    folder = formats / "glocal-transform"
    file = folder / "transforms" / transform / "transform.npz"
    assert_equal(stages.import_embeddings(folder / "features.csv", transform=file), folder / f"{wanted}.csv")
