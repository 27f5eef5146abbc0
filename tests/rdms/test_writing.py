"""Files for other programs: the layout of rsatoolbox, and tables of pairs as CSV."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from simtool.rdms.delimited import write_csv
from simtool.rdms.rdm import RdmError, Request, stacked, table_of
from simtool.rdms.reading import read_rdm
from simtool.rdms.rsatoolbox import write_rdm
from simtool.tables.distances import DistanceInfo, DistanceTable, Pairs
from tests.rdms.written import MATRIX, NAMES, TRIANGLE, read

SOURCE = Path("m.npy")


def table(names: list[str] = NAMES, measure: str | None = "cosine") -> DistanceTable:
    made = table_of(SOURCE, stacked(SOURCE, MATRIX).rdm(SOURCE, 0, names), Request())
    return replace(made, info=DistanceInfo("my modèl", measure=measure))


def layout(path: Path) -> dict[str, Any]:
    """The type of each dataset and attribute of a file, by its path; of texts, without their lengths."""
    found: dict[str, Any] = {}
    with h5py.File(path) as file:
        found |= {f"/{name}": type(value).__name__ for name, value in file.attrs.items()}
        file.visititems(lambda name, held: found.update({name: held.dtype.kind if hasattr(held, "dtype") else "group"}))
    return found


def test_an_rdm_is_read_back(tmp_path: Path) -> None:
    write_rdm(tmp_path / "r.hdf5", table())
    with h5py.File(tmp_path / "r.hdf5") as file:
        assert file["dissimilarities"][()].tolist() == [TRIANGLE]
        assert file["rdm_descriptors/model"][()].tolist() == [rb"my mod\xe8l"]
    rdm = read_rdm(tmp_path / "r.hdf5", Request())
    assert (rdm.pairs.image_id.tolist(), rdm.measure) == (NAMES, "cosine")
    assert read(tmp_path / "r.hdf5") == read_back(table())


def read_back(made: DistanceTable) -> dict[tuple[str, ...], float]:
    ends = zip(made.image_id[made.first], made.image_id[made.second], made.distance.tolist(), strict=True)
    return {tuple(sorted((one, two))): value for one, two, value in ends}


def test_the_layout_is_that_of_rsatoolbox(formats: Path, tmp_path: Path) -> None:
    write_rdm(tmp_path / "r.hdf5", table())
    own, real = layout(tmp_path / "r.hdf5"), layout(formats / "rsatoolbox" / "calculated-squared.hdf5")
    assert own.pop("rdm_descriptors/model") == "S"
    assert own.pop("pattern_descriptors/image_id") == real.pop("pattern_descriptors/stem") == "S"
    assert own == real


@pytest.mark.parametrize(
    ("measure", "stated"), [("mse", "squared euclidean"), ("correlation", "correlation"), ("dot", "dot")]
)
def test_the_measure_has_the_name_that_rsatoolbox_gives_it(measure: str, stated: str, tmp_path: Path) -> None:
    write_rdm(tmp_path / "r.hdf5", table(measure=measure))
    with h5py.File(tmp_path / "r.hdf5") as file:
        assert file.attrs["dissimilarity_measure"] == stated


def test_a_measure_that_is_not_stated_is_an_empty_dataset(tmp_path: Path) -> None:
    """As rsatoolbox writes None; its reader needs the entry."""
    write_rdm(tmp_path / "r.hdf5", table(measure=None))
    with h5py.File(tmp_path / "r.hdf5") as file:
        assert file["dissimilarity_measure"].shape is None
    assert read_rdm(tmp_path / "r.hdf5", Request()).measure is None


def test_an_rdm_that_rsatoolbox_cannot_hold_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "r.hdf5"
    whole = table()
    with pytest.raises(RdmError, match=r"1 id is not ASCII \(Ärger.png\), which rsatoolbox cannot load"):
        write_rdm(out, table(["Ärger.png", *NAMES[1:]]))
    part = replace(whole, first=whole.first[1:], second=whole.second[1:], distance=whole.distance[1:])
    with pytest.raises(RdmError, match=r"m.npy: 1 pair of 3 images has no distance, which an RDM needs"):
        write_rdm(out, part)
    with pytest.raises(RdmError, match="its distances have a direction, which an RDM has not"):
        write_rdm(out, replace(whole, info=DistanceInfo("m", symmetric=False)))
    assert not [*tmp_path.iterdir()]


def test_a_csv_keeps_all_digits_and_all_names(tmp_path: Path) -> None:
    names = np.array(['a, "b".png', "Ärger.png", "c\nd"], object)
    values = np.random.default_rng(0).random(3)
    pairs = Pairs(names, np.array([0, 0, 1], np.int32), np.array([1, 2, 2], np.int32), values)
    made = DistanceTable.of(pairs, DistanceInfo("m"))
    write_csv(tmp_path / "d.csv", made)
    frame = pd.read_csv(tmp_path / "d.csv")
    assert frame["distance"].tolist() == pytest.approx(values.tolist(), rel=1e-15)
    assert frame["image_1"].tolist() == [names[0], names[0], names[1]]
    assert read(tmp_path / "d.csv") == read_back(made)
