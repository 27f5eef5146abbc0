from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from simtool.judgments.assembly import Judgments, JudgmentsError
from simtool.judgments.importing import import_judgments
from tests.studies import plain

Row = dict[str, Any]


def row(names: Sequence[str | None], label: str | None, **others: Any) -> Row:
    """An annotation of up to three images, padded as Meadows does."""
    stimuli: Row = {}
    for place, name in enumerate([*names, None, None][:3], 1):
        stimuli[f"stim{place}_id"] = None if name is None else f"id_{name}"
        stimuli[f"stim{place}_name"] = None if name is None else f"{name}  "
    return {"task": "odd", "participation": "calm-ox"} | stimuli | {"label": label} | others


def write_csv(path: Path, rows: Sequence[Row]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_json(path: Path, rows: Sequence[Row]) -> Path:
    path.write_text(json.dumps(list(rows)))
    return path


both = pytest.mark.parametrize("write", [write_csv, write_json])


def read(path: Path) -> Judgments:
    reading = import_judgments(path)
    assert reading.format == "meadows"
    return reading.judgments


@both
def test_the_label_is_the_odd_image_by_name_or_id(write: Callable[..., Path], tmp_path: Path) -> None:
    rows = [row("abc", "b"), row("cab", "id_b", participation="wise-ant"), row("abd", None)]
    judgments = read(write(tmp_path / "annotations", rows))
    first, second = plain(judgments.trials)
    assert judgments.unanswered == 1
    assert (first["kind"], first["references"], first["selected"]) == ("3-odd-1", ["a", "b", "c"], [1])
    assert (second["references"], second["selected"]) == (["c", "a", "b"], [2])
    assert [first["participant"], second["participant"]] == ["calm-ox", "wise-ant"]
    assert judgments.trials.extra["task"].to_pylist() == ["odd", "odd"]
    assert judgments.notes == ("read as odd-one-out: the label is the odd image",)


@both
def test_annotations_of_fewer_images_are_left_out_and_counted(write: Callable[..., Path], tmp_path: Path) -> None:
    rows = [
        row("a", "a word", task="names"),
        row("abc", "b"),
        row("ab", "5", task="pairs"),
        row("b", "x", task="names"),
    ]
    judgments = read(write(tmp_path / "annotations", rows))
    assert judgments.trials.trial_id.tolist() == [1]
    assert judgments.notes[1] == "left out 3 annotations of fewer than three images, by task: names (2), pairs (1)"
    with pytest.raises(JudgmentsError, match="no annotation of three images: simtool reads the annotations of Triplet"):
        read(write(tmp_path / "annotations", rows[:1]))


@both
def test_the_times_give_the_response_time(write: Callable[..., Path], tmp_path: Path) -> None:
    shown = "2020-09-14T18:18:59.500Z"
    rows = [row("abc", "b", start=shown, resp="2020-09-14T18:19:00.993Z"), row("abc", "a", start=shown, resp=None)]
    first, second = plain(read(write(tmp_path / "annotations", rows)).trials)
    assert (first["response_ms"], second["response_ms"]) == (1493, None)
    rows[1]["resp"] = "yesterday"
    assert plain(read(write(tmp_path / "annotations", rows)).trials)[0]["response_ms"] is None


@both
def test_the_name_of_the_file_tells_person_and_task(write: Callable[..., Path], tmp_path: Path) -> None:
    bare = {name: value for name, value in row("abc", "b").items() if name not in ("task", "participation")}
    trials = read(write(tmp_path / "Meadows_myStudy_v_v1_meet-wombat_2_annotations.csv", [bare])).trials
    assert trials.participant.tolist() == ["meet-wombat"]
    assert trials.extra["task"].to_pylist() == [2]
    trials = read(write(tmp_path / "Meadows_myStudy_v_v1_meet-wombat_2_annotations.csv", [row("abc", "b")])).trials
    assert trials.participant.tolist() == ["calm-ox"]
    trials = read(write(tmp_path / "Meadows_myStudy_v_v1_annotations.csv", [bare])).trials
    assert trials.participant.tolist() == [None]
    assert trials.extra == {}


@pytest.mark.parametrize(
    ("label", "complaint"),
    [
        ("d", r"has the label 'd', which is the name or id of none of its images \(a, b, c\)"),
        ("2", "has the label '2'"),
        ("id_c", "has the label 'id_c', which is the name or id of several of its images"),
    ],
)
def test_a_label_that_names_no_image_is_refused(tmp_path: Path, label: str, complaint: str) -> None:
    ambiguous = row("abc", label) | ({"stim1_id": "id_c"} if label == "id_c" else {})
    path = write_csv(tmp_path / "t.csv", [row("abc", "a"), ambiguous])
    with pytest.raises(JudgmentsError, match=f"{path}: line 3 {complaint}"):
        read(path)
    path = write_json(tmp_path / "t.json", [row("abc", "a"), ambiguous])
    with pytest.raises(JudgmentsError, match=f"{path}: annotation 1 {complaint}"):
        read(path)


def test_an_image_that_is_shown_twice_is_refused(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", [row("a", "x"), row("aab", "b")])
    with pytest.raises(JudgmentsError, match=f"{path}: line 3 shows a reference twice"):
        read(path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[1]", "annotation 0 is no object of texts"),
        ('[{"stim1_name": ["a"]}]', "annotation 0 is no object of texts"),
        ('[{"label": "\\ud800"}]', "annotation 0 has half a character"),
        ('[{"label": "a"}]', "not annotations of Meadows: no column stim1_name, stim2_name, stim3_name"),
        ('{"label": "a"}', "annotations of Meadows are a list of objects"),
    ],
)
def test_json_of_another_structure_is_refused(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(JudgmentsError, match=complaint):
        import_judgments(tmp_path / "t.json", "meadows")


def test_the_arrangements_of_the_samples_are_pair_distances(formats: Path) -> None:
    for file in sorted((formats / "meadows").glob("Meadows_*")):
        with pytest.raises(JudgmentsError, match=f"^{file}: .*simtool import-distances takes"):
            import_judgments(file)


def test_a_tree_of_meadows_is_named(tmp_path: Path) -> None:
    (tmp_path / "tree.json").write_text('{"participation": "calm-ox", "tasks": []}')
    with pytest.raises(JudgmentsError, match=r"this is a tree of Meadows.*simtool import-distances.*annotations"):
        import_judgments(tmp_path / "tree.json")
