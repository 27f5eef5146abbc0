"""The baselines on birds-16. They learned nothing, so the numbers depend on the images and the judgments alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replication.accuracies import Run, accuracies


@pytest.mark.slow
def test_six_numbers_about_the_color_of_the_middle_predict_better_than_pixels(
    birds16: Path, images: Path, folder: Path, run: Run
) -> None:
    trials, whole, half = (folder / f"{name}.parquet" for name in ("trials", "colour", "colour-half"))
    run("import-trials", birds16 / "obs_v0.6.0.hdf5", "--catalog", birds16 / "catalog_v0.6.0.hdf5", "--out", trials)
    run("embed", images, "--model", "colour", "--out", whole)
    run("embed", images, "--model", "color", "--window", 0.5, "--out", half)
    found = accuracies(run, folder, trials, [whole, half], ["mse", "cosine"])
    assert {key[:2]: round(value, 3) for key, value in found.items() if key[2] == "all"} == {
        ("colour", "mse"): 0.534,
        ("colour", "cosine"): 0.535,
        ("colour (window 0.5)", "mse"): 0.586,
        ("colour (window 0.5)", "cosine"): 0.597,
    }
