from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from simtool.judgments.catalog import CatalogError, image_id_of, is_catalog, parse_catalog, read_catalog
from tests.studies import IMAGES, write_hdf5_catalog, write_stimuli


@pytest.mark.parametrize(
    ("path", "image_id"),
    [
        ("Bird/Cardinalidae/Blue_Grosbeak/X.jpg", "Bird/Cardinalidae/Blue_Grosbeak/X.jpg"),
        ("/birds_16/Cardinalidae/Blue_Grosbeak/X.jpg", "Cardinalidae/Blue_Grosbeak/X.jpg"),
        ("/home/ann/birds/images/Bird/Cardinalidae/X.jpg", "Bird/Cardinalidae/X.jpg"),
        (r"Bird\Cardinalidae\X.jpg", "Bird/Cardinalidae/X.jpg"),
        ("./X.jpg", "X.jpg"),
        ("/X.jpg", "X.jpg"),
        ("images", "images"),
    ],
)
def test_a_path_is_cut_to_the_part_below_the_root_of_the_stimuli(path: str, image_id: str) -> None:
    assert image_id_of(path) == image_id


@pytest.mark.parametrize("path", ["", "/", "  ", "../secret.jpg", "/set/../../X.jpg", "a\0b.jpg"])
def test_a_path_that_names_no_file_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="does not name a file"):
        image_id_of(path)


@pytest.mark.parametrize("first", [0, 1])
def test_an_hdf5_catalog_may_count_from_0_or_from_1(tmp_path: Path, first: int) -> None:
    catalog = read_catalog(write_hdf5_catalog(tmp_path / "catalog.hdf5", first))
    assert catalog.number.tolist() == list(range(1, 41))
    assert catalog.image_id.tolist() == list(IMAGES)


def test_local_ids_are_numbers_in_base_36(tmp_path: Path) -> None:
    catalog = read_catalog(write_stimuli(tmp_path / "stimuli.txt"))
    assert catalog.number.tolist() == list(range(1, 41))
    assert catalog.image_id.tolist() == [name.removeprefix("Bird/") for name in IMAGES]


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
@pytest.mark.parametrize(
    ("column", "numbers"), [("id_1based", (2, 1)), ("id_0based", (1, 0)), ("id", (1, 0)), ("id", (2, 1))]
)
def test_a_text_catalog_may_number_and_separate_as_it_likes(
    separator: str, column: str, numbers: tuple[int, int]
) -> None:
    rows = [f"name{separator}{column}{separator}filepath"]
    rows += [f"x{separator}{number}{separator}{path}" for number, path in zip(numbers, ("b.jpg", "a.jpg"), strict=True)]
    catalog = parse_catalog("\r\n".join(rows).encode("utf-8-sig"), "catalog.csv")
    assert catalog.number.tolist() == [1, 2]
    assert catalog.image_id.tolist() == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    "content",
    [
        b"local_id|filepath\r0000001|/s/a.jpg\r0000002|/s/b.jpg\r",
        "local_id\tfilepath\n0000001\t/s/a.jpg\n0000002\t/s/b.jpg\n".encode("utf-16"),
        b"sep=;\nLocal_ID;FilePath\n1;/s/a.jpg\n2;/s/b.jpg\n",
        b'\n\n"local_id" , filepath\n1,"/s/a.jpg"\n\n2,/s/b.jpg\n,,\n',
    ],
)
def test_every_spelling_of_a_text_catalog_is_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "stimuli.txt").write_bytes(content)
    assert is_catalog(tmp_path / "stimuli.txt")
    catalog = read_catalog(tmp_path / "stimuli.txt")
    assert catalog.number.tolist() == [1, 2]
    assert catalog.image_id.tolist() == ["a.jpg", "b.jpg"]


def test_rows_are_found_by_number_and_unknown_numbers_are_minus_1() -> None:
    catalog = parse_catalog(b"id_1based,filepath\n5,e.jpg\n2,b.jpg\n", "catalog.csv")
    assert catalog.rows_of(np.array([[2, 5], [1, 6], [3, -7]])).tolist() == [[0, 1], [-1, -1], [-1, -1]]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"query,reference_1\nx,y\n", "not a catalog of stimuli: none of the columns id_1based"),
        (b"id_1based,name\n1,y\n", "none of the columns filepath"),
        (b"id_1based,filepath\n", "lists no stimuli"),
        (b"id_1based,filepath\n1,a.jpg\nx,b.jpg\n", "line 3: 'x' is not the number of a stimulus"),
        (b"id_1based,filepath\n1_0,a.jpg\n", "line 2: '1_0' is not the number of a stimulus"),
        (b"id_1based,filepath\n" + b"9" * 5000 + b",a.jpg\n", "is not the number of a stimulus"),
        (b"local_id|filepath\n-1|a.jpg\n", "line 2: '-1' is not the number of a stimulus in base 36"),
        (b"id_1based,filepath,filepath\n1,a,b\n", "the header has id_1based or filepath twice"),
        (b'id_1based,filepath\n1,"a\nb.jpg"\n\n,,\nx,c.jpg\n', "line 6: 'x' is not the number"),
        (b"id_1based,filepath\n1\n", "line 2: '' does not name a file"),
        (b"id_1based,filepath\n1,a.jpg\n1,b.jpg\n", "several stimuli have the same number: 1"),
        (b"id_1based,filepath\n1,a.jpg\n2,a.jpg\n", "several stimuli have the same path: a.jpg"),
        (b"id_1based,filepath\n-4,a.jpg\n", "out of range: -4"),
        (b"id_1based,filepath\n1,../../etc/passwd\n", "line 2: '../../etc/passwd' does not name a file"),
        (b"\xff\xfe\x00", "not a catalog of stimuli: no HDF5 file of psiz, and no text in UTF-8"),
        (b"", "not a catalog"),
    ],
)
def test_a_malformed_text_catalog_is_refused_with_its_line(text: bytes, complaint: str) -> None:
    with pytest.raises(CatalogError) as failure:
        parse_catalog(text, "catalog.csv")
    assert str(failure.value).startswith("catalog.csv: ")
    assert complaint in str(failure.value)


@pytest.mark.parametrize(
    ("datasets", "complaint"),
    [
        ({"stimulus_id": [1]}, "no values stimulus_filepath"),
        ({"stimulus_id": [1, 2], "stimulus_filepath": np.array([b"a"])}, "n integers and stimulus_filepath n paths"),
        ({"stimulus_id": [1.5], "stimulus_filepath": np.array([b"a"])}, "n integers"),
        ({"stimulus_id": [1], "stimulus_filepath": np.array([b"\xff"])}, "stimulus_filepath: 'utf-8'"),
        ({"stimulus_id": 1, "stimulus_filepath": b"a"}, "n integers"),
        ({"stimulus_id": [1], "stimulus_filepath": [2.5]}, "stimulus_filepath should be n paths; it holds float64"),
        ({"stimulus_id/deep": [1], "stimulus_filepath": [b"a"]}, "no values stimulus_id; found stimulus_filepath"),
        ({"stimulus_id": h5py.SoftLink("/nowhere"), "stimulus_filepath": [b"a"]}, "no values stimulus_id"),
    ],
)
def test_a_malformed_hdf5_catalog_is_refused(tmp_path: Path, datasets: dict[str, object], complaint: str) -> None:
    path = tmp_path / "catalog.hdf5"
    with h5py.File(path, "w") as file:
        for name, content in datasets.items():
            if isinstance(content, h5py.SoftLink):
                file[name] = content
            else:
                file.create_dataset(name, data=content)
    with pytest.raises(CatalogError, match=complaint):
        read_catalog(path)


def test_a_truncated_hdf5_catalog_is_refused(tmp_path: Path) -> None:
    path = write_hdf5_catalog(tmp_path / "catalog.hdf5")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CatalogError, match="an HDF5 file, but truncated"):
        read_catalog(path)


def test_a_catalog_is_recognized_without_reading_it_all(tmp_path: Path) -> None:
    (tmp_path / "catalog.csv").write_text("id_1based,filepath\nnonsense")
    (tmp_path / "other.csv").write_text("query,reference_1\n")
    assert is_catalog(write_hdf5_catalog(tmp_path / "catalog.hdf5"))
    assert is_catalog(tmp_path / "catalog.csv")
    assert not is_catalog(tmp_path / "other.csv")
    assert not is_catalog(tmp_path / "absent.csv")


def test_the_three_catalogs_of_birds16_agree(birds16: Path) -> None:
    table, hdf5, text = (read_catalog(birds16 / name) for name in ("catalog.csv", "catalog_v0.6.0.hdf5", "stimuli.txt"))
    assert table.number.tolist() == hdf5.number.tolist() == text.number.tolist() == list(range(1, 209))
    assert table.image_id.tolist() == hdf5.image_id.tolist()
    assert table.image_id.tolist() == [f"Bird/{name}" for name in text.image_id]
    assert all((birds16 / "images" / name).is_file() for name in table.image_id)
