from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.tables.distances import read_distances
from simtool.tables.embeddings import EmbeddingWriter, open_embeddings, write_embeddings
from simtool.tables.outcomes import read_outcomes
from simtool.tables.provenance import Provenance
from simtool.tables.trials import write_trials
from tests.commands.conftest import Outcome
from tests.scoring.judged import compared_pairs, some_trials, some_vectors

ORIGIN = Provenance.of(["test"], [])
TRIALS = some_trials(40)
COLOR, FLOW = some_vectors("gaussian", dimension=6), some_vectors("gaussian", seed=1) * np.float32(100)
Simtool = Callable[..., Outcome]
Matrix = NDArray[np.float64]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: two tables of the same images in another order, and judgments of them."""
    monkeypatch.chdir(tmp_path)
    write_trials(Path("trials.parquet"), TRIALS, ORIGIN)
    write_embeddings(Path("colour.parquet"), TRIALS.images, COLOR, ORIGIN, "colour")
    order = np.random.default_rng(0).permutation(len(TRIALS.images))
    write_embeddings(Path("flow.parquet"), TRIALS.images[order], FLOW[order], ORIGIN, "flow")
    return tmp_path


def both(simtool: Simtool) -> Outcome:
    outs = ("--distance", "mse", "--out", "both-mse.parquet", "--distance", "cosine", "--out", "both-cosine.parquet")
    return simtool("combine", "colour.parquet", "flow.parquet", *outs)


def squares(vectors: NDArray[np.float32]) -> Matrix:
    """The mse of all pairs, (n, n)."""
    wide = vectors.astype(float)
    found: Matrix = ((wide[:, None] - wide) ** 2).mean(axis=2)
    return found


def standardized_sum(*matrices: Matrix) -> Matrix:
    upper = np.triu_indices(len(matrices[0]), 1)
    total: Matrix = np.sum([matrix / matrix[upper].std() for matrix in matrices], axis=0)
    return total


def credit_of(distances: Matrix) -> Matrix:
    """The credit of every comparison of the trials, without ties."""
    pairs = compared_pairs(TRIALS)
    values = distances[pairs.pairs.first, pairs.pairs.second]
    return (values[pairs.near] < values[pairs.far]).astype(float)


def test_judgments_are_predicted_by_the_sum_of_standardized_distances(simtool: Simtool, home: Path) -> None:
    done = both(simtool)
    assert done.code == 0, done.err
    assert "mse: standard deviations" in done.err
    assert "(780 pairs of 40 images)" in done.err
    done = simtool(
        "score", "both-mse.parquet", "both-cosine.parquet", "--trials", "trials.parquet", "--out", "o.parquet"
    )
    assert done.code == 0, done.err
    by_mse, by_cosine = read_outcomes([home / "o.parquet"])
    np.testing.assert_array_equal(by_mse.credit, credit_of(standardized_sum(squares(COLOR), squares(FLOW))))
    units = [each / np.linalg.norm(each.astype(float), axis=1, keepdims=True) for each in (COLOR, FLOW)]
    cosines = [1 - unit @ unit.T for unit in units]
    np.testing.assert_array_equal(by_cosine.credit, credit_of(standardized_sum(*cosines)))


def test_both_distances_are_one_model_in_outcomes_and_report(simtool: Simtool, home: Path) -> None:
    both(simtool)
    tables = ("colour.parquet", "both-mse.parquet", "both-cosine.parquet")
    assert simtool("score", *tables, "--trials", "trials.parquet", "--out", "o.parquet").code == 0
    pairs = [("colour", "mse"), ("colour", "cosine"), ("colour + flow", "mse"), ("colour + flow", "cosine")]
    assert [(each.model, each.distance) for each in read_outcomes([home / "o.parquet"])] == pairs
    done = simtool("report", "o.parquet", "--baseline", "colour:cosine")
    assert done.code == 0, done.err
    assert "colour + flow" in done.out.partition("Difference from colour with cosine")[2]
    done = simtool("score", *tables, "--trials", "trials.parquet", "--out", "o.parquet", "--distance", "cosine")
    assert (done.code, "made for mse, not for cosine" in done.err) == (1, True)
    names = ("--name", "a", "--name", "b", "--name", "b")
    assert simtool("score", *tables, "--trials", "trials.parquet", "--out", "o.parquet", *names).code == 0
    names = ("--name", "b", "--name", "b", "--name", "c")
    done = simtool("score", *tables, "--trials", "trials.parquet", "--out", "o.parquet", *names)
    assert (done.code, "--name 'b': give each model a different name" in done.err) == (2, True)


def test_the_table_states_its_distance_its_name_and_its_inputs(simtool: Simtool, home: Path) -> None:
    both(simtool)
    table = open_embeddings(home / "both-cosine.parquet")
    assert (table.info.name, table.info.distances, table.info.dimension) == ("colour + flow", ("cosine",), 30)
    assert [(segment.name, segment.length) for segment in table.info.segments] == [("colour", 6), ("flow", 24)]
    assert table.image_id.tolist() == list(TRIALS.images)
    assert table.provenance is not None
    assert [file.name for file in table.provenance.inputs] == ["colour.parquet", "flow.parquet"]
    assert "made for       cosine" in simtool("show", "both-cosine.parquet").out


def test_other_distances_of_a_combination_are_refused_by_every_stage(simtool: Simtool, home: Path) -> None:
    both(simtool)
    for command in (
        ("export-distances", "both-mse.parquet", "--distance", "cosine"),
        ("reweight", "both-mse.parquet", "--trials", "trials.parquet"),
        ("combine", "both-mse.parquet", "flow.parquet", "--distance", "cosine"),
    ):
        done = simtool(*command, "--out", "no.parquet")
        assert (done.code, (home / "no.parquet").exists()) == (1, False)
        assert "both-mse.parquet: its vectors are made for mse, not for cosine: choose --distance mse" in done.err
    assert simtool("compress", "both-mse.parquet", "--out", "few.parquet", "--components", 3).code == 0
    assert open_embeddings(home / "few.parquet").info.distances == ("mse",)


def test_euclidean_distances_of_a_combination_for_another_distance_are_refused(simtool: Simtool, home: Path) -> None:
    both(simtool)
    simtool("score", "both-mse.parquet", "--trials", "trials.parquet", "--out", "o.parquet")
    for command, use in (
        (("compress", "both-{}.parquet", "--out", "few-{}.parquet", "--components", 3), "compress keeps"),
        (("report", "o.parquet", "--difficulty", "both-{}.parquet", "--replicates", 100), "--difficulty compares"),
    ):
        done = simtool(*(str(part).format("cosine") for part in command))
        reason = f"its vectors are made for cosine, but {use} Euclidean distances: make a table for mse"
        assert (done.code, f"both-cosine.parquet: {reason}" in done.err) == (1, True)
        assert not (home / "few-cosine.parquet").exists()
        assert simtool(*(str(part).format("mse") for part in command)).code == 0


def test_weights_and_a_name_are_options(simtool: Simtool, home: Path) -> None:
    options = ("--distance", "mse", "--weight", 1, "--weight", 4, "--name", "mine", "--out", "out.parquet")
    assert simtool("combine", "colour.parquet", "flow.parquet", *options).code == 0
    table = open_embeddings(home / "out.parquet")
    assert table.info.name == "mine"
    found = squares(table.read())
    upper = np.triu_indices(len(found), 1)
    expected = squares(COLOR) / squares(COLOR)[upper].std() + 4 * squares(FLOW) / squares(FLOW)[upper].std()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_sum_with_an_untrained_model_is_the_control_of_the_sum_with_the_trained_one(
    simtool: Simtool, home: Path
) -> None:
    info = replace(open_embeddings(home / "flow.parquet").info, origin="glow", layer="latent")
    for name, seed in (("trained", None), ("first", 1), ("second", 2)):
        vectors = some_vectors("gaussian", seed=10 + (seed or 0))
        with EmbeddingWriter(home / f"{name}.parquet", replace(info, name=name, untrained=seed), ORIGIN) as writer:
            writer.write(TRIALS.images, vectors)
        outs = ("--distance", "mse", "--out", f"sum-{name}.parquet")
        tables = ["colour.parquet", f"{name}.parquet"]
        assert simtool("combine", *(tables[::-1] if name == "second" else tables), *outs).code == 0
    sums = [f"sum-{name}.parquet" for name in ("trained", "first", "second")]
    infos = [open_embeddings(home / path).info for path in sums]
    assert [each.untrained for each in infos] == [None, 1, 2]
    assert infos[0].origin == infos[1].origin == infos[2].origin != info.origin
    assert simtool("score", *sums, "--trials", "trials.parquet", "--out", "o.parquet").code == 0
    lineages = [each.lineage for each in read_outcomes([home / "o.parquet"])]
    assert lineages[0] is not None
    assert [each and each.trained for each in lineages] == [lineages[0]] * 3
    outs = ("--distance", "mse", "--out", "mixed.parquet")
    assert simtool("combine", "trained.parquet", "first.parquet", *outs).code == 0
    mixed = open_embeddings(home / "mixed.parquet").info
    assert (mixed.origin, mixed.untrained) == (None, None)


def test_one_table_alone_is_standardized_for_all_distances(simtool: Simtool, home: Path) -> None:
    info = replace(open_embeddings(home / "colour.parquet").info, learned=True, shape=(2, 3))
    with EmbeddingWriter(home / "learned.parquet", info, ORIGIN, float16=True) as writer:
        writer.write(TRIALS.images, np.where(np.arange(6) == 2, 5, COLOR))
    done = simtool("combine", "learned.parquet", "--standardize", "--out", "out.parquet")
    assert done.code == 0, done.err
    assert "learned.parquet: 1 constant dimension becomes 0" in done.err
    table = open_embeddings(home / "out.parquet")
    assert (table.info.name, table.info.distances, table.info.learned) == ("colour, standardized", (), True)
    assert table.info.shape == (2, 3)
    halves = open_embeddings(home / "learned.parquet").read(dtype=float)
    deviations = halves.std(axis=0)
    expected = (halves - halves.mean(axis=0)) / np.where(deviations == 0, 1, deviations)
    np.testing.assert_allclose(table.read(), expected, atol=1e-6)


def test_dimensions_of_all_tables_are_standardized_before_their_distances(simtool: Simtool, home: Path) -> None:
    outs = ("--standardize", "--distance", "mse", "--out", "out.parquet")
    assert simtool("combine", "colour.parquet", "flow.parquet", *outs).code == 0
    table = open_embeddings(home / "out.parquet")
    assert table.info.name == "colour + flow, standardized"
    standard = [(each - each.mean(axis=0)) / each.std(axis=0) for each in (COLOR.astype(float), FLOW.astype(float))]
    expected = standardized_sum(*map(squares, standard))
    np.testing.assert_allclose(squares(table.read()), expected, atol=1e-5)


def test_the_first_table_tells_the_images(simtool: Simtool, home: Path) -> None:
    write_embeddings(home / "few.parquet", TRIALS.images[5:9], COLOR[5:9], ORIGIN, "few")
    done = simtool("combine", "few.parquet", "flow.parquet", "--distance", "mse", "--out", "out.parquet")
    assert done.code == 0, done.err
    assert "flow.parquet: left out 36 images that few.parquet does not have" in done.err
    assert open_embeddings(home / "out.parquet").image_id.tolist() == list(TRIALS.images[5:9])
    found = squares(open_embeddings(home / "out.parquet").read())
    np.testing.assert_allclose(found, standardized_sum(squares(COLOR[5:9]), squares(FLOW[5:9])), atol=1e-5)
    done = simtool("combine", "flow.parquet", "few.parquet", "--distance", "mse", "--out", "no.parquet")
    assert (done.code, (home / "no.parquet").exists()) == (1, False)
    assert "few.parquet: lacks images that are needed (36 of 40)" in done.err


def test_tables_of_distances_give_a_table_of_distances(simtool: Simtool, home: Path) -> None:
    for name in ("colour", "flow"):
        done = simtool("export-distances", f"{name}.parquet", "--distance", "euclidean", "--out", f"{name}-d.parquet")
        assert done.code == 0, done.err
    assert simtool("combine", "colour-d.parquet", "flow-d.parquet", "--out", "both.parquet").code == 0
    table = read_distances(home / "both.parquet")
    expected = standardized_sum(*(np.sqrt(squares(each)) for each in (COLOR, FLOW)))
    np.testing.assert_allclose(table.distance, expected[table.first, table.second])
    assert (table.info.name, table.image_id.tolist()) == ("colour + flow", list(TRIALS.images))
    done = simtool("combine", "colour-d.parquet", "flow.parquet", "--out", "no.parquet")
    assert (done.code, "combine two tables of distances" in done.err) == (2, True)
    done = simtool("combine", "colour-d.parquet", "flow-d.parquet", "--out", "no.parquet", "--distance", "mse")
    assert (done.code, "--distance mse is for vectors" in done.err) == (2, True)


TWO = ("colour.parquet", "flow.parquet", "--out", "no.parquet")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (TWO, "give one --out for each --distance, not 1 for 2; without --distance, they are mse and cosine"),
        ((*TWO, "--distance", "euclidean"), "the sum of euclidean distances is no distance of vectors: choose mse, "),
        ((*TWO, "--distance", "cosines"), "no distance is called cosines; choose from mse, cosine"),
        ((*TWO, "--distance", "given"), "--distance given is for tables of distances"),
        ((*TWO, "--distance", "mse", "--distance", "mse"), "--distance mse is given twice"),
        ((*TWO, "--distance", "mse", "--weight", "2"), "give one --weight for each TABLE, not 1 for 2"),
        ((*TWO, "--distance", "mse", "--weight", "1", "--weight", "0"), "--weight is a finite number above 0, not 0"),
        (("colour.parquet", "--out", "no.parquet"), "give two tables or more; one table alone needs --standardize"),
        (("colour.parquet", *TWO, "--distance", "mse"), "the same table is given more than once; use --weight"),
        (("colour.parquet", "--out", "no.parquet", "--standardize", "--distance", "mse"), "leave out --distance"),
        (("colour.parquet", "--out", "no.parquet", "--out", "b.parquet", "--standardize"), "there is one table"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_in_one_line(
    simtool: Simtool, home: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = simtool("combine", *arguments)
    assert done.code == 2
    assert message in done.err.splitlines()[-1]
    assert not (home / "no.parquet").exists()


def test_distances_by_segment_need_tables_with_segments(simtool: Simtool, home: Path) -> None:
    done = simtool("combine", *TWO, "--distance", "mse/segments")
    assert (done.code, (home / "no.parquet").exists()) == (1, False)
    assert "colour.parquet: mse/segments needs a table that names its segments" in done.err


def test_a_combination_is_not_standardized(simtool: Simtool, home: Path) -> None:
    both(simtool)
    done = simtool("combine", "both-mse.parquet", "--standardize", "--out", "no.parquet")
    assert (done.code, "standardize the tables that it was made of" in done.err) == (2, True)
