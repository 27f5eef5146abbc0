"""The Python API: one function for each subcommand, with paths or objects in and objects out."""

from __future__ import annotations

import ast
import errno
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import typer

from simtool import console, stages
from simtool.cli import app
from simtool.errors import SimtoolError, UsageError
from simtool.models.classifier.config import ClassifierConfig
from simtool.models.classifier.presets import Preset as ClassifierPreset
from simtool.models.flows.glow.config import GlowConfig
from simtool.models.flows.glow.presets import Preset as GlowPreset
from simtool.models.flows.jet.config import JetConfig
from simtool.models.flows.jet.presets import Preset as JetPreset
from simtool.tables.embeddings import EmbeddingInfo, EmbeddingTable, open_embeddings, write_embeddings
from simtool.tables.images import Images, image_paths, read_images
from simtool.tables.outcomes import Outcomes, read_outcomes
from simtool.tables.provenance import Provenance
from simtool.tables.trials import Trials, write_trials
from simtool.training.settings import Settings
from tests.scoring.judged import some_trials, some_vectors
from tests.studies import write_photographs

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
#: It runs the other commands, one after the other.
CHAIN = "demo"
#: Options whose parameter has another name, because it takes several values or says more in Python.
RENAMED = {
    ("fetch-cub", "url"): "urls",
    ("fetch-judgments", "archive"): "archives",
    ("fetch-judgments", "url"): "urls",
    ("fetch-judgments", "photographs_url"): "photographs_urls",
    ("import-trials", "answer"): "answers",
    ("import-trials", "column"): "columns",
    ("import-trials", "kind"): "format",
    ("report", "show"): "figure_of",
    ("embed", "layer"): "layers",
    ("embed", "name"): "names",
    ("embed", "recipe"): "preprocessing",
    ("fit-pca", "recipe"): "preprocessing",
    ("combine", "distance"): "distances",
    ("combine", "weight"): "weights",
    ("score", "distance"): "distances",
    ("score", "name"): "names",
    ("check", "name"): "names",
    ("report", "metric"): "metrics",
    ("reweight", "embeddings"): "table",
    ("sample", "image"): "image_ids",
    ("sample", "temperature"): "temperatures",
    ("train-glow", "backprop"): "mode",
    ("train-glow", "change"): "changes",
    ("train-jet", "backprop"): "mode",
    ("train-jet", "change"): "changes",
    ("train-resnet", "change"): "changes",
}
#: Parameters without an option: the command prints the report through it.
UNNAMED = {"report": {"show"}, "check": {"show"}}
#: Options that choose how the command prints a result, which the function returns.
PRINTED = {
    ("show", "json"),
    ("doctor", "json"),
    ("fetch-judgments", "registry"),
    ("train-glow", "as_json"),
    ("train-jet", "as_json"),
    ("train-resnet", "as_json"),
}
#: The function that a command calls instead, with an option.
PLANS = {"embed": "list_layers", "train-glow": "plan_glow", "train-jet": "plan_jet", "train-resnet": "plan_resnet"}
#: The names of the presets' values, which the functions that train take as further keyword arguments.
CHANGES = {
    "train-glow": {field.name for kind in (GlowConfig, GlowPreset, Settings) for field in fields(kind)},
    "train-jet": {field.name for kind in (JetConfig, JetPreset, Settings) for field in fields(kind)},
    "train-resnet": {field.name for kind in (ClassifierConfig, ClassifierPreset, Settings) for field in fields(kind)},
}
CALLING = sorted(set(COMMANDS) - {CHAIN})
TRIALS = some_trials(40)


def function_of(command: str) -> str:
    return command.replace("-", "_")


def test_every_subcommand_is_one_function() -> None:
    assert set(map(function_of, CALLING)) == set(stages.__all__) - set(PLANS.values())
    for name in stages.__all__:
        assert getattr(stages, name).__name__ == name


@pytest.mark.parametrize("command", CALLING)
def test_every_option_is_a_parameter_and_every_parameter_an_option(command: str) -> None:
    options = [param.name for param in COMMANDS[command].params if param.name != "help" and not _hidden(param)]
    wanted = {RENAMED.get((command, name), name) for name in options if (command, name) not in PRINTED}
    if command in PLANS:
        wanted = wanted - {"dry_run", "list_layers"} - (CHANGES.get(command, set()) - {"preset"})
    parameters = set(inspect.signature(getattr(stages, function_of(command))).parameters)
    assert parameters - UNNAMED.get(command, set()) == wanted


def _hidden(param: object) -> bool:
    """Whether an option is an old name, which the help does not show."""
    return bool(getattr(param, "hidden", False))


@pytest.mark.parametrize("command", CALLING)
def test_a_subcommand_calls_its_function_once_and_no_other(command: str) -> None:
    source = inspect.getsource(inspect.getmodule(COMMANDS[command].callback))  # type: ignore[arg-type]
    tree = ast.parse(source)
    plan = [PLANS[command]] if command in PLANS else []
    assert sorted(_stages_called(tree)) == sorted([*plan, function_of(command)])
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.With | ast.Try)]


def _stages_called(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="stages"), attr=name)):
                yield name


@pytest.mark.parametrize("name", stages.__all__)
def test_every_function_is_documented_in_full(name: str) -> None:
    text = inspect.getdoc(getattr(stages, name)) or ""
    for heading in ("Args:", "Returns:", "Raises:", "Example:"):
        assert f"\n{heading}\n" in text
    arguments = text.split("\nArgs:\n")[1].split("\n\n")[0]
    for parameter in inspect.signature(getattr(stages, name)).parameters:
        assert f"\n    {parameter}: " in f"\n{arguments}"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with trials and two tables of embeddings."""
    monkeypatch.chdir(tmp_path)
    origin = Provenance.of(["test"], [])
    write_trials(Path("trials.parquet"), TRIALS, origin)
    for kind in ("gaussian", "one-hot"):
        write_embeddings(Path(f"{kind}.parquet"), TRIALS.images, some_vectors(kind), origin, kind)
    return tmp_path


def held(kind: str) -> EmbeddingTable:
    vectors = some_vectors(kind)
    return EmbeddingTable.of(TRIALS.images, vectors, EmbeddingInfo(name=kind, dimension=vectors.shape[1]))


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_objects_in_memory_are_scored_as_their_files_are(home: Path) -> None:
    before = files(home)
    scores = stages.score([held("gaussian"), held("one-hot")], TRIALS)
    assert files(home) == before
    written = stages.score(["gaussian.parquet", Path("one-hot.parquet")], "trials.parquet", "outcomes.parquet")
    assert scores.tallies == written.tallies
    assert scores.path is None
    assert written.path == Path("outcomes.parquet")
    for one, other in zip(scores.outcomes, written.outcomes, strict=True):
        assert (one.model, one.distance) == (other.model, other.distance)
        np.testing.assert_array_equal(one.credit, other.credit)


def test_a_choice_model_adds_likelihoods_and_probabilities_and_changes_no_credit(home: Path) -> None:
    table = stages.export_distances(held("gaussian"), distance="mse", name="pairs")
    plain = stages.score([held("gaussian"), table], TRIALS, distances=["mse"])
    chosen = stages.score(
        ["gaussian.parquet", table], "trials.parquet", "o.parquet", distances=["mse"], choice_model=True
    )
    measured, given = chosen.outcomes
    for one, other in zip(plain.outcomes, chosen.outcomes, strict=True):
        assert one.log_likelihood is one.probability is None
        np.testing.assert_array_equal(one.credit, other.credit)
        assert other.log_likelihood is not None
        assert other.probability is not None
        assert (other.log_likelihood < 0).all()
        assert ((other.probability > 0.5) <= (other.credit == 1)).all()
    one_way, other_way = (np.asarray(each.log_likelihood) for each in (measured, given))  # the same distances
    np.testing.assert_allclose(one_way, other_way, rtol=1e-5)


def test_distances_in_memory_are_scored_as_their_file_is(home: Path) -> None:
    before = files(home)
    table = stages.export_distances(held("one-hot"), distance="cosine", name="pairs")
    scores = stages.score([table, held("one-hot")], TRIALS, distances=["cosine"])
    assert files(home) == before
    assert [outcomes.distance for outcomes in scores.outcomes] == ["given", "cosine"]
    np.testing.assert_array_equal(scores.outcomes[0].credit, scores.outcomes[1].credit)
    stages.export_distances("one-hot.parquet", "pairs.parquet", distance="cosine")
    written = stages.score(["pairs.parquet", "one-hot.parquet"], TRIALS, distances=["cosine"])
    np.testing.assert_array_equal(written.outcomes[0].credit, scores.outcomes[0].credit)


def test_outcomes_in_memory_are_reported_as_their_file_is(home: Path) -> None:
    scores = stages.score(["gaussian.parquet"], "trials.parquet", "outcomes.parquet", distances=["mse"])
    again = stages.score("gaussian.parquet", TRIALS, distances=["mse"])
    before = files(home)
    from_file, from_objects = (
        stages.report(outcomes, replicates=100) for outcomes in ("outcomes.parquet", again.outcomes)
    )
    assert files(home) == before
    assert from_file.rows == from_objects.rows
    assert scores.outcomes[0].model == "gaussian"


@pytest.mark.parametrize("out", ["outcomes.parquet", None])
def test_the_result_of_score_is_reported_as_its_outcomes_are(home: Path, out: str | None) -> None:
    scores = stages.score("gaussian.parquet", TRIALS, out, distances=["mse"])
    assert stages.report(scores, replicates=100).rows == stages.report(scores.outcomes, replicates=100).rows


def test_objects_in_memory_are_displayed_in_one_short_line(home: Path) -> None:
    scores = stages.score(held("gaussian"), TRIALS, distances=["mse"])
    shown = [
        repr(each)
        for each in (
            TRIALS,
            Images.build(list(TRIALS.images), list(TRIALS.images)),
            held("gaussian"),
            scores.outcomes[0],
            stages.report(scores, replicates=100),
        )
    ]
    count = f"{len(TRIALS.images)} images"
    assert shown == [
        f"Trials(40 trials, {count}, {', '.join(map(str, TRIALS.types))})",
        f"Images({count})",
        f"EmbeddingTable(gaussian, {count}, {held('gaussian').info.dimension} values)",
        "Outcomes(gaussian, mse, 40 trials)",
        shown[-1],
    ]
    assert re.fullmatch(r"Report\(\d+ rows, [\w, -]+\)", shown[-1])
    assert "\n" not in repr(scores)
    assert "array" not in repr(scores)


def test_outcomes_of_several_calls_on_the_same_judgments_are_one_sample(home: Path) -> None:
    first = stages.score("gaussian.parquet", "trials.parquet", "outcomes.parquet", distances=["mse"])
    backwards = TRIALS.take(np.arange(len(TRIALS))[::-1])
    second = stages.score("one-hot.parquet", backwards, distances=["mse"])
    both: list[Outcomes | str | Path] = [*second.outcomes, "outcomes.parquet"]
    pooled = stages.report(both, replicates=100, sort="given")
    assert len(pooled.samples) == 1
    assert [row.model for row in pooled.rows[:2]] == ["one-hot", "gaussian"]
    together = stages.score(["one-hot.parquet", "gaussian.parquet"], TRIALS, distances=["mse"])
    expected = stages.report(together.outcomes, replicates=100, sort="given")
    assert [row.estimate for row in pooled.rows] == [row.estimate for row in expected.rows]
    assert first.outcomes[0].trials is not second.outcomes[0].trials


@pytest.mark.parametrize("first", ["outcomes.parquet", None])
def test_outcomes_in_memory_that_are_given_twice_are_refused(first: str | None, home: Path) -> None:
    outcomes = stages.score("gaussian.parquet", TRIALS, distances=["mse"]).outcomes
    stages.score("gaussian.parquet", TRIALS, "outcomes.parquet", distances=["mse"])
    with pytest.raises(SimtoolError, match="outcomes in memory: gaussian with mse occurs twice"):
        stages.report([first or outcomes[0], *outcomes])


def test_a_report_writes_the_files_that_are_named(home: Path) -> None:
    outcomes = stages.score("gaussian.parquet", TRIALS).outcomes
    stages.report(outcomes, csv="numbers.csv", html=home / "report.html", replicates=100)
    assert {"numbers.csv", "report.html"} < files(home)


def test_vectors_in_memory_are_compressed_as_their_file_is(home: Path) -> None:
    before = files(home)
    table = stages.compress(held("gaussian"), components=3)
    assert files(home) == before
    assert table.info == stages.compress("gaussian.parquet", "pca.parquet", components=3).info
    np.testing.assert_array_equal(table.read(), open_embeddings(Path("pca.parquet")).read())


def test_a_folder_of_images_is_indexed_without_a_file(home: Path) -> None:
    write_photographs(home / "photographs")
    before = files(home)
    images = stages.index_images("photographs")
    assert files(home) == before
    assert all(path.is_file() for path in image_paths(Path("images.parquet"), images))


@pytest.mark.parametrize("out", ["images.parquet", "below/images.parquet"])
def test_the_paths_of_a_table_in_memory_start_from_the_current_folder(home: Path, out: str) -> None:
    write_photographs(home / "photographs")
    (home / "below").mkdir()
    images = stages.index_images("photographs", out)
    assert all(Path(path).is_file() for path in images.path)
    assert read_images(Path(out)).image_id.tolist() == images.image_id.tolist()


def test_judgments_are_imported_with_images_in_memory(home: Path) -> None:
    a, b, c = (str(name) for name in TRIALS.images[:3])
    Path("judgments.csv").write_text(f"query,reference_1,reference_2,selected_1\n{a},{b},{c},{b}\n")
    before = files(home)
    images = Images.build(list(TRIALS.images), list(TRIALS.images))
    trials = stages.import_trials("judgments.csv", images=images, observers="human")
    assert files(home) == before
    assert isinstance(trials, Trials)
    assert len(trials) == 1
    assert str(trials.observers) == "human"


def test_a_file_records_the_call_that_wrote_it(home: Path) -> None:
    stages.score(held("gaussian"), "trials.parquet", home / "outcomes.parquet", distances=["dot"])
    shown = stages.show("outcomes.parquet")
    assert shown.description.provenance is not None
    command = f"simtool.stages.score(tables=<EmbeddingTable>, trials='trials.parquet', out='{home}/outcomes.parquet', "
    assert dict(shown.lines())["command"] == command + "distances=['dot'])"
    assert [entry.name for entry in shown.description.provenance.inputs] == ["trials.parquet"]
    assert shown.states == ("unchanged",)


def test_an_output_does_not_replace_an_input(home: Path) -> None:
    before = Path("gaussian.parquet").read_bytes()
    with pytest.raises(SimtoolError, match="this is an input, which the output would replace"):
        stages.compress("gaussian.parquet", home / "gaussian.parquet")
    assert Path("gaussian.parquet").read_bytes() == before


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: stages.score("gaussian.parquet", TRIALS, distances=["l2"]), "no distance is called l2"),
        (lambda: stages.report("o.parquet", metrics=["best"]), "--metric is one of .*, not best"),
        (lambda: stages.report("o.parquet", sort="size"), "--sort is one of accuracy, family, given, name, not size"),
        (lambda: stages.import_trials("t.csv", format="xml"), "--format is one of auto, .*, not xml"),
        (lambda: stages.import_trials("t.csv", format="things"), r"not things \(did you mean things-raw\?\)$"),
        (lambda: stages.import_trials("t.csv", observers="birds"), "--observers is one of human, simulated, not birds"),
        (lambda: stages.report([]), "there are no outcomes to report"),
        (lambda: stages.report("o.parquet", replicates=99), "--replicates is at least 100, not 99"),
        (lambda: stages.report("o.parquet", seed=-1), "--seed is at least 0, not -1"),
        (lambda: stages.check([]), "there are no outcomes to check"),
        (lambda: stages.check("o.parquet", studies=9), "--studies is at least 10, not 9"),
        (lambda: stages.check("o.parquet", names=["a"]), "give one --name for each table of --vectors, not 1 for 0"),
        (lambda: stages.score([], TRIALS), "there are no embeddings to score"),
        (lambda: stages.embed("i.parquet", "pixels", batch_size=0), "--batch-size is at least 1, not 0"),
        (lambda: stages.compress("gaussian.parquet", components=0), "--components is at least 1, not 0"),
        (lambda: stages.fit_pca("i.parquet", components=0), "--components is at least 1, not 0"),
        (lambda: stages.sample("glow", "s.pdf"), "--out s.pdf: the name of a PNG file ends in .png"),
        (lambda: stages.sample("glow", columns=0), "--columns is at least 1, not 0"),
    ],
)
def test_wrong_arguments_are_told_before_anything_is_read(call: object, reason: str, home: Path) -> None:
    assert callable(call)
    with pytest.raises(UsageError, match=reason):
        call()


WRONG: list[tuple[str, dict[str, object], str]] = [
    (
        "report",
        {"outcomes": None},
        "outcomes takes str | Path | Outcomes | Scores | Sequence[str | Path | Outcomes], not NoneType",
    ),
    ("report", {"outcomes": "o.parquet", "metrics": "top_1"}, "metrics takes Sequence[str], not str"),
    ("report", {"outcomes": "o.parquet", "level": "0.9"}, "level takes float, not str"),
    (
        "score",
        {"tables": held("gaussian"), "trials": held("one-hot")},
        "trials takes str | Path | Trials, not EmbeddingT",
    ),
    ("score", {"tables": [TRIALS], "trials": TRIALS}, "Path | EmbeddingTable | DistanceTable], not list of Trials"),
    ("embed", {"images": "i.parquet", "model": 5}, "model takes str | Path | Model, not int"),
    ("show", {"file": None}, "show: file takes str | Path, not NoneType"),
    ("train_glow", {"images": "i.parquet", "out": None}, "train_glow: out takes str | Path, not NoneType"),
]


@pytest.mark.parametrize(("name", "arguments", "reason"), WRONG)
def test_an_argument_of_a_wrong_type_is_named(name: str, arguments: dict[str, object], reason: str) -> None:
    with pytest.raises(UsageError, match=re.escape(reason)):
        getattr(stages, name)(**arguments)


def test_notes_go_to_standard_error_unless_they_are_silenced(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    stages.score("gaussian.parquet", "trials.parquet")
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.startswith("read   trials.parquet: 40 trials")
    with console.quiet():
        stages.score("gaussian.parquet", "trials.parquet")
    assert capfd.readouterr() == ("", "")


def test_a_failure_of_the_system_is_one_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "the disk is full", "o.parquet")

    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table", refuse)
    before = files(home)
    with pytest.raises(SimtoolError, match="the disk is full") as caught:
        stages.score("gaussian.parquet", TRIALS, "o.parquet")
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, OSError)
    assert files(home) == before


def test_results_are_found_again_from_another_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = stages.compress("gaussian.parquet", "pca.parquet", components=3)
    scores = stages.score([table], TRIALS, "outcomes.parquet", distances=["mse"])
    monkeypatch.chdir(home.parent)
    assert table.read().shape == (len(table), 3)
    assert scores.outcomes[0].model == table.info.name
    assert scores.path == Path("outcomes.parquet")


def test_results_whose_file_was_written_again_are_refused(home: Path) -> None:
    table = stages.compress("gaussian.parquet", "pca.parquet", components=3)
    scores = stages.score([table], TRIALS, "outcomes.parquet")
    stages.compress("one-hot.parquet", "pca.parquet", components=3)
    stages.score("one-hot.parquet", TRIALS, "outcomes.parquet")
    with pytest.raises(SimtoolError, match=r"pca\.parquet: the file was written again since it was opened"):
        table.read()
    with pytest.raises(SimtoolError, match=r"outcomes\.parquet: the file was written again since it was opened"):
        _ = scores.outcomes


def test_an_open_table_is_an_input_like_its_file(home: Path) -> None:
    table = stages.compress("gaussian.parquet", "pca.parquet", components=3)
    with pytest.raises(SimtoolError, match="this is an input, which the output would replace"):
        stages.score([table], TRIALS, "pca.parquet")
    stages.score([table], TRIALS, "outcomes.parquet")
    shown = stages.show("outcomes.parquet")
    assert shown.description.provenance is not None
    assert [Path(entry.name).name for entry in shown.description.provenance.inputs] == ["pca.parquet"]
    assert shown.states == ("unchanged",)


def test_the_outcomes_of_a_written_table_are_read_when_they_are_used(home: Path) -> None:
    scores = stages.score("gaussian.parquet", TRIALS, "outcomes.parquet", distances=["mse"])
    Path("outcomes.parquet").rename("moved.parquet")
    (moved,) = read_outcomes([Path("moved.parquet")])
    Path("moved.parquet").rename("outcomes.parquet")
    np.testing.assert_array_equal(scores.outcomes[0].credit, moved.credit)
