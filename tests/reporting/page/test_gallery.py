"""The judgments of a page: unpacked, they are the outcomes."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.analysis.building import build_report
from simtool.analysis.report import Settings
from simtool.reporting.page import gallery as module
from simtool.reporting.page.gallery import gallery
from simtool.tables.outcomes import Outcomes
from tests.scored import latent, model, observe, outcomes_of

TYPES = {"8-rank-2": 25, "2-choose-1": 30, "5-choose-2": 20, "4-odd-1": 15}


@pytest.fixture(scope="module")
def distances() -> list[NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    minds = latent(rng, 14)
    # The second model has few distinct distances, so that some comparisons are ties.
    return [model(rng, minds, 1.0), np.round(model(rng, minds, 0.5) / 8)]


@pytest.fixture(scope="module")
def outcomes(distances: Sequence[NDArray[np.float64]]) -> list[Outcomes]:
    rng = np.random.default_rng(1)
    trials = observe(rng, latent(rng, 14), TYPES)
    return [outcomes_of(name, "mse", trials, own) for name, own in zip("ab", distances, strict=True)]


def unpacked(text: str, kind: str = "u1") -> NDArray[Any]:
    return np.frombuffer(b64decode(text), kind)


def credit_of(content: Mapping[str, Any], place: int) -> NDArray[np.float64]:
    packed = unpacked(content["credit"][place])
    credit: NDArray[np.float64] = ((packed[:, None] >> np.array([0, 2, 4, 6])) & 3).ravel() / 2
    return credit


def test_the_comparisons_of_a_display_have_the_credit_of_its_distances(
    outcomes: list[Outcomes], distances: Sequence[NDArray[np.float64]]
) -> None:
    found = gallery(outcomes, build_report(outcomes, Settings(replicates=100)))
    assert found is not None
    content = found.content
    trials = outcomes[0].trials
    shown = unpacked(content["shown"], "<u2").reshape(len(trials), content["longest"])
    place = {str(name): at for at, name in enumerate(trials.images)}
    ties = 0
    for at, (name, _) in enumerate(content["models"]):
        own, credit, start = distances["ab".index(name)], credit_of(content, at), 0
        for trial, kind in enumerate(unpacked(content["type"])):
            images = [-1 if each == 0xFFFF else place[content["images"][each]] for each in shown[trial]]
            for anchor, near, far in content["types"][kind]["comparisons"]:
                one, two = own[images[anchor], images[near]], own[images[anchor], images[far]]
                assert credit[start] == (0.5 if one == two else float(one < two))
                ties += one == two
                start += 1
    assert ties > 10


def test_a_display_shows_the_query_then_what_was_selected_then_the_others(outcomes: list[Outcomes]) -> None:
    found = gallery(outcomes, build_report(outcomes, Settings(replicates=100)))
    assert found is not None
    trials, content = outcomes[0].trials, found.content
    names = [*content["images"], *[None] * (0x10000 - len(content["images"]))]
    shown = unpacked(content["shown"], "<u2").reshape(len(trials), content["longest"])
    for trial in range(len(trials)):
        kind = trials.types[trials.type_index[trial]]
        references = trials.references[trial, : kind.n_reference]
        chosen = references[trials.selected[trial, : kind.n_select]]
        others = [one for one in references if one not in chosen]
        expected = [trials.images[one] for one in (*chosen, *others)]
        query = trials.images[trials.query[trial]] if kind.has_query else None
        assert [names[each] for each in shown[trial, : 1 + kind.n_reference]] == [query, *expected]


def test_the_models_have_the_order_of_the_report(outcomes: list[Outcomes]) -> None:
    report = build_report(outcomes, Settings(replicates=100))
    found = gallery(outcomes, report)
    assert found is not None
    assert found.content["models"] == [[row.model, row.distance] for row in report.rows[:2]]


def test_a_report_of_one_type_shows_its_judgments_alone(outcomes: list[Outcomes]) -> None:
    report = build_report(outcomes, Settings(replicates=100)).of_type("2-choose-1")
    found = gallery(outcomes, report)
    assert found is not None
    assert found.shown == found.total == TYPES["2-choose-1"]


def test_where_all_judgments_would_be_too_many_a_random_part_is_shown(
    outcomes: list[Outcomes], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = build_report(outcomes, Settings(replicates=100))
    whole = gallery(outcomes, report)
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    part = gallery(outcomes, report)
    assert whole is not None
    assert part is not None
    assert 0 < part.shown < whole.shown == part.total
    packed = [part.content["shown"], part.content["type"], *part.content["credit"]]
    assert sum(len(b64decode(text)) for text in packed) < 1100
    assert gallery(outcomes, report) == part


def test_thumbnails_are_made_of_the_shown_images_only(outcomes: list[Outcomes]) -> None:
    asked: list[str] = []

    def made(ids: Sequence[str]) -> dict[str, bytes]:
        asked.extend(ids)
        return {name: name.encode() for name in ids[1:]}

    found = gallery(outcomes, build_report(outcomes, Settings(replicates=100)), made)
    assert found is not None
    assert found.content["images"] == asked
    assert [b64decode(text).decode() for text in found.content["thumbnails"]] == ["", *asked[1:]]


def test_where_very_many_images_were_judged_the_trials_of_some_are_shown(
    outcomes: list[Outcomes], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = build_report(outcomes, Settings(replicates=100))
    monkeypatch.setattr(module, "MOST_IMAGES", 11)
    found = gallery(outcomes, report, lambda ids: dict.fromkeys(ids, b"webp"))
    assert found is not None
    assert 9 <= len(found.content["thumbnails"]) == len(found.content["images"]) <= 11
    assert 0 < found.shown < found.total
    assert list(found.notes) == [
        f"They show {len(found.content['images'])} of 14 images, so that the page stays small."
    ]
    whole = gallery(outcomes, report)
    assert whole is not None
    assert len(whole.content["images"]) == 14, "names take little space"


def test_models_and_sets_of_judgments_that_are_left_out_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_MODELS", 2)
    rng = np.random.default_rng(2)
    minds = latent(rng, 14)
    one, other = (observe(rng, minds, {"2-choose-1": count}, who=str(count)) for count in (30, 60))
    scored = [
        outcomes_of(name, "mse", trials, model(rng, minds, 1))
        for trials, names in ((one, "abc"), (other, "d"))
        for name in names
    ]
    found = gallery(scored, build_report(scored, Settings(replicates=100)))
    assert found is not None
    assert found.total == 30
    assert len(found.content["models"]) == 2
    assert list(found.notes) == [
        "They are one of 2 sets of judgments, on which the most models were scored.",
        "They show the first 2 of 3 pairs of model and distance.",
    ]
    assert not gallery(scored[:2], build_report(scored[:2], Settings(replicates=100))).notes  # type: ignore[union-attr]


def test_outcomes_whose_credit_does_not_fit_in_two_bits_are_left_out(outcomes: list[Outcomes]) -> None:
    share = replace(outcomes[1], credit=np.full_like(outcomes[1].credit, 0.8))
    scored = [outcomes[0], share]
    found = gallery(scored, build_report(scored, Settings(replicates=100)))
    assert found is not None
    assert [name for name, _ in found.content["models"]] == [outcomes[0].model]
    assert list(found.notes) == ["They leave out 1 outcome with other credit than 0, 1/2 and 1."]
