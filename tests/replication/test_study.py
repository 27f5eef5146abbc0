"""The study's published accuracies, from its own judgments and photographs, through the command line.

Lukas Maninger (2023), Predicting Human Similarity Judgments Using Normalizing Flows; the rows of pixels and PCA.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from simtool.tables.images import Images, image_paths, read_images, relative_path, write_images
from simtool.tables.provenance import Provenance
from tests.replication.accuracies import Run, accuracies


@pytest.fixture(scope="module", params=["obs_2018.hdf5", "obs_v0.6.0.hdf5"])
def trials(birds16: Path, folder: Path, run: Run, request: pytest.FixtureRequest) -> Path:
    out = folder / f"{request.param}.parquet"
    run("import-trials", birds16 / request.param, "--catalog", birds16 / "catalog_v0.6.0.hdf5", "--out", out)
    return out


@pytest.mark.slow
def test_pixels_are_the_studys_to_four_decimals(images: Path, trials: Path, folder: Path, run: Run) -> None:
    run("embed", images, "--model", "pixels", "--out", folder / "pixels.parquet")
    found = accuracies(run, folder, trials, [folder / "pixels.parquet"], ["mse", "cosine", "cosine/segments"])
    assert {key[1:]: round(value, 4) for key, value in found.items() if key[2] != "all"} == {
        ("mse", "8-rank-2"): 0.5287,
        ("mse", "2-choose-1"): 0.5290,
        ("cosine/segments", "8-rank-2"): 0.5287,
        ("cosine/segments", "2-choose-1"): 0.5222,
        ("cosine", "8-rank-2"): 0.5347,
        ("cosine", "2-choose-1"): 0.5281,
    }


#: MSE and cosine, 8-rank-2 and 2-choose-1.
PUBLISHED_PCA = {
    10: (0.5242, 0.5233, 0.5255, 0.5199),
    100: (0.5301, 0.5323, 0.5368, 0.5299),
    1000: (0.5288, 0.5249, 0.5361, 0.5320),
}


@pytest.fixture(scope="module")
def training(images: Path, cub127: Path, folder: Path, run: Run) -> Path:
    """The stimuli and a quarter of the other photographs: as in the study, most stimuli were trained on."""
    run("fetch-cub", folder / "cub", "--archive", cub127 / "CUB_200_2011.tgz")
    tables = [images, folder / "cub" / "images.parquet"]
    columns = [read_images(table) for table in tables]
    kept = [columns[0], columns[1].take(np.arange(0, len(columns[1]), 4))]
    paths = [path for table, rows in zip(tables, kept, strict=True) for path in image_paths(table, rows)]
    out = folder / "training.parquet"
    everything = Images.build(
        [name for rows in kept for name in rows.image_id], [relative_path(path, out) for path in paths]
    )
    write_images(out, everything, Provenance.of([], tables))
    return out


@pytest.mark.slow
def test_pca_is_within_a_hundredth_of_the_studys(
    images: Path, training: Path, birds16: Path, folder: Path, run: Run
) -> None:
    run("fit-pca", training, "--out", folder / "pca")
    tables = [folder / f"pca-{count}.parquet" for count in PUBLISHED_PCA]
    for count, table in zip(PUBLISHED_PCA, tables, strict=True):
        run("embed", images, "--model", folder / "pca", "--components", count, "--out", table)
    out = folder / "trials.parquet"
    run("import-trials", birds16 / "obs_2018.hdf5", "--catalog", birds16 / "catalog.csv", "--out", out)
    found = accuracies(run, folder, out, tables, ["mse", "cosine"])
    for count, published in PUBLISHED_PCA.items():
        order = [(distance, kind) for distance in ("mse", "cosine") for kind in ("8-rank-2", "2-choose-1")]
        measured = [found[f"PCA {count}", distance, kind] for distance, kind in order]
        np.testing.assert_allclose(measured, published, atol=0.01, err_msg=f"PCA {count}")
    options = ("--trials", out, "--images", images, "--distance", "mse", "--out", folder / "labelled-pca.parquet")
    run("score", folder / "pca-100.parquet", *options)
    rows = json.loads(run("report", folder / "labelled-pca.parquet", "--json", "-", "--replicates", 100))
    strata = {row["stratum"]: row["estimate"] for row in rows if row["model"] == "PCA 100" and row["stratum"]}
    assert strata == pytest.approx({"class": 0.561, "group": 0.534, "silent": 0.508}, abs=0.002)


@pytest.mark.slow
def test_a_table_of_another_program_scores_as_float64_does(images: Path, birds16: Path, folder: Path, run: Run) -> None:
    """Rows in another order, extra images, joined by id; checked against plain loops over every comparison."""
    import pandas as pd

    from simtool.tables.trials import read_trials

    out = folder / "trials.parquet"
    run("import-trials", birds16 / "obs_2018.hdf5", "--catalog", birds16 / "catalog.csv", "--out", out)
    rng = np.random.default_rng(0)
    names = [*read_images(images).image_id, "another", "one more"]
    vectors = rng.normal(3.0, 1.0, (len(names), 50))
    order = rng.permutation(len(names))
    theirs = pd.DataFrame({"image_id": [names[at] for at in order], "embedding": list(vectors[order])})
    theirs.to_parquet(folder / "theirs.parquet")
    found = accuracies(run, folder, out, [folder / "theirs.parquet"], ["mse", "cosine"])
    trials = read_trials(out)
    vector_of = dict(zip(names, vectors, strict=True))
    X = np.stack([vector_of[name] for name in trials.images])
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    distances = {"mse": ((X[:, None] - X[None]) ** 2).mean(axis=2), "cosine": 1 - unit @ unit.T}
    for name, D in distances.items():
        for kind in ("8-rank-2", "2-choose-1"):
            credits = []
            for row in trials.of_type(next(t for t in trials.types if str(t) == kind)):
                shown, chosen = trials.references[row], trials.selected[row]
                left = [int(i) for i in shown if i >= 0]
                for position in chosen[chosen >= 0]:
                    left.remove(shown[position])
                    credits += [D[trials.query[row], shown[position]] < D[trials.query[row], other] for other in left]
            assert found["theirs", name, kind] == pytest.approx(np.mean(credits), abs=5e-5)
