"""The noise ceilings of studies: of real judgments, of coins, and of observers whose probabilities are known."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.analysis import judged
from simtool.analysis.ceilings import noise_ceilings
from simtool.analysis.inference.intervals import Interval
from simtool.analysis.metrics import METRICS, ODD_ONE_OUT, TRIPLET_ACCURACY
from simtool.analysis.noise_ceiling import NoiseCeiling, best_accuracy, highest_accuracy
from simtool.analysis.study import Study
from simtool.judgments.comparisons import Comparisons
from simtool.judgments.importing import import_judgments
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials
from simtool.toy.observers import simulate_judgments
from simtool.toy.population import draw_population
from simtool.toy.truth import preferences
from tests.scored import latent, model, observe, outcomes_of

ALL = list(METRICS.values())


def _ceilings(*outcomes: Outcomes, weighted: bool = False, enough: int = 2) -> dict[tuple[str, str], NoiseCeiling]:
    study = Study(outcomes[0].trials, weighted)
    found = noise_ceilings(study, outcomes, ALL, 0.95, enough)
    return {(each.trial_type, each.metric.name): each for each in found}


def _pairs(
    rng: np.random.Generator, displays: int, judgments: int, images: int = 40
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Distinct displays of a query and two references, and the display of each judgment."""
    shown = np.argsort(rng.random((2 * displays, images)), axis=1)[:, :3]
    shown[:, 1:].sort(axis=1)
    return rng.permutation(np.unique(shown, axis=0))[:displays], np.repeat(np.arange(displays), judgments)


def _judged(
    shown: NDArray[np.intp], first: NDArray[np.bool_], images: int = 40, **columns: Any
) -> tuple[Trials, NDArray[np.bool_]]:
    """2-choose-1 trials in which people chose the first reference or not."""
    names = [f"image-{number:02}" for number in range(images)]
    kinds = ["2-choose-1"] * len(first)
    trials = Trials.build(names, kinds, shown[:, 0], shown[:, 1:], (~first).astype(int)[:, None], **columns)
    return trials, first


def test_coin_flippers_agree_by_chance_and_leave_no_way_to_go() -> None:
    rng = np.random.default_rng(0)
    shown, display = _pairs(rng, 1500, 6)
    trials, first = _judged(shown[display], rng.random(display.size) < 0.5)
    (found,) = _ceilings(Outcomes("first", "mse", trials, first.astype(np.float32))).values()
    assert found.agreement is not None
    assert found.best is not None
    assert found.agreement.low <= 0.5 <= found.agreement.high
    assert found.agreement.estimate == pytest.approx(0.5, abs=0.01)
    assert found.best.low == 0.5
    assert found.best.estimate < 0.56
    assert found.bracket is not None
    assert found.bracket[1] < 0.57
    assert found.reached[0].share is None


def test_a_model_that_knows_the_probabilities_gets_all_the_way_and_a_coin_gets_nowhere() -> None:
    rng = np.random.default_rng(1)
    shown, display = _pairs(rng, 2000, 4)
    probability = rng.beta(0.7, 0.7, 2000)
    trials, first = _judged(shown[display], rng.random(display.size) < probability[display])
    right = first == (probability > 0.5)[display]
    models = {"knows": right, "coin": rng.random(display.size) < 0.5}
    found = _ceilings(*(Outcomes(name, "mse", trials, own.astype(np.float32)) for name, own in models.items()))
    ceiling = found["2-choose-1", "triplet_accuracy"]
    knows, coin = ceiling.reached
    assert ceiling.best is not None
    assert ceiling.best.estimate == pytest.approx(np.maximum(probability, 1 - probability).mean(), abs=0.015)
    assert knows.accuracy.estimate == pytest.approx(right.mean(), abs=1e-7)
    for reach, truth in ((knows, 1), (coin, 0)):
        assert reach.share is not None
        assert reach.share.low <= truth <= reach.share.high
        assert reach.share.high - reach.share.low < 0.15
        way = ceiling.best.estimate - 0.5
        assert reach.share.estimate == pytest.approx((reach.accuracy.estimate - 0.5) / way)


def test_the_interval_of_a_share_holds_the_error_of_the_noise_ceiling() -> None:
    rng = np.random.default_rng(2)
    shown, display = _pairs(rng, 600, 2)
    probability = rng.beta(0.7, 0.7, 600)
    trials, _ = _judged(shown[display], rng.random(display.size) < probability[display])
    (found,) = _ceilings(Outcomes("right", "mse", trials, np.ones(display.size, np.float32))).values()
    # An accuracy of 1 does not vary, so that only the noise ceiling does.
    share = found.reached[0].share
    assert share is not None
    assert found.best is not None
    assert share.low == pytest.approx(0.5 / (found.best.high - 0.5), rel=0.02)
    assert share.high == pytest.approx(0.5 / (found.best.low - 0.5), rel=0.02)
    assert share.high - share.low > 0.1


@pytest.mark.parametrize(("judgments", "enough"), [(999, False), (1000, True)])
def test_fewer_than_1000_repeated_judgments_are_counted_and_give_no_noise_ceiling(judgments: int, enough: bool) -> None:
    shown = np.array([[0, 1, 2]] * judgments + [[3, 1, 2]])
    trials, first = _judged(shown, np.arange(judgments + 1) % 3 > 0)
    (found,) = noise_ceilings(Study(trials), [Outcomes("m", "mse", trials, first.astype(np.float32))], ALL, 0.95)
    assert (found.distinct, found.repeated, found.judgments) == (2, 1, judgments)
    assert [found.agreement is None, found.best is None, found.bracket is None, not found.reached] == [not enough] * 4


def test_unanimous_judgments_have_an_agreement_of_one() -> None:
    shown, display = _pairs(np.random.default_rng(0), 20, 3)
    trials, first = _judged(shown[display], np.ones(display.size, bool))
    (found,) = _ceilings(Outcomes("m", "mse", trials, first.astype(np.float32))).values()
    assert found.agreement is not None
    assert (found.agreement.estimate, found.agreement.high, found.bracket) == (1, 1, (1, 1))
    assert found.agreement.low < 0.95
    assert found.best is not None
    assert found.best.estimate == 1


def test_a_pool_of_trial_types_has_none_and_each_type_has_its_own() -> None:
    rng = np.random.default_rng(3)
    minds = latent(rng, 7)
    trials = observe(rng, minds, {"2-choose-1": 300, "4-rank-2": 100, "3-odd-1": 200})
    found = _ceilings(outcomes_of("m", "mse", trials, model(rng, minds, 0.5)))
    assert set(found) == {
        ("2-choose-1", "triplet_accuracy"),
        ("4-rank-2", "triplet_accuracy"),
        ("3-odd-1", "triplet_accuracy"),
        ("3-odd-1", "odd_one_out"),
    }
    for (kind, _), ceiling in found.items():
        alone = trials.of_type(next(each for each in trials.types if str(each) == kind))
        assert ceiling.judgments <= alone.size * 5


def test_a_person_does_not_agree_with_themselves() -> None:
    shown = np.array([[0, 1, 2]] * 4)
    trials, first = _judged(shown, np.array([True, True, False, False]), participant=["a", "a", "b", "c"])
    (found,) = _ceilings(Outcomes("m", "mse", trials, first.astype(np.float32))).values()
    # The judgments of a agree with nobody, and each of the others with one of three.
    assert found.agreement is not None
    assert found.agreement.estimate == pytest.approx((0 + 0 + 1 / 3 + 1 / 3) / 4)


def test_weights_count_in_agreement_and_accuracy() -> None:
    shown = np.array([[0, 1, 2]] * 3 + [[0, 1, 3]] * 2)
    weight = [1.0, 1.0, 4.0, 2.0, 0.0]
    trials, first = _judged(shown, np.array([True, True, False, True, True]), weight=weight)
    (found,) = _ceilings(Outcomes("m", "mse", trials, first.astype(np.float32)), weighted=True).values()
    assert (found.repeated, found.judgments) == (1, 3)
    assert found.agreement is not None
    assert found.agreement.estimate == pytest.approx((1 / 5 + 1 / 5) / 6)
    assert found.reached[0].accuracy.estimate == pytest.approx(2 / 6)


def test_odd_one_out_sets_have_three_answers() -> None:
    rng = np.random.default_rng(4)
    images = rng.permutation(list(combinations(range(30), 3)))[:900]
    probability = rng.dirichlet([0.8] * 3, 900)
    display = np.repeat(np.arange(900), 4)
    odd = (rng.random(display.size)[:, None] > probability[display].cumsum(axis=1)).sum(axis=1)
    names = [str(number) for number in range(30)]
    trials = Trials.build(
        names, ["3-odd-1"] * display.size, np.full(display.size, -1), images[display], odd[:, np.newaxis]
    )
    best = probability.argmax(axis=1)[display]
    found = Comparisons.of(trials)
    # If the model puts two other images together, the comparison of the image that both pairs hold is wrong.
    shared = (best != odd)[found.trial] & (images[display, best][found.trial] != found.anchor)
    credit = (~shared).astype(np.float32)
    ceiling = _ceilings(Outcomes("knows", "mse", trials, credit))["3-odd-1", "odd_one_out"]
    assert (ceiling.answers, ceiling.judged, ceiling.judgments) == (3, "sets of three images", display.size)
    assert ceiling.agreement is not None
    assert ceiling.best is not None
    truth = (probability**2).sum(axis=1).mean()
    assert ceiling.agreement.low <= truth <= ceiling.agreement.high
    assert ceiling.bracket == (ceiling.agreement.estimate, highest_accuracy(ceiling.agreement.estimate, 3))
    assert ceiling.best.low <= probability.max(axis=1).mean() <= ceiling.best.high
    (reach,) = ceiling.reached
    assert reach.accuracy.estimate == pytest.approx((best == odd).mean())
    assert reach.share is not None
    assert reach.share.low <= 1 <= reach.share.high


def test_models_are_measured_in_turns_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    minds = latent(rng, 6)
    trials = observe(rng, minds, {"2-choose-1": 300})
    scored = [outcomes_of(f"m{noise}", "mse", trials, model(rng, minds, noise)) for noise in (0.1, 1, 3)]
    together = _ceilings(*scored)
    monkeypatch.setattr(judged, "AT_ONCE", 300)
    assert _numbers(_ceilings(*scored)) == pytest.approx(_numbers(together), rel=1e-9)


def _numbers(found: dict[tuple[str, str], NoiseCeiling]) -> list[float]:
    (ceiling,) = found.values()
    kept = [
        ceiling.agreement,
        ceiling.best,
        *(part for each in ceiling.reached for part in (each.accuracy, each.share)),
    ]
    return [end for one in kept if one is not None for end in (one.estimate, one.low, one.high)]


@pytest.mark.parametrize("file", ["obs_2018.hdf5", "obs_v0.6.0.hdf5"])
def test_birds_16_agrees_with_the_audit(birds16: Path, file: str) -> None:
    trials = import_judgments(birds16 / file, catalog=birds16 / "catalog_v0.6.0.hdf5").judgments.trials
    credit = np.ones(len(Comparisons.of(trials)), np.float32)
    found = {
        each.trial_type: each
        for each in noise_ceilings(Study(trials), [Outcomes("m", "mse", trials, credit)], [TRIPLET_ACCURACY], 0.95)
    }
    pairs, ranks = found["2-choose-1"], found["8-rank-2"]
    assert (pairs.distinct, pairs.repeated, pairs.judgments) == (2914, 1749, 6355)
    assert (ranks.repeated, ranks.judgments) == (3486, 7234)
    for ceiling, agreement, bracket, best in (
        (pairs, 0.7109, (0.711, 0.825), (0.77, 0.79)),
        (ranks, 0.7606, (0.761, 0.861), (0.82, 0.84)),
    ):
        assert ceiling.agreement is not None
        assert ceiling.best is not None
        assert ceiling.bracket is not None
        assert round(ceiling.agreement.estimate, 4) == agreement
        assert tuple(round(end, 3) for end in ceiling.bracket) == bracket
        assert best[0] <= ceiling.best.estimate <= best[1]


def _truth(ceiling_of: Trials, probability: NDArray[np.float64]) -> dict[str, float]:
    """The accuracy of the best model on the repeated judgments, by trial type, from (T, 8, 8) true preferences."""
    found = Comparisons.of(ceiling_of)
    references = ceiling_of.references[found.trial]
    near, far = ((references == side[:, None]).argmax(axis=1) for side in (found.near, found.far))
    first = np.where(found.near < found.far, *(probability[found.trial, a, b] for a, b in ((near, far), (far, near))))
    low, high = np.minimum(found.near, found.far), np.maximum(found.near, found.far)
    truth = {}
    for place, kind in enumerate(ceiling_of.types):
        own = ceiling_of.type_index[found.trial] == place
        _, code = np.unique(np.stack([found.anchor, low, high])[:, own], axis=1, return_inverse=True)
        count = np.bincount(code.ravel())
        mean = np.bincount(code.ravel(), first[own]) / count
        repeated = (count > 1)[code.ravel()]
        truth[str(kind)] = float(np.maximum(mean, 1 - mean)[code.ravel()][repeated].mean())
    return truth


def test_in_the_demo_the_estimate_is_near_the_truth() -> None:
    errors: dict[str, list[float]] = {"8-rank-2": [], "2-choose-1": []}
    truths: dict[str, list[float]] = {"8-rank-2": [], "2-choose-1": []}
    for seed in range(6):
        population = draw_population(seed, images_per_species=12)
        judged = simulate_judgments(population, 60, seed)
        kinds = np.where((judged.references >= 0).sum(axis=1) == 8, "8-rank-2", "2-choose-1").tolist()
        trials = Trials.build(
            population.image_id, kinds, judged.query, judged.references, judged.selected, participant=judged.participant
        )
        credit = np.ones(len(Comparisons.of(trials)), np.float32)
        truth = _truth(trials, preferences(population, judged))
        for (kind, _), found in _ceilings(Outcomes("m", "mse", trials, credit)).items():
            assert found.best is not None
            errors[kind].append(found.best.estimate - truth[kind])
            truths[kind].append(truth[kind])
    assert abs(np.mean(errors["8-rank-2"])) < 0.025
    assert abs(np.mean(errors["2-choose-1"])) < 0.025
    assert np.mean(truths["8-rank-2"]) == pytest.approx(0.85, abs=0.01)
    assert np.mean(truths["2-choose-1"]) == pytest.approx(0.708, abs=0.01)


@pytest.mark.slow
def test_intervals_hold_the_truth_about_as_often_as_they_promise() -> None:
    """New people, who differ in care, judge new comparisons; some images make all comparisons easy."""
    rng = np.random.default_rng(0)
    held: dict[str, list[bool]] = {"agreement": [], "best": []}
    care = rng.uniform(0.4, 1, 100_000)
    for _ in range(150):
        shown, display = _pairs(rng, 400, 4, 60)
        person = rng.integers(0, 25, display.size)
        heed = rng.choice(care, 25)
        clear = rng.beta(0.7, 0.7, 400)
        probability = 0.5 + heed[person] * (clear[display] - 0.5)
        names = [f"person-{number}" for number in person]
        trials, first = _judged(shown[display], rng.random(display.size) < probability, 60, participant=names)
        (found,) = _ceilings(Outcomes("m", "mse", trials, first.astype(np.float32))).values()
        truth = 0.5 + 2 * care.mean() ** 2 * (1.7 / 2.4 / 2 - 0.25)
        held["agreement"].append(_holds(found.agreement, truth))
        held["best"].append(_holds(found.best, 0.5 + care.mean() * (best_accuracy(1.7 / 2.4, 2) - 0.5)))
    assert 0.91 <= np.mean(held["agreement"]) <= 0.99
    assert np.mean(held["best"]) >= 0.85


def _holds(found: Interval | None, truth: float) -> bool:
    return found is not None and found.low <= truth <= found.high


def test_only_wanted_metrics_have_one() -> None:
    trials, first = _judged(np.array([[0, 1, 2]] * 3), np.ones(3, bool))
    outcomes = [Outcomes("m", "mse", trials, first.astype(np.float32))]
    assert list(noise_ceilings(Study(trials), outcomes, [ODD_ONE_OUT, METRICS["top_1"]], 0.95)) == []


def test_differences_from_people_are_those_of_means_with_the_same_covariance() -> None:
    """A model that answers like one other person, drawn from each comparison's judgments, is as good as one person."""
    rng = np.random.default_rng(8)
    shown, display = _pairs(rng, 400, 5)
    p = rng.beta(2, 2, 400)[display]
    trials, first = _judged(shown[display], rng.random(display.size) < p)
    answers = rng.random(400) < rng.beta(2, 2, 400)
    credit = {"right": np.maximum(p, 1 - p) == np.where(first, p, 1 - p), "random": answers[display] == first}
    models = [Outcomes(name, "mse", trials, own.astype(np.float32)) for name, own in credit.items()]
    (found,) = _ceilings(*models).values()
    assert found.agreement is not None
    assert found.best is not None
    for each in found.reached:
        assert each.from_person.estimate == pytest.approx(each.accuracy.estimate - found.agreement.estimate)
        assert each.from_best is not None
        assert each.from_best.estimate == pytest.approx(each.accuracy.estimate - found.best.estimate)
        assert each.from_person.p_value is not None
        assert each.from_person.p_holm is not None
        assert each.from_person.p_value <= each.from_person.p_holm <= 2 * each.from_person.p_value
    right, random = found.reached
    assert right.from_person.low is not None
    assert right.from_person.low > 0
    assert right.from_best is not None
    assert right.from_best.low is not None
    assert right.from_best.high is not None
    assert right.from_best.low < 0 < right.from_best.high
    assert random.from_person.high is not None
    assert random.from_person.high < 0
