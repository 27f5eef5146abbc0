"""Check: from outcomes to what a report on them can be trusted with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from simtool import console
from simtool.analysis.building import pools
from simtool.errors import UsageError, listed
from simtool.stages.arguments import at_least
from simtool.stages.run import Run, api, path_of, stage
from simtool.stages.scoring import Scores
from simtool.tables.atomic import atomic_path
from simtool.tables.distances import DistanceTable
from simtool.tables.embeddings import EmbeddingTable
from simtool.tables.outcomes import Outcomes, read_outcomes
from simtool.text import counted, plural
from simtool.validity.check import Check, check_design, check_models, check_students, several, world_of
from simtool.validity.displays import Displays, Distances
from simtool.validity.distances import ValidityError, distances_of, vectors_of
from simtool.validity.reweighted import Students
from simtool.validity.setting import Label, Setting

__all__ = ["check"]

LEAST_STUDIES, LEAST_REPLICATES = 10, 100
#: Recovery simulates this share of the studies for each model, because it needs no intervals.
_FEWER = 4
#: The path that means standard output.
STDOUT = Path("-")


@api
def check(
    outcomes: str | Path | Outcomes | Scores | Sequence[str | Path | Outcomes],
    vectors: str | Path | EmbeddingTable | DistanceTable | Sequence[str | Path | EmbeddingTable | DistanceTable] = (),
    *,
    names: Sequence[str] = (),
    json: str | Path | None = None,
    studies: int = 200,
    reweight: int = 0,
    replicates: int = 200,
    seed: int = 0,
    show: Callable[[Check], object] | None = None,
) -> Check:
    """Check what a report on these judgments can be trusted with, on simulated people whose rule of choice is known.

    The simulated studies have the displays, participants, sessions and images of the real one. Other people make the
    choices, and for some checks other images are shown.

    Args:
        outcomes: a table of outcomes, outcomes in memory, or the result of :func:`~simtool.stages.score`; all on the
            same trials.
        vectors: the tables of embeddings or of distances that were scored. They are needed to shuffle judgments, and
            for model recovery.
        names: the name of the model of each table in the outcomes. Without them, the name that each table states.
        json: a file to write all numbers to.
        studies: number of simulated studies of each kind. Shuffles, and studies of model recovery, are a quarter of it.
        reweight: number of studies in which every model also learns from the judgments, for each model and each rule of
            the people; 0 for none. Each learning of a large study takes seconds.
        replicates: number of resamples for the intervals of each study.
        seed: of everything random.
        show: a function that receives the result before the file is written.

    Returns:
        The checks: smallest differences that can be found, coverage, type I error and power; with vectors also shuffled
        judgments and model recovery.

    Raises:
        UsageError: an option has a value that is not valid.
        SimtoolError: the outcomes cannot be read, or are not those of the tables.

    Example:
        >>> from simtool import stages
        >>> found = stages.check("outcomes.parquet", ["pixels.parquet"], studies=100)  # doctest: +SKIP
        >>> [(row.of, row.held.value) for row in found.coverage]  # doctest: +SKIP
        [('good', 0.96), ('equal', 0.95)]
    """
    at_least(LEAST_STUDIES, studies=studies)
    at_least(LEAST_REPLICATES, replicates=replicates)
    at_least(0, seed=seed, reweight=reweight)
    outcomes = outcomes.sources if isinstance(outcomes, Scores) else outcomes
    sources = [outcomes] if isinstance(outcomes, str | Path | Outcomes) else list(outcomes)
    tables = [vectors] if isinstance(vectors, str | Path | EmbeddingTable | DistanceTable) else list(vectors)
    if not sources:
        raise UsageError("there are no outcomes to check; give a table of outcomes")
    if names and len(names) != len(tables):
        raise UsageError(f"give one --name for each table of --vectors, not {len(names)} for {len(tables)}")
    target = path_of(json)
    reads = [path for source in (*sources, *tables) if (path := path_of(source)) is not None]
    with stage("check", reads=reads, writes=[None if target == STDOUT else target]) as run:
        scored = _read(run, sources)
        displays = Displays(scored[0].trials)
        opened = _opened(run, tables, names, scored)
        models = _models(opened, scored, displays)
        students = _students(opened, displays, seed) if reweight else None
        setting, fewer = Setting(seed, replicates), -(-studies // _FEWER)
        world = world_of(scored, setting)
        compared = len(models) if several(models) else 0
        total = studies * len(world.population.repetitions) + (fewer * (1 + compared) if models else 0)
        total += 4 * reweight * len(students.models) if students else 0
        with console.progress("simulating", total, "studies") as bar:
            found = check_design(scored, world, studies, setting, bar.advance)
            if models:
                found = check_models(found, displays, models, fewer, bar.advance)
            if students:
                found = check_students(found, students, models, reweight, bar.advance)
        if show is not None:
            show(found)
        if target is not None:
            _write(run, target, found)
    return found


def _read(run: Run, sources: Sequence[str | Path | Outcomes]) -> list[Outcomes]:
    """The outcomes of every model and distance, which are on the same trials."""
    scored = read_outcomes([source if isinstance(source, Outcomes) else Path(source) for source in sources])
    for source in sources:
        if (path := path_of(source)) is not None:
            run.read(path, counted(len(scored), "pairs of model and distance", "pair of model and distance"))
    if len(pools(scored)) > 1 or len({(each.model, each.distance) for each in scored}) < len(scored):
        raise ValidityError("the outcomes are on different trials; give outcomes on the same trials")
    return scored


def _opened(
    run: Run,
    tables: Sequence[str | Path | EmbeddingTable | DistanceTable],
    names: Sequence[str],
    scored: Sequence[Outcomes],
) -> dict[str, EmbeddingTable | DistanceTable]:
    """The tables by the names of their models in the outcomes."""
    opened: dict[str, EmbeddingTable | DistanceTable] = {}
    known = list(dict.fromkeys(each.model for each in scored))
    for place, source in enumerate(tables):
        table = run.read_model(source)
        model = names[place] if names else table.info.name
        if model not in known:
            held = listed(known, most=8)
            raise ValidityError(f"{table.path}: the outcomes hold {held}, not {model}; --name tells which it is")
        if model in opened:
            raise ValidityError(f"{table.path}: {opened[model].path} is {model} already; --name tells which it is")
        opened[model] = table
    return opened


def _models(
    opened: Mapping[str, EmbeddingTable | DistanceTable], scored: Sequence[Outcomes], displays: Displays
) -> dict[Label, Distances]:
    """The distances of the models, which give the credit that the outcomes hold."""
    models: dict[Label, Distances] = {}
    compared = displays.compared(displays.selections(displays.trials))
    for model, table in opened.items():
        for outcomes in (each for each in scored if each.model == model):
            with console.progress(f"measuring {model}", None, "columns") as bar:
                found = distances_of(table, outcomes.distance, displays, bar.advance)
            if differing := int((displays.credit(compared, found) != outcomes.credit).sum()):
                raise ValidityError(
                    f"{table.path}: the outcomes of {model} with {outcomes.distance} are those of another table "
                    f"({counted(differing, 'comparisons')} {plural(differing, 'differ', 'differs')}); score it again"
                )
            models[model, outcomes.distance] = found
    return models


def _students(opened: Mapping[str, EmbeddingTable | DistanceTable], displays: Displays, seed: int) -> Students:
    """The models that can learn from judgments."""
    tables = {model: table for model, table in opened.items() if isinstance(table, EmbeddingTable)}
    if len(tables) < 2:
        raise UsageError("--reweight compares models that learn; give --vectors with the vectors of two models or more")
    return Students(displays, {model: vectors_of(table, displays) for model, table in tables.items()}, seed=seed)


def _write(run: Run, path: Path, found: Check) -> None:
    from simtool.reporting.validity import to_json

    if path == STDOUT:
        console.result_text(to_json(found))
        return
    with atomic_path(path) as temporary:
        temporary.write_text(to_json(found), encoding="utf-8")
    run.wrote(path, "checks")
