from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simtool.judgments.assembly import Judgments, JudgmentsError
from simtool.judgments.importing import import_judgments
from tests.judgments.rows import odd_rows, table


def trial(number: int = 0, odd: str = "c.png", **others: Any) -> dict[str, Any]:
    return {
        "subject_id": "p1",
        "rt": 700,
        "image1Path": "a.png",
        "image2Path": "b.png",
        "image3Path": "c.png",
        "selected_image": odd,
        "exp_trial_type": "exp_trial",
        "trial": number,
        "triplet_class": "within_class",
        **others,
    }


def written(path: Path, *trials: Any) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in trials), encoding="utf-8")
    return path


def read(path: Path) -> Judgments:
    reading = import_judgments(path)
    assert reading.format == "levels"
    return reading.judgments


def test_the_selected_image_is_the_odd_one(tmp_path: Path) -> None:
    rows = (trial(0, "b.png"), trial(1, "a.png", triplet_class="between_class", rt=None))
    trials = read(written(tmp_path / "p1", *rows)).trials
    assert odd_rows(trials) == [["a.png", "b.png", "c.png", "b.png"], ["a.png", "b.png", "c.png", "a.png"]]
    assert trials.participant.tolist() == ["p1", "p1"]
    np.testing.assert_array_equal(trials.response_ms, np.array([700, np.nan], np.float32))
    assert trials.extra["triplet_class"].to_pylist() == ["within_class", "between_class"]
    assert trials.extra["trial"].to_pylist() == [0, 1]


def test_catch_trials_and_omissions_are_dropped_and_counted(tmp_path: Path) -> None:
    rows = (
        trial(0, exp_trial_type="catch_trial"),
        trial(1, "No image selected", exp_trial_type="catch_trial"),
        trial(2, "No image selected"),
        trial(3),
    )
    judgments = read(written(tmp_path / "p1.jsonl", *rows))
    assert (judgments.catch, judgments.unanswered, judgments.trials.trial_id.tolist()) == (2, 1, [3])


def test_a_number_of_a_trial_that_is_no_integer_is_missing(tmp_path: Path) -> None:
    numbers = (5, True, "x", 2**70, 1.5)
    rows = [{**trial(), "trial": number} for number in numbers]
    assert read(written(tmp_path / "p1", *rows)).trials.extra["trial"].to_pylist() == [5, None, None, None, None]


def test_events_that_are_no_trials_are_left_out_and_counted(tmp_path: Path) -> None:
    event = dict.fromkeys(trial()) | {"exp_trial_type": "break", "trial_type": "html-keyboard-response"}
    rows = (
        event,
        trial(0, exp_trial_type="training_trial"),
        trial(1),
        event,
        trial(2, "a.png"),
        dict.fromkeys(trial()),
    )
    judgments = read(written(tmp_path / "p1.jsonl", *rows))
    assert judgments.trials.extra["trial"].to_pylist() == [1, 2]
    assert judgments.notes == ("left out 3 other events", "left out 1 training trial")


@pytest.mark.parametrize("key", ["exp_trial_number", "trial_index"])
def test_the_number_of_a_trial_has_other_names(tmp_path: Path, key: str) -> None:
    rows = [{name: value for name, value in trial().items() if name != "trial"} | {key: at} for at in (3.0, 4)]
    assert read(written(tmp_path / "p1.jsonl", *rows)).trials.extra["trial"].to_pylist() == [3, 4]


def test_a_folder_is_read_by_participant(tmp_path: Path) -> None:
    written(tmp_path / "b.jsonl", trial(0, "b.png", subject_id="b"), trial(1, subject_id="b"))
    written(tmp_path / "a.json", trial(0, "a.png", subject_id="a"))
    (tmp_path / "notes.txt").write_text("collected in spring\n")
    reading = import_judgments(tmp_path)
    assert (reading.format, [file.name for file in reading.files]) == ("levels", ["a.json", "b.jsonl"])
    assert reading.judgments.trials.participant.tolist() == ["a", "b", "b"]


def test_a_participant_in_two_files_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "a.jsonl", trial(0), trial(1))
    written(tmp_path / "copy.jsonl", trial(0), trial(1))
    with pytest.raises(JudgmentsError, match=r"copy\.jsonl: line 1: trial 0 of participant p1 is also in .*a\.jsonl"):
        import_judgments(tmp_path)


@pytest.mark.parametrize("content", ['{"other": 1}\n{"other": 2}\n', '{"image1Path": "a.p', ""])
def test_a_damaged_file_of_a_folder_is_not_passed_over(tmp_path: Path, content: str) -> None:
    written(tmp_path / "a.jsonl", trial(0), trial(1))
    (tmp_path / "b.jsonl").write_text(content)
    with pytest.raises(JudgmentsError, match=r"^[^ ]*b\.jsonl: this is "):
        import_judgments(tmp_path)


@pytest.mark.parametrize(
    ("last", "complaint"),
    [
        (trial(1, "d.png"), "line 2: selects d.png, which is not among its images a.png, b.png, c.png"),
        (trial(1, "c"), "line 2: selects c, which is not among its images"),
        ({"selected_image": "a.png"}, "line 2: no text 'image1Path'"),
        ({"image2Path": "a.png"}, "line 2: no text 'image1Path'"),
        (trial(1, image2Path=None), "line 2: no text 'image2Path'"),
        (trial(1, image2Path=["b.png"]), "line 2: image2Path should be a text; it is ['b.png']"),
        (trial(1, subject_id="\ud800"), "line 2: subject_id has a null or half a character"),
        (trial(1, "a\0", image2Path="a\0"), "line 2: image2Path has a null or half a character"),
        (trial(1, image2Path="a.png"), "line 2 shows a reference twice"),
        ([1], "line 2: not an object with the keys of a trial"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, last: Any, complaint: str) -> None:
    path = written(tmp_path / "p1.jsonl", trial(0), last)
    with pytest.raises(JudgmentsError) as failure:
        import_judgments(path)
    assert complaint in str(failure.value)


def test_a_line_that_is_cut_off_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "p1.jsonl", trial(0), trial(1), trial(2))
    text = path.read_text()
    path.write_text(text[: text.index("\n") + 20] + text[text.index("\n") + 40 :])
    with pytest.raises(JudgmentsError, match=r"p1\.jsonl: line 2: not JSON, or truncated"):
        import_judgments(path)


def test_the_sample_is_read_rightly(formats: Path) -> None:
    judgments = read(formats / "levels")
    columns = ("image_1", "image_2", "image_3", "odd", "subject", "level")
    expected = table(formats / "levels" / "expected.csv", "catch", *columns)
    asked = [[*(f"{name}.png" for name in row[1:5]), *row[5:]] for row in expected if row[0] == "0" and row[4]]
    trials = judgments.trials
    told = zip(odd_rows(trials), trials.participant.tolist(), trials.extra["triplet_class"].to_pylist(), strict=True)
    assert [[*row, who, level] for row, who, level in told] == asked
    assert judgments.catch == sum(row[0] == "1" for row in expected) > 0
    assert judgments.unanswered == len(expected) - judgments.catch - len(trials) > 0
