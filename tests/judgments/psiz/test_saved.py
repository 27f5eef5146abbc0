from __future__ import annotations

import csv
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.judgments.assembly import Judgments, JudgmentsError
from simtool.judgments.importing import import_judgments
from tests.studies import IMAGES, plain, write_hdf5_catalog

STIMULI = np.array([[3, 1, 10, 11, 12], [9, 4, 6, 12, 5]], np.int32)


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return write_hdf5_catalog(tmp_path / "catalog.hdf5")


def saved(folder: Path, **arrays: Any) -> Path:
    """Save arrays; those of psiz, unless they are given or None."""
    stored = {"given4rank2_stimulus_set": STIMULI, "outcome": np.array([1, 11])} | arrays
    np.savez(folder / "trials.npz", **{name: values for name, values in stored.items() if values is not None})
    return folder / "trials.npz"


def read(path: Path, catalog: Path | None) -> Judgments:
    reading = import_judgments(path, catalog=catalog)
    assert reading.format == "psiz-npz"
    return reading.judgments


def test_an_outcome_is_the_number_of_an_ordered_selection(tmp_path: Path, catalog: Path) -> None:
    first, second = plain(read(saved(tmp_path), catalog).trials)
    assert first["query"] == IMAGES[2]
    assert first["references"] == [IMAGES[image] for image in (0, 9, 10, 11)]
    assert (first["kind"], first["selected"], second["selected"]) == ("4-rank-2", [0, 2], [3, 2])


@settings(max_examples=25, deadline=None)
@given(n=st.integers(2, 6), k=st.integers(1, 6), one_hot=st.booleans(), data=st.data())
def test_outcomes_are_in_the_order_of_permutations(
    n: int, k: int, one_hot: bool, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("saved")
    k = min(k, n)
    outcomes = list(permutations(range(n), k))
    index = np.array(data.draw(st.lists(st.integers(0, len(outcomes) - 1), min_size=1, max_size=9)))
    arrays: dict[str, Any] = {
        f"given{n}rank{k}_stimulus_set": np.tile(np.arange(1, n + 2), (index.size, 1)),
        "rank_outcome": np.eye(len(outcomes), dtype=np.float32)[index] if one_hot else index,
    }
    np.savez(folder / "t.npz", **arrays)
    found = plain(read(folder / "t.npz", write_hdf5_catalog(folder / "catalog.hdf5")).trials)
    # The last one of all references is no choice.
    assert [row["selected"] for row in found] == [list(outcomes[place][: min(k, n - 1)]) for place in index]


def test_groups_weights_and_times_come_along(tmp_path: Path, catalog: Path) -> None:
    path = saved(
        tmp_path,
        agent=np.array([[4], [0]]),
        given4rank2_sample_weight=np.array([1, 0.5], np.float16),
        given4rank2_response_time_ms=np.array([-1.0, 812]),
        condition=np.array(["a", "b"]),
        level=np.array([[0.5], [1]], ">f4"),
        gate=np.zeros((2, 3)),
        version=np.array(13),
    )
    judgments = read(path, catalog)
    first, second = plain(judgments.trials)
    assert [first["participant"], second["participant"]] == ["4", "0"]
    assert [first["weight"], second["weight"]] == [1, 0.5]
    assert [first["response_ms"], second["response_ms"]] == [None, 812]
    extra = {name: column.to_pylist() for name, column in judgments.trials.extra.items()}
    assert extra == {"condition": ["a", "b"], "level": [0.5, 1]}
    assert judgments.notes == ("left out arrays that have no value for each trial: version, gate",)


def test_equal_agents_and_weights_of_one_are_placeholders(tmp_path: Path, catalog: Path) -> None:
    first, _ = plain(read(saved(tmp_path, agent=np.zeros(2, int), sample_weight=np.ones(2)), catalog).trials)
    assert (first["participant"], first["weight"]) == (None, None)


def test_a_timestep_axis_becomes_trials_and_placeholders_are_left_out(tmp_path: Path, catalog: Path) -> None:
    stimuli = np.zeros((2, 3, 7), int)
    stimuli[0, :2, :5], stimuli[1, 0, :5] = STIMULI, STIMULI[0]
    outcome = np.zeros((2, 3, 12))
    outcome[0, 0, 5] = outcome[0, 1, 11] = outcome[1, 0, 0] = 1
    path = saved(tmp_path, given4rank2_stimulus_set=stimuli, outcome=outcome, agent=np.array([[[1]] * 3, [[2]] * 3]))
    judgments = read(path, catalog)
    rows = plain(judgments.trials)
    assert judgments.notes == ("left out 3 placeholders (trials of zeros)",)
    assert [(row["trial_id"], row["participant"], row["selected"]) for row in rows] == [
        (0, "1", [1, 3]),
        (1, "1", [3, 2]),
        (3, "2", [0, 1]),
    ]


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"outcome": np.array([1, 12])}, "row 1 has an outcome that is not between 0 and 11"),
        ({"outcome": np.array([-1, 2])}, "row 0 has an outcome that is not between 0 and 11"),
        ({"outcome": np.eye(13)[[1, 12], :12]}, "row 1 has an outcome that is not between 0 and 11"),
        ({"outcome": None}, r"one array of outcomes is needed, .* it has none; save them with numpy\.savez"),
        ({"my_outcome": np.array([1, 2])}, "one array of outcomes is needed, .* it has outcome, my_outcome"),
        ({"outcome": np.eye(4)[:2]}, "outcome has outcomes of 1 selections, unlike given4rank2_stimulus_set"),
        ({"given3rank1_stimulus_set": STIMULI}, "one array of stimuli is needed"),
        ({"agent": np.array([1, 2]), "my_agent": np.array([1, 2])}, "agent, my_agent: which of them counts"),
        ({"sample_weight": np.array(["a", "b"])}, "sample_weight should be numbers; it is <U1"),
        ({"sample_weight": np.array([1, np.inf])}, "row 1 has no finite sample_weight"),
        ({"given4rank2_stimulus_set": STIMULI[0]}, r"should have the shape \(trials, 1 \+ references\)"),
        ({"given4rank2_stimulus_set": STIMULI * 0}, "every trial is a placeholder"),
        ({"given4rank2_stimulus_set": STIMULI - 1}, "row 0 has a stimulus number below 1 beside others"),
        ({"given4rank2_stimulus_set": STIMULI + 29}, "row 0 .*shows a stimulus that is not in .* 1 to 40"),
        ({"given4rank2_stimulus_set": STIMULI + 0.5}, "row 0.* has 3.5, which is not a whole number"),
        ({"given4rank2_stimulus_set": STIMULI[:, :4]}, "shows 3 references, unlike its name"),
    ],
)
def test_what_is_unclear_is_refused(tmp_path: Path, catalog: Path, arrays: dict[str, Any], complaint: str) -> None:
    with pytest.raises(JudgmentsError, match=complaint):
        read(saved(tmp_path, **arrays), catalog)


def test_the_number_of_selections_must_be_clear(tmp_path: Path, catalog: Path) -> None:
    unnamed = {"given4rank2_stimulus_set": None, "my_stimulus_set": STIMULI}
    with pytest.raises(JudgmentsError, match="the number of selections is unclear: name the stimuli as psiz does"):
        read(saved(tmp_path, **unnamed), catalog)
    one_hot = np.eye(12)[[1, 11]]
    assert plain(read(saved(tmp_path, **unnamed, outcome=one_hot), catalog).trials)[0]["selected"] == [0, 2]


def test_a_catalog_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(JudgmentsError, match="it shows stimuli by number: name their images with --catalog"):
        read(saved(tmp_path), None)


@pytest.fixture
def sample_catalog(formats: Path, tmp_path: Path) -> Path:
    """The names of the sample in the layout of a catalog."""
    lines = (formats / "psiz-0.13" / "stimuli.csv").read_text().splitlines()
    (tmp_path / "names.csv").write_text("\n".join(["id_1based,filepath", *lines[1:]]))
    return tmp_path / "names.csv"


@pytest.mark.parametrize("name", ["trials", "exported"])
def test_the_samples_have_their_expected_trials(formats: Path, sample_catalog: Path, name: str) -> None:
    trials = read(formats / "psiz-0.13" / f"{name}.npz", sample_catalog).trials
    with (formats / "psiz-0.13" / "expected.csv").open() as file:
        wanted = list(csv.DictReader(file))
    for row, text in zip(plain(trials), wanted, strict=True):
        assert [row["query"], *row["references"]] == [text["query"], *text["references"].split("|")]
        assert [row["references"][place] for place in row["selected"]] == text["chosen_in_order"].split("|")
        assert (row["participant"], row["weight"]) == (text["agent"], float(text["weight"]))


def test_a_folder_of_tf_data_says_how_to_save_its_arrays(formats: Path, sample_catalog: Path) -> None:
    with pytest.raises(JudgmentsError, match=r"tf\.data\.Dataset\.load, and save its arrays with numpy\.savez"):
        import_judgments(formats / "psiz-0.13" / "tf-data", catalog=sample_catalog)
