"""Tables and models of version 0.1 can be read and give the same numbers.

``tests/fixtures/version_0_1`` holds what the commands of version 0.1 made of 32 toy images and 624 judgments of 8
simulated observers: pixels of 4 x 4, their 6 principal components, half-precision parts, outcomes, and a report. Its
Glow was trained on other toy images; ``latent.npy`` and ``activations.npy`` hold these layers of the 32.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from simtool.analysis.metrics import METRICS
from simtool.cli import app
from simtool.models.registry import load_model
from simtool.tables.embeddings import open_embeddings
from simtool.tables.outcomes import read_outcomes

OLD = Path(__file__).parents[1] / "fixtures" / "version_0_1"
TABLES = ["images", "trials", "pixels", "pca", "halves", "outcomes", "by-segment"]
#: The columns that identify a number of a report, and the number of its trials.
KEYS = ("model", "distance", "trial_type", "metric")
COUNTS = ("estimate", "chance", "trials", "comparisons", "ties")
#: The comparison with a baseline.
TESTS = ("difference", "difference_low", "difference_high", "p_value", "p_holm")


def run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, [str(word) for word in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_valid_still(name: str) -> None:
    path = OLD / (name if name == "halves" else f"{name}.parquet")
    assert "a valid table of" in run("show", path)


def test_scores_are_the_same_to_the_last_comparison(tmp_path: Path) -> None:
    tables = [OLD / "pixels.parquet", OLD / "pca.parquet", OLD / "halves"]
    run("score", *tables, "--trials", OLD / "trials.parquet", "--out", tmp_path / "outcomes.parquet")
    for old, new in zip(
        read_outcomes([OLD / "outcomes.parquet"]), read_outcomes([tmp_path / "outcomes.parquet"]), strict=True
    ):
        assert (old.model, old.distance) == (new.model, new.distance)
        np.testing.assert_array_equal(old.credit, new.credit)


def test_a_report_gives_the_same_numbers() -> None:
    outcomes = [OLD / "outcomes.parquet", OLD / "by-segment.parquet"]
    rows = json.loads(run("report", *outcomes, "--json", "-", "--replicates", "200", "--baseline", "pixels"))
    found = {tuple(row[key] for key in KEYS): row for row in rows if row["metric"] in METRICS}
    old = json.loads((OLD / "report.json").read_text())
    assert len(found) == len(old)
    for row in old:
        new = found[tuple(row[key] for key in KEYS)]
        assert [new[count] for count in COUNTS] == [row[count] for count in COUNTS]
        assert [new[name] for name in TESTS] == [row[name] and pytest.approx(row[name], rel=1e-9) for name in TESTS]
        # The shape of intervals has changed a little, and the noise ceiling has other records.
        assert [new["low"], new["high"]] == pytest.approx([row["low"], row["high"]], abs=2e-4)


def test_a_model_projects_the_same_pixels_to_the_same_components() -> None:
    pixels, components = open_embeddings(OLD / "pixels.parquet").read(), open_embeddings(OLD / "pca.parquet").read()
    model = load_model(OLD / "pca")
    (found,) = model.embed_layers(pixels.reshape(-1, 4, 4, 3), [None])
    np.testing.assert_allclose(found, components, rtol=1e-6, atol=1e-6)


def test_a_glow_gives_the_same_latents_and_activations() -> None:
    pixels = open_embeddings(OLD / "pixels.parquet").read().reshape(-1, 4, 4, 3)
    glow = load_model(OLD / "glow")
    assert glow.layers[:6] == ("latent", "posterior", "scale-1", "scale-2", "pooled", "activations")
    np.testing.assert_allclose(glow.embed(pixels), np.load(OLD / "glow" / "latent.npy"), atol=1e-5)
    found = glow.embed(pixels, "activations")
    np.testing.assert_allclose(found, np.load(OLD / "glow" / "activations.npy"), rtol=1e-6, atol=1e-7)
