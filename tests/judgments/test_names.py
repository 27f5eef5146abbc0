"""Names of images: a list with one name a line, a list of concepts with a header, and a table of ids and names."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.judgments.assembly import JudgmentsError
from simtool.judgments.importing import import_judgments
from simtool.judgments.names import Names, NamesError, read_names
from simtool.kinds import KindError
from simtool.tables.trials import Trials
from tests.studies import write

CONCEPTS = 'Word\tuniqueID\tDefinition (from WordNet)\naardvark\taardvark\t"an ""ant bear"""\nbat\tbat1\tflies\n'


def trials_of(*ids: str) -> Trials:
    """One trial that shows all ids."""
    numbers = np.arange(len(ids), dtype=np.int32)
    kind = f"{len(ids) - 1}-choose-1"
    return Trials.build(ids, [kind], numbers[:1], numbers[None, 1:], np.zeros((1, 1), np.int8))


def text(path: Path, content: str, encoding: str = "utf-8") -> Path:
    return write(path, content.encode(encoding))


def pairs(path: Path) -> dict[str, str]:
    names = read_names(path)
    return dict(zip(names.ids, names.names, strict=True))


@pytest.mark.parametrize("content", ["aardvark\nbat1\n", "aardvark\r\nbat1", "\ufeff aardvark \nbat1\n\n"])
def test_the_id_of_a_name_in_a_list_is_its_row_from_0(tmp_path: Path, content: str) -> None:
    path = text(tmp_path / "unique_id.txt", content)
    assert pairs(path) == {"0": "aardvark", "1": "bat1"}
    assert read_names(path).are_rows
    assert read_names(path).extent == "2 names, 0 to 1"


def test_the_id_of_a_concept_is_its_row_below_the_header_from_0(tmp_path: Path) -> None:
    assert pairs(text(tmp_path / "things_concepts.tsv", CONCEPTS)) == {"0": "aardvark", "1": "bat1"}
    assert pairs(text(tmp_path / "utf16.tsv", CONCEPTS, "utf-16")) == {"0": "aardvark", "1": "bat1"}
    assert pairs(text(tmp_path / "one_column.txt", "unique_id\naardvark\nbat1\n")) == {"0": "aardvark", "1": "bat1"}


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_a_table_states_the_id_of_each_name_in_any_order_of_columns(tmp_path: Path, separator: str) -> None:
    rows = [("Name", "ID", "more"), ("Wren/a b.jpg", "7", ""), ("Tern/c.jpg", "03", "x")]
    path = text(tmp_path / "mapping", "\n".join(separator.join(row) for row in rows))
    assert pairs(path) == {"7": "Wren/a b.jpg", "03": "Tern/c.jpg"}
    assert not read_names(path).are_rows


@given(st.lists(st.from_regex(r"[a-z0-9_]{1,8}", fullmatch=True), min_size=3, max_size=9, unique=True), st.data())
def test_every_image_of_the_trials_gets_the_name_of_its_id(names: list[str], data: st.DataObject) -> None:
    shown = data.draw(st.lists(st.integers(0, len(names) - 1), min_size=3, max_size=9, unique=True))
    rows = Names("list", tuple(map(str, range(len(names)))), tuple(names), are_rows=True)
    trials = trials_of(*map(str, shown))
    found, matches = rows.apply(trials)
    assert found.images.tolist() == [names[number] for number in shown]
    assert matches.note is None
    np.testing.assert_array_equal(found.references, trials.references)


def test_ids_that_are_file_names_match_in_another_spelling(tmp_path: Path) -> None:
    names = read_names(text(tmp_path / "m.csv", "id,name\nA.JPG,wren\nb.jpg,tern\nc.jpg,owl\n"))
    found, matches = names.apply(trials_of("x/a.jpg", "x/b.jpg", "x/c.jpg"))
    assert found.images.tolist() == ["wren", "tern", "owl"]
    assert matches.note == "matched 3 of 3 images by spelling (case, folders)"


def test_names_that_do_not_cover_every_id_are_refused_with_the_number_and_the_first(tmp_path: Path) -> None:
    path = text(tmp_path / "m.csv", "id,name\n0,wren\n1,tern\n")
    with pytest.raises(
        NamesError, match=r"m\.csv: lacks images that are needed \(3 of 5\): 2, 3, 9; its ids are 0, 1$"
    ):
        read_names(path).apply(trials_of("0", "1", "2", "3", "9"))


def test_ids_that_count_from_1_are_suspected(tmp_path: Path) -> None:
    names = read_names(text(tmp_path / "list.txt", "wren\ntern\nowl\n"))
    with pytest.raises(NamesError, match=r"\(1 of 3\): 3; .*rows count from 0: for ids that count from 1, write a CSV"):
        names.apply(trials_of("1", "2", "3"))


def test_an_id_that_fits_several_ids_of_the_file_is_refused(tmp_path: Path) -> None:
    names = read_names(text(tmp_path / "m.csv", "id,name\nx/a.jpg,wren\ny/a.jpg,tern\nb.jpg,owl\nc.jpg,robin\n"))
    with pytest.raises(NamesError, match=r"1 of 3 images fit several of its ids: a\.jpg fits x/a\.jpg, y/a\.jpg"):
        names.apply(trials_of("a.jpg", "b.jpg", "c.jpg"))


@pytest.mark.parametrize(
    "source",
    [
        "things-raw/triplets_large_final_correctednc_correctedorder.csv",  # counts from 1
        "brainscore-hebart2023/validationset.csv",  # counts from 0
    ],
)
def test_the_numbers_of_things_get_the_names_of_its_unique_ids(formats: Path, source: str) -> None:
    trials, _ = read_names(formats / "triplets-odd-last" / "unique_id.txt").apply(
        import_judgments(formats / source).judgments.trials
    )
    with (formats / source).with_name("expected.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    shown = trials.images[trials.references]
    assert shown.tolist() == [[row[f"image_{place}"] for place in (1, 2, 3)] for row in rows]
    odd = np.take_along_axis(shown, trials.selected.astype(int), axis=1)[:, 0]
    assert odd.tolist() == [row["odd"] for row in rows]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("wren\ntern\nwren\n", r"several rows have the same name: wren \(lines 1 and 3\)$"),
        ("wren\n\ntern\n", "line 2 is empty; a list has one name a line"),
        ("name\nwren\ntern\n", r"line 1 is a header \(name\): remove it, because ids are the lines, from 0$"),
        ("File_Names\r\nwren\r\n", r"line 1 is a header \(File_Names\): remove it"),
        ("id,name\n1,wren\n1,tern\n", r"several rows have the same id: 1 \(lines 2 and 3\)$"),
        ("id,name\n1,a\n2,a\n3,b\n4,b\n", r"the same name: a \(lines 2 and 3\) and 1 more$"),
        ("id,name\n1,wren\n2,\n", "line 3 has no name"),
        ("id,name\n1,wren\n,tern\n", "line 3 has no id"),
        ("Word\tuniqueID\nbat\tbat\nbat\tbat\n", r"the same name: bat \(lines 2 and 3\)$"),
        ("id,name\n", "no names below the header"),
        ("uniqueID\n", "no names below the header"),
        (
            "id,name,name\n1,a,b\n",
            r"this is a CSV \(first line: id, name, name\), not a table of images \(Parquet\), a list",
        ),
        ("query,reference_1\na,b\n", "a CSV with the header id,name"),
        ("1 2 3\n4 5 6\n", "this is a text of numbers in columns, not a table of images"),
        ('{"id": 1}', "this is a JSON file"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path: Path, content: str, complaint: str) -> None:
    path = text(tmp_path / "m", content)
    with pytest.raises(NamesError, match=f"^{path}: .*{complaint}"):
        read_names(path)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KindError, match=r"absent\.txt: no such file"):
        read_names(tmp_path / "absent.txt")
    with pytest.raises(NamesError, match=r"this is a NumPy array"):
        np.save(tmp_path / "names.npy", np.arange(3))
        read_names(tmp_path / "names.npy")
    with pytest.raises(NamesError, match=r"not all of it is UTF-8: save it as UTF-8"):
        read_names(write(tmp_path / "late.txt", b"wren\n" * 20_000 + b"t\xe9rn\n"))
    with pytest.raises(JudgmentsError, match=r"line 2 has 3 cells, the header 2"):
        read_names(text(tmp_path / "ragged.csv", "id,name\n1,a,b\n2,c\n3,d\n4,e\n"))
