from __future__ import annotations

import csv
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings

from simtool.judgments.assembly import JudgmentsError
from simtool.judgments.catalog import Catalog, read_catalog
from simtool.judgments.importing import import_judgments
from simtool.judgments.psiz.observations import Layout, layout_of, read_observations
from tests.studies import IMAGES, Judgment, catch, expected, judgments, plain, write_hdf5

CATALOG = Catalog("catalog.hdf5", np.arange(1, 41), np.array(IMAGES, object))
STUDY = [Judgment(0, (4, 9, 2), (1,)), Judgment(7, (5, 6, 8, 10), (3, 0), session=2), Judgment(1, (2, 3), (0,))]


@given(judgments())
@settings(max_examples=40, deadline=None)
def test_what_psiz_wrote_comes_back(study: list[Judgment]) -> None:
    stored = [judgment.answers_first() for judgment in study]
    with TemporaryDirectory() as folder:
        old = read_observations(write_hdf5(Path(folder, "old.hdf5"), study, modern=False), CATALOG, Layout.PSIZ_2018)
        new = read_observations(write_hdf5(Path(folder, "new.hdf5"), study, modern=True), CATALOG)
    silent = {"participant": None, "session": None, "weight": None, "response_ms": None}
    assert plain(old.trials) == expected(stored, **silent)
    columns = {"participant": None}
    if len({judgment.session for judgment in study}) == 1:
        columns["session"] = None
    if all(judgment.weight == 1 for judgment in study):
        columns["weight"] = None
    assert plain(new.trials) == expected(stored, **columns)


def test_answers_stand_first_and_references_keep_their_order(tmp_path: Path) -> None:
    trials = read_observations(write_hdf5(tmp_path / "obs.hdf5", STUDY, modern=True), CATALOG).trials
    second = plain(trials)[1]
    assert second["kind"] == "4-rank-2"
    assert second["references"] == [IMAGES[image] for image in (10, 5, 6, 8)]
    assert second["selected"] == [0, 1]


def test_agents_that_differ_become_participants(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "obs.hdf5", STUDY, modern=True, agent_id=np.array([3, 3, 14]))
    assert read_observations(path, CATALOG).trials.participant.tolist() == ["3", "3", "14"]


def test_an_unknown_response_time_is_null(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "obs.hdf5", STUDY, modern=True, rt_ms=np.array([-1.0, np.nan, 6.0]))
    np.testing.assert_array_equal(read_observations(path, CATALOG).trials.response_ms, [np.nan, np.nan, 6])


def test_catch_trials_are_dropped_and_the_others_keep_their_rows(tmp_path: Path) -> None:
    read = read_observations(write_hdf5(tmp_path / "obs.hdf5", [catch(), *STUDY, catch()], modern=True), CATALOG)
    assert read.catch == 2
    assert read.trials.trial_id.tolist() == [1, 2, 3]


def test_only_the_images_that_trials_mention_are_kept(tmp_path: Path) -> None:
    trials = read_observations(write_hdf5(tmp_path / "obs.hdf5", STUDY[:1], modern=True), CATALOG).trials
    assert sorted(trials.images) == sorted(IMAGES[image] for image in (0, 2, 4, 9))


@pytest.mark.parametrize("modern", [True, False])
def test_the_numbering_is_told_by_content(tmp_path: Path, modern: bool) -> None:
    layout = layout_of(write_hdf5(tmp_path / "obs.hdf5", STUDY, modern))
    assert layout is (Layout.PSIZ_06 if modern else Layout.PSIZ_2018)


def test_a_file_that_states_its_numbering_is_believed(tmp_path: Path) -> None:
    study = [Judgment(5, (6, 7), (0,)), Judgment(6, (0, 7), (1,))]
    path = write_hdf5(tmp_path / "obs.hdf5", study, modern=False, mask_zero=False)
    assert layout_of(path) is Layout.PSIZ_2018
    assert plain(read_observations(path, CATALOG).trials)[0]["query"] == IMAGES[5]
    with pytest.raises(JudgmentsError, match="mask_zero states that stimuli count from 0: omit --format"):
        read_observations(path, CATALOG, Layout.PSIZ_06)


@pytest.mark.parametrize("mask", [np.array([True, False]), np.float64("nan"), b"yes", h5py.Empty("i1")])
def test_a_statement_of_the_numbering_that_is_none_is_refused(tmp_path: Path, mask: object) -> None:
    path = write_hdf5(tmp_path / "obs.hdf5", STUDY, modern=True)
    with h5py.File(path, "a") as file:
        del file["mask_zero"]
        file["mask_zero"] = mask
    with pytest.raises(JudgmentsError, match=r"obs\.hdf5: mask_zero must have one boolean"):
        layout_of(path)


def test_a_zero_before_another_stimulus_is_a_stimulus(tmp_path: Path) -> None:
    study = [Judgment(5, (6, 0, 7), (0,)), Judgment(6, (3, 4, 7), (1,))]
    path = write_hdf5(tmp_path / "obs.hdf5", study, modern=False, trial_type=None)
    assert layout_of(path) is Layout.PSIZ_2018


def test_a_file_of_psiz_0_4_counts_from_0(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "obs.hdf5", [Judgment(5, (6, 7), (0,))], modern=False, trial_type="RankObservations")
    assert plain(read_observations(path, CATALOG).trials)[0]["query"] == IMAGES[5]


def test_groups_that_differ_are_kept(tmp_path: Path) -> None:
    groups = np.array([[0, 7, 2], [1, 7, 2], [0, 7, 3]])
    kept = read_observations(write_hdf5(tmp_path / "new", STUDY, modern=True, groups=groups), CATALOG).trials.extra
    assert {name: column.to_pylist() for name, column in kept.items()} == {"group_1": [0, 1, 0], "group_3": [2, 2, 3]}
    old = write_hdf5(tmp_path / "old", STUDY, modern=False, group_id=np.array([0, 1, 0]))
    kept = read_observations(old, CATALOG).trials.extra
    assert {name: column.to_pylist() for name, column in kept.items()} == {"group": [0, 1, 0]}
    with pytest.raises(JudgmentsError, match=r"groups must have integers of shape \(trials, 1 \+ references\)"):
        read_observations(write_hdf5(tmp_path / "bad", STUDY, modern=True, groups=np.zeros(3, int)), CATALOG)


def test_a_numbering_that_nothing_tells_is_asked_for(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "obs.hdf5", [Judgment(5, (6, 7), (0,))], modern=False, trial_type=None)
    with pytest.raises(JudgmentsError, match=r"--format psiz-2018 \(from 0\) or --format psiz-0\.6 \(from 1\)"):
        read_observations(path, CATALOG)
    assert plain(read_observations(path, CATALOG, Layout.PSIZ_2018).trials)[0]["query"] == IMAGES[5]
    assert plain(read_observations(path, CATALOG, Layout.PSIZ_06).trials)[0]["query"] == IMAGES[4]


def _with(array: list[list[int]]) -> dict[str, Any]:
    return {"stimulus_set": np.array(array), "n_select": np.array([1, 1]), "is_ranked": np.array([True, True])}


@pytest.mark.parametrize(
    ("replaced", "complaint"),
    [
        (
            _with([[1, 2, 3], [1, 2, 41]]),
            r"row 1 shows a stimulus that is not in catalog\.hdf5 \(40 stimuli, 1 to 40",
        ),
        (_with([[1, 2, 3], [1, 2, 2**31 - 1]]), r"row 1 shows a stimulus"),
        (_with([[1, 2, -3], [1, 2, 3]]), "row 0 has a stimulus number below 1"),
        (_with([[0, 2, 3], [1, 2, 3]]), "row 0 has padding before or between"),
        (_with([[1, 0, 3], [1, 2, 3]]), "row 0 has padding before or between"),
        (_with([[1, 2, 0], [1, 2, 3]]), "row 0 has an n_select that is not between 1 and"),
        (_with([[0, 0, 0], [1, 2, 3]]), "row 0 has padding before"),
        (_with([[1, 2, 2], [1, 3, 3]]), r"row 0 \(and 1 more\) shows a reference twice"),
        (_with([[1, 1, 3], [2, 2, 3]]), "2 catch trials and no other"),
        (_with([[1, 2, 3], [1, 2, 3]]) | {"n_select": np.array([1, 2])}, "row 1 has an n_select"),
        (_with([[1, 2, 3], [1, 2, 3]]) | {"n_select": np.array([0, 1])}, "row 0 has an n_select"),
        (_with([[1, 2, 3], [1, 2, 3]]) | {"n_select": np.array([1])}, r"n_select must have integers of shape \(2,\)"),
        (_with([[1, 2, 3], [1, 2, 3]]) | {"n_select": None}, "n_select missing; the file has"),
        (_with([[1, 2, 3], [1, 2, 3]]) | {"is_ranked": np.array([b"a", b"b"])}, "is_ranked must have integers"),
        (
            {"stimulus_set": np.array([1, 2, 3])},
            r"stimulus_set must have integers of shape \(trials, 1 \+ references\)",
        ),
        ({"stimulus_set": np.array([[1.0, np.nan, 2.0]])}, "stimulus_set must have integers"),
        ({"stimulus_set": np.zeros((0, 9), np.int32)}, "stimulus_set is empty"),
        ({"weight": np.array([1.0, np.nan, 1.0])}, "row 1 has no finite weight"),
        ({"weight": np.array([1.0, 1.0, -1.0])}, "row 2 has a negative weight"),
        ({"rt_ms": np.array([np.inf, 1.0, 1.0])}, "row 0 has no finite rt_ms"),
        ({"session_id": np.array([1, 2])}, "session_id must have integers"),
        (
            {"class_name": "TrialDataset"},
            "TrialDataset of psiz .*, not judgments .*, write them as a CSV",
        ),
        (
            {"class_name": "RateObservations"},
            "simtool reads choices among references, not ratings",
        ),
        (
            {"class_name": "RankDocket"},
            "trials without answers, .*; import the observations that belong to it",
        ),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(tmp_path: Path, replaced: dict[str, Any], complaint: str) -> None:
    study = STUDY if "stimulus_set" not in replaced else STUDY[:2]
    path = write_hdf5(tmp_path / "obs.hdf5", study, modern=True, **replaced)
    with pytest.raises(JudgmentsError, match=complaint) as failure:
        read_observations(path, CATALOG)
    assert str(failure.value).startswith(f"{path}: ")
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    path = write_hdf5(tmp_path / "obs.hdf5", STUDY, modern=True)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(JudgmentsError, match="damaged or not HDF5"):
        read_observations(path, CATALOG)


def test_a_file_that_claims_to_be_huge_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "obs.hdf5"
    with h5py.File(path, "w") as file:
        file.create_dataset("stimulus_set", shape=(10**12, 9), dtype=np.int32, chunks=(1024, 9))
        for name in ("n_select", "is_ranked"):
            file.create_dataset(name, data=np.ones(3, int))
    with pytest.raises(JudgmentsError, match="states 9,000,000,000,000 entries"):
        read_observations(path, CATALOG)


def test_a_catalog_in_place_of_judgments_is_recognized(tmp_path: Path) -> None:
    path = tmp_path / "catalog.hdf5"
    with h5py.File(path, "w") as file:
        file.create_dataset("stimulus_id", data=[1])
        file.create_dataset("stimulus_filepath", data=np.array([b"a.jpg"]))
    with pytest.raises(JudgmentsError, match=r"a catalog of stimuli .*, not judgments .*; .* takes it as --catalog"):
        read_observations(path, CATALOG)


def test_both_files_of_birds16_hold_the_same_trials(birds16: Path) -> None:
    old = read_observations(birds16 / "obs_2018.hdf5", read_catalog(birds16 / "catalog.csv"))
    new = read_observations(birds16 / "obs_v0.6.0.hdf5", read_catalog(birds16 / "catalog_v0.6.0.hdf5"))
    for trials in (old.trials, new.trials):
        kinds = [str(trials.types[index]) for index in trials.type_index]
        assert (len(trials), kinds.count("8-rank-2"), kinds.count("2-choose-1")) == (16_292, 8_772, 7_520)
        assert trials.implied.sum() == 121_556
        assert trials.images.size == 208
    for column in ("images", "trial_id", "query", "references", "selected"):
        np.testing.assert_array_equal(getattr(old.trials, column), getattr(new.trials, column))
    assert old.catch == new.catch == 0
    assert len(set(new.trials.session)) == 406
    assert new.trials.participant[0] is None
    assert np.isnan(new.trials.weight).all()


@pytest.mark.parametrize("name", ["obs_mask_zero_False", "obs_mask_zero_True", "obs_psiz_0.4_layout"])
def test_the_samples_have_their_expected_trials(formats: Path, name: str) -> None:
    folder = formats / "psiz-0.8-hdf5"
    trials = import_judgments(folder / f"{name}.hdf5", catalog=folder / "catalog.hdf5").judgments.trials
    with (folder / "expected.csv").open() as file:
        wanted = list(csv.DictReader(file))
    assert len(trials) == len(wanted)
    for row, group, text in zip(plain(trials), trials.extra["group"].to_pylist(), wanted, strict=True):
        names = [PurePath(image).stem for image in (row["query"], *row["references"])]
        assert names == [text["query"], *text["references"].split("|")]
        assert [names[1 + place] for place in row["selected"]] == text["chosen_in_order"].split("|")
        assert (row["participant"], str(group)) == (text["agent"], text["group"])
        assert (row["weight"], row["response_ms"]) == (float(text["weight"]), float(text["rt_ms"]))


@pytest.mark.parametrize("name", ["docket_mask_zero_False", "docket_mask_zero_True"])
def test_the_questions_without_answers_of_the_samples_are_refused(formats: Path, name: str) -> None:
    folder = formats / "psiz-0.8-hdf5"
    with pytest.raises(JudgmentsError, match=r"a docket of psiz .*, which holds trials without answers"):
        import_judgments(folder / f"{name}.hdf5", catalog=folder / "catalog.hdf5")
