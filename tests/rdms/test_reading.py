"""Each layout of distances: the same numbers from every file, or one line that says why not."""

from __future__ import annotations

import csv
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from simtool.errors import SimtoolError
from simtool.rdms.rdm import RdmError, Request
from simtool.rdms.reading import read_rdm
from simtool.tables.files import TableError
from tests.rdms.written import MATRIX, NAMES, TRIANGLE, names_file, read, write_rsatoolbox

EXPECTED = {("owl.png", "wren.png"): 1.5, ("robin.png", "wren.png"): 2.0, ("owl.png", "robin.png"): 0.25}
LONG = pd.DataFrame(
    [("wren.png", "owl.png", 1.5), ("robin.png", "wren.png", 2.0), ("owl.png", "robin.png", 0.25)],
    columns=["image_1", "image_2", "distance"],
)
FRAME = pd.DataFrame(MATRIX, NAMES, NAMES)


def _matrix_mat(path: Path) -> None:
    savemat(path, {"dissimilarity": MATRIX, "count": 3, "label": "own"})


WRITERS: dict[str, tuple[Callable[[Path], Any], bool]] = {
    "pairs.parquet": (LONG.to_parquet, False),
    "pairs.csv": (lambda path: LONG.assign(rater="x").to_csv(path), False),
    "semicolons.csv": (lambda path: LONG.rename(columns=str.upper).to_csv(path, sep=";", index=False), False),
    "named.csv": (FRAME.to_csv, False),
    "header.csv": (lambda path: FRAME.to_csv(path, index=False), False),
    "bare.csv": (lambda path: FRAME.to_csv(path, index=False, header=False), True),
    "bare.txt": (lambda path: np.savetxt(path, MATRIX), True),
    "matrix.npy": (lambda path: np.save(path, MATRIX), True),
    "fortran.npy": (lambda path: np.save(path, np.asfortranarray(MATRIX.astype(np.float32))), True),
    "triangle.npy": (lambda path: np.save(path, TRIANGLE), True),
    "matrix.mat": (_matrix_mat, True),
    "rsatoolbox.hdf5": (
        lambda path: write_rsatoolbox(path, [TRIANGLE], {"stem": NAMES, "kind": ["bird"] * 3}, {"index": [0]}),
        False,
    ),
    "tuples.hdf5": (
        lambda path: write_rsatoolbox(path, [TRIANGLE], {"index": [0, 1, 2], "stem": tuple(NAMES)}, {}),
        False,
    ),
    "meadows.mat": (
        lambda path: savemat(
            path,
            {
                "rdmutv": [TRIANGLE],
                "stimuli": [
                    *NAMES,
                ][:3],
            },
        ),
        False,
    ),
    "tree.json": (
        lambda path: path.write_text(
            json.dumps(
                {
                    "tasks": [
                        {"task": {"task_type": "info", "name": "hello"}},
                        {
                            "task": {"task_type": "multiarrange", "name": "arrangement"},
                            "stimuli": [{"name": f"{name} "} for name in NAMES],
                            "rdm": TRIANGLE,
                        },
                    ]
                }
            )
        ),
        False,
    ),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_layout_gives_the_same_distances(name: str, tmp_path: Path) -> None:
    write, nameless = WRITERS[name]
    write(tmp_path / name)
    assert read(tmp_path / name, names=names_file(tmp_path) if nameless else None) == EXPECTED


@pytest.mark.parametrize("name", [name for name, (_, nameless) in WRITERS.items() if nameless])
def test_a_matrix_without_names_asks_for_them(name: str, tmp_path: Path) -> None:
    WRITERS[name][0](tmp_path / name)
    with pytest.raises(RdmError, match=f"{name}: it does not name its images: give a file .* as --names"):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["pairs.parquet", "pairs.csv", "named.csv", "header.csv", "meadows.mat", "tree.json"])
def test_names_for_a_file_that_has_them_are_refused(name: str, tmp_path: Path) -> None:
    WRITERS[name][0](tmp_path / name)
    with pytest.raises(RdmError, match="it names its images itself; leave --names out"):
        read(tmp_path / name, names=names_file(tmp_path))


@pytest.mark.parametrize("name", ["pairs.parquet", "pairs.csv"])
def test_a_choice_in_one_table_is_refused(name: str, tmp_path: Path) -> None:
    WRITERS[name][0](tmp_path / name)
    with pytest.raises(RdmError, match="it holds one table of distances; leave --rdm out"):
        read(tmp_path / name, rdm="0")


def test_numbers_as_ids_of_a_matrix_are_names(tmp_path: Path) -> None:
    pd.DataFrame(MATRIX).to_csv(tmp_path / "m.csv")
    assert read(tmp_path / "m.csv") == {("0", "1"): 1.5, ("0", "2"): 2.0, ("1", "2"): 0.25}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("image_1,image_2,distance\na,b,1\na,,2\n", "line 3 does not name both images"),
        ("image_1,image_2,distance\na,b,1\na,c,far\n", "line 3 has 'far' in column distance, .* hold a number"),
        ("image_1,image_2,distance\na,b,\n", "line 2 has no number in column distance"),
        ("image_1,image_2,distance\na,b,nan\n", "NaN instead of a distance in 1 pair: a and b"),
        ("image_1,image_2,similarity\na,b,1\n", "add --similarity if larger numbers mean more similar"),
        ("image_1,image_2,similarity,distance\na,b,1,2\n", "has the header image_1,image_2,distance; a matrix has"),
        ("image_1,image_2\na,b\n", "a table of pairs has the header image_1,image_2,distance"),
        (",a,b\na,0,1\nb,1\n", "line 3 has 2 cells, the header 3"),
        (",a,b\nb,0,1\na,1,0\n", "row 1 is b, column 1 is a; both need the same order"),
        (",a,b\na,0,x\nb,1,0\n", "line 2 has 'x' in column b, which should hold a number"),
        (",a,a\na,0,1\na,1,0\n", "names are repeated: a"),
        ("x,y,z\n1,2,3\n", "1 rows below the header of 3 cells; a table of pairs has"),
        ("image_1,image_2,distance\n", "there are no pairs"),
    ],
)
def test_text_that_is_not_distances_is_refused(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(SimtoolError, match=complaint) as refused:
        read(tmp_path / "d.csv")
    assert str(refused.value).startswith(str(tmp_path / "d.csv"))


def test_a_column_of_similarities_is_read_on_request(tmp_path: Path) -> None:
    LONG.rename(columns={"distance": "similarity"}).to_csv(tmp_path / "s.csv", index=False)
    assert read(tmp_path / "s.csv", similarity=True) == {pair: -value for pair, value in EXPECTED.items()}


def test_one_rdm_of_several_is_chosen(tmp_path: Path) -> None:
    twice = [TRIANGLE, [2 * value for value in TRIANGLE]]
    write_rsatoolbox(tmp_path / "r.hdf5", twice, {"stem": NAMES}, {"subject": ["anna", "ben"], "index": [0, 1]})
    np.save(tmp_path / "r.npy", np.stack([MATRIX, 2 * MATRIX]))
    savemat(tmp_path / "r.mat", {"first": MATRIX, "second": 2 * MATRIX})
    double = {pair: 2 * value for pair, value in EXPECTED.items()}
    for name, wanted, listed in (
        ("r.hdf5", "ben", "anna, ben"),
        ("r.npy", "1", "0, 1"),
        ("r.mat", "second", "first, second"),
    ):
        names = None if name == "r.hdf5" else names_file(tmp_path)
        assert read(tmp_path / name, names=names, rdm=wanted) == double
        assert read(tmp_path / name, names=names, rdm="0") == EXPECTED
        with pytest.raises(RdmError, match=f"holds 2 RDMs: {listed}; choose one of them with --rdm"):
            read(tmp_path / name, names=names)


def test_participants_of_meadows_keep_their_own_stimuli(tmp_path: Path) -> None:
    """rsatoolbox 0.3.2 gives the stimuli of the first participant to all of them."""
    backwards = {"rdmutv_wise_ant": [TRIANGLE[::-1]], "stimuli_wise_ant": NAMES[::-1]}
    savemat(tmp_path / "m.mat", {"rdmutv_calm_ox": [TRIANGLE], "stimuli_calm_ox": NAMES, **backwards})
    for person in ("calm-ox", "wise-ant"):
        assert read(tmp_path / "m.mat", rdm=person) == EXPECTED
    with pytest.raises(RdmError, match="holds 2 RDMs: calm-ox, wise-ant; choose one of them with --rdm"):
        read(tmp_path / "m.mat")


def test_the_descriptor_that_names_the_patterns_can_be_chosen(tmp_path: Path) -> None:
    codes = ["w", "o", "r"]
    path = write_rsatoolbox(tmp_path / "r.hdf5", [TRIANGLE], {"stem": NAMES, "code": codes}, {})
    with pytest.raises(RdmError, match="code, stem name its images; choose one of them with --names"):
        read(path)
    assert read(path, names="stem") == EXPECTED
    assert read(path, names="code") == {("o", "w"): 1.5, ("r", "w"): 2.0, ("o", "r"): 0.25}
    bare = write_rsatoolbox(tmp_path / "b.hdf5", [TRIANGLE], {"index": [0, 1, 2], "kind": ["bird"] * 3}, {})
    with pytest.raises(RdmError, match=r"no pattern descriptor names its images \(kind repeats its texts\)"):
        read(bare)
    assert read(bare, names=names_file(tmp_path)) == EXPECTED


def test_the_measure_of_rsatoolbox_is_kept(tmp_path: Path) -> None:
    path = write_rsatoolbox(tmp_path / "r.hdf5", [TRIANGLE], {"stem": NAMES}, {}, "squared euclidean")
    assert read_rdm(path, Request()).measure == "squared euclidean"


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("r.pkl", pickle.dumps({"dissimilarities": TRIANGLE}), "does not load pickles: save RDMs with RDMs.save"),
        ("r.mat", b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + b"\7" * 90, "damaged, or not as stated"),
        ("r.mat", b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM", "of version 7.3 .*; save it with -v7"),
        ("r.json", b'{"stimuli": ["a"]}', "a JSON file .* not distances that simtool import-distances reads"),
        ("r.json", b'{"tasks": [{"task": {}}]}', "none of its 1 tasks has an RDM"),
        ("r.json", b'{"tasks": [{"task": {"name": "a"}, "rdm": [1]}]}', "lacks its name, its stimuli or its numbers"),
        ("r.txt", b"0 1\n1 0\n2 2\n", "3 x 2 is no square matrix"),
        ("r.png", b"\x89PNG\r\n\x1a\n" + b"IEND\xaeB`\x82", "this is an image"),
    ],
)
def test_other_files_are_refused(name: str, content: bytes, complaint: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SimtoolError, match=complaint):
        read(tmp_path / name, names=None)


def test_an_array_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "o.npy", np.array([[0, 1.5], [1.5, 0]], object))
    with pytest.raises(RdmError, match=r"an array of object .*; save the matrix of numbers with numpy.save"):
        read(tmp_path / "o.npy", names=names_file(tmp_path))


def test_a_file_without_rdms_is_named(tmp_path: Path) -> None:
    path = write_rsatoolbox(tmp_path / "r.hdf5", [TRIANGLE], {}, {})
    path.write_bytes(path.read_bytes().replace(b"dissimilarities", b"measurementsxyz"))
    with pytest.raises(RdmError, match=r"it holds no RDMs \(dissimilarities\)"):
        read(path)


def expected(folder: Path, column: str) -> dict[tuple[str, str], float]:
    with (folder / "expected.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    return {(row["first"], row["second"]): float(row[column]) for row in rows}


SAMPLES = [
    ("rsatoolbox/rdms.hdf5", "s1", "s1", False),
    ("rsatoolbox/rdms.hdf5", "1", "s2", False),
    ("rsatoolbox/rdms-names-in-attributes.hdf5", "s2", "s2", False),
    ("rsatoolbox/rdms-names-as-objects.hdf5", "s2", "s2", False),
    ("rsatoolbox/rdms-without-names.hdf5", "s1", "s1", True),
    ("rsatoolbox/calculated-squared.hdf5", None, "calculated_squared", False),
    ("rsatoolbox/calculated-correlation.hdf5", None, "calculated_correlation", False),
    ("meadows/Meadows_ownStudy_v_v1_calm-ox_3_1D.mat", None, "calm-ox", False),
    ("meadows/Meadows_ownStudy_v_v1_arrangement_2D.mat", "calm-ox", "calm-ox", False),
    ("meadows/Meadows_ownStudy_v_v1_arrangement_2D.mat", "wise-ant", "wise-ant", False),
    ("meadows/Meadows_ownStudy_v_v1_calm-ox_tree.json", None, "calm-ox", False),
]


@pytest.mark.parametrize(("name", "rdm", "column", "nameless"), SAMPLES)
def test_samples_of_the_real_programs_are_read(
    name: str, rdm: str | None, column: str, nameless: bool, formats: Path, tmp_path: Path
) -> None:
    wanted = expected((formats / name).parent, column)
    (tmp_path / "stems.txt").write_text("\n".join(dict.fromkeys(name for pair in wanted for name in pair)))
    found = read(formats / name, rdm=rdm, names=str(tmp_path / "stems.txt") if nameless else None)
    assert {tuple(end.removesuffix(".png") for end in pair): value for pair, value in found.items()} == wanted


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("rsatoolbox/rdms.pkl", "does not load pickles"),
        ("rsatoolbox/rdms.hdf5", "holds 2 RDMs: s1, s2"),
        ("meadows/Meadows_ownStudy_v_v1_arrangement_2D.mat", "holds 2 RDMs: calm-ox, wise-ant"),
    ],
)
def test_samples_without_one_answer_are_refused(name: str, complaint: str, formats: Path) -> None:
    with pytest.raises((RdmError, TableError), match=complaint):
        read(formats / name)
