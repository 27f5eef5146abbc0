"""Strata of the real judgments by species and families: exact counts, models that know labels only, and a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from simtool import stages
from simtool.analysis.labels import LABELS, SAME
from simtool.analysis.report import Report, Split
from tests.replication.accuracies import Run

LABEL_MODEL = "class and group labels"
STRATA = {"class": 29_570, "group": 44_095, "silent": 47_891}


@pytest.fixture(scope="module")
def trials(birds16: Path, folder: Path, run: Run) -> Path:
    out = folder / "sessions.parquet"
    run("import-trials", birds16 / "obs_v0.6.0.hdf5", "--catalog", birds16 / "catalog_v0.6.0.hdf5", "--out", out)
    return out


@pytest.fixture(scope="module")
def outcomes(images: Path, trials: Path, vectors: Path, folder: Path, run: Run) -> Path:
    run("embed", images, "--model", "pixels", "--out", folder / "pixels.parquet")
    tables = [folder / "pixels.parquet", vectors / "efficientnet-lite2-pool.parquet"]
    out = folder / "labelled.parquet"
    names = [word for name in ("pixels", "network") for word in ("--name", name)]
    run("score", *tables, *names, "--trials", trials, "--images", images, "--out", out)
    return out


@pytest.fixture(scope="module")
def report(outcomes: Path) -> Report:
    return stages.report(outcomes, baseline=f"{LABEL_MODEL}:{SAME}", difficulty="agreement", replicates=100)


def split_of(report: Report, model: str, distance: str) -> Split:
    (found,) = (
        each for each in report.splits if (each.by, each.whole.model, each.whole.distance) == (LABELS, model, distance)
    )
    return found


def accuracies(split: Split) -> dict[str, float]:
    return {row.part.name: row.estimate for row in split.parts if row.part is not None}


@pytest.mark.slow
def test_the_strata_have_so_many_comparisons(report: Report) -> None:
    for split in report.splits:
        assert {row.part.name: row.comparisons for row in split.parts if row.part is not None} == STRATA


@pytest.mark.slow
def test_labels_predict_so_much_where_they_tell_the_answer(report: Report) -> None:
    found = {name: round(each, 4) for name, each in accuracies(split_of(report, LABEL_MODEL, SAME)).items()}
    assert found == {"class": 0.9158, "group": 0.8788, "silent": 0.5}
    whole = {
        row.model: round(row.estimate, 4) for row in report.rows if row.trial_type == "all" and row.distance == SAME
    }
    assert whole == {"class labels": 0.6011, "group labels": 0.7089, LABEL_MODEL: 0.7385}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "distance", "expected"),
    [("pixels", "mse", (0.561, 0.532, 0.506)), ("network", "cosine", (0.884, 0.848, 0.643))],
)
def test_models_predict_so_much_in_each_stratum(
    model: str, distance: str, expected: tuple[float, ...], report: Report
) -> None:
    split = split_of(report, model, distance)
    assert list(accuracies(split).values()) == pytest.approx(list(expected), abs=0.001)
    assert sum(split.advantages) == pytest.approx(split.advantage, abs=1e-15)


@pytest.mark.slow
def test_the_network_predicts_more_than_the_labels(report: Report) -> None:
    (row,) = (
        each for each in report.rows if (each.model, each.distance, each.trial_type) == ("network", "cosine", "all")
    )
    assert row.difference is not None
    assert row.difference.estimate == pytest.approx(0.0373, abs=0.001)
    assert row.difference.standard_error == pytest.approx(0.0041, rel=0.1)


@pytest.mark.slow
def test_other_sessions_judged_each_type(report: Report) -> None:
    (judges,) = report.difficulties[0].judges
    assert (judges.called, judges.counts, judges.shared) == ("sessions", (326, 80), 0)
    people = {(each.people.trial_type, len(each.people.names)) for each in report.spreads}
    assert people == {("8-rank-2", 326), ("2-choose-1", 80)}
