"""Score: from embeddings or distances, and judgments, to outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simtool import console
from simtool.analysis.tally import Tally, below_chance, tally
from simtool.errors import SimtoolError, UsageError, listed
from simtool.ids import match_ids
from simtool.judgments.classes import with_classes
from simtool.scoring.columns import read_ahead
from simtool.scoring.distances import DISTANCES
from simtool.scoring.given import GIVEN, score_distances
from simtool.scoring.plan import Plan, shown_images
from simtool.scoring.scoring import DEFAULT_DISTANCES, score_table
from simtool.stages.remarks import named, names_file, note_matches, warn_of_unused
from simtool.stages.run import Run, api, path_of, stage, table_file
from simtool.system.memory import AmountError, bytes_of
from simtool.tables.distances import DistanceTable
from simtool.tables.embeddings import EmbeddingTable
from simtool.tables.files import check_unchanged, file_state
from simtool.tables.images import Images
from simtool.tables.lineage import Lineage
from simtool.tables.outcomes import Outcomes, read_outcomes
from simtool.tables.outcomes_writing import write_outcomes
from simtool.tables.trials import Trials, check_trials, read_trials
from simtool.text import counted

if TYPE_CHECKING:
    from simtool.choice.temperature import ChoiceModel

__all__ = ["Scores", "score"]


@dataclass(frozen=True)
class Scores:
    """The result of :func:`score`.

    Attributes:
        tallies: the triplet accuracy of each model and distance, by trial type and, of several types, over all trials.
        path: of the table of outcomes; None where it was not written.
    """

    tallies: tuple[Tally, ...]
    path: Path | None
    _held: tuple[Outcomes, ...] = field(default=(), repr=False)
    _state: tuple[int, int, int] | None = field(default=None, repr=False, compare=False)
    _home: Path = field(default_factory=Path.cwd, repr=False, compare=False)

    @property
    def sources(self) -> list[Path | Outcomes]:
        """The table that was written, or else the outcomes in memory."""
        if self.path is None or self._state is None:
            return [*self._held]
        check_unchanged(self._home / self.path, self._state)
        return [self._home / self.path]

    @cached_property
    def outcomes(self) -> list[Outcomes]:
        """The outcomes of each model and distance; a table that was written is read when this is first used."""
        if self.path is None or self._state is None:
            return list(self._held)
        found = read_outcomes([self._home / self.path])
        check_unchanged(self._home / self.path, self._state)
        return found


@api
def score(
    tables: str | Path | EmbeddingTable | DistanceTable | Sequence[str | Path | EmbeddingTable | DistanceTable],
    trials: str | Path | Trials,
    out: str | Path | None = None,
    *,
    distances: Sequence[str] = (),
    names: Sequence[str] = (),
    images: str | Path | Images | None = None,
    memory: str | int | None = None,
    choice_model: bool = False,
) -> Scores:
    """Predict each judgment from the distances between the embeddings of its images.

    A model predicts that people select the reference nearest to the query. Ties get half credit.

    Args:
        tables: one or more tables of embeddings or of distances.
        trials: a table of trials.
        out: the Parquet table of outcomes to write. None keeps the outcomes in memory.
        distances: names, see :data:`~simtool.scoring.distances.DISTANCES`; ``mse`` and ``cosine`` without names.
            A table of distances is scored as it is: its distance is ``given``. A table that is made for some distances,
            as those of :func:`combine`, is scored by these, or by those of them that are named.
        names: the label of each table's model in reports. Without them, the name that each table states. Tables that
            are made for different distances may share a name.
        images: a table of images. Outcomes then say for each comparison which references share the query's class and
            group. Or a file of names for the ids in ``trials``, as for :func:`import_trials`.
        memory: bytes that the process may use, as a number or such as ``2G``. None is half of the free memory.
        choice_model: fit a choice model to each model and distance. Outcomes then hold the log-likelihood of each trial
            and the probability of each comparison, by temperatures that were fitted to other trials.

    Returns:
        The accuracies, and the outcomes.

    Raises:
        UsageError: a distance, a name or an amount of memory is not valid, or no distance applies to a table.
        SimtoolError: a table lacks an image or a pair, a vector is not valid, or a table is given twice.

    Example:
        >>> from simtool import stages
        >>> scores = stages.score(["pixels.parquet"], "trials.parquet", distances=["cosine"])  # doctest: +SKIP
        >>> scores.tallies[0].accuracy  # doctest: +SKIP
        0.7132
    """
    sources = [tables] if isinstance(tables, str | Path | EmbeddingTable | DistanceTable) else list(tables)
    distances = list(dict.fromkeys(distances))
    if not sources:
        raise UsageError("there are no embeddings to score; give a table of embeddings")
    if unknown := [name for name in distances if name not in (*DISTANCES, GIVEN)]:
        raise UsageError(f"no distance is called {listed(unknown)}; choose from {', '.join((*DISTANCES, GIVEN))}")
    _check_sources(sources, names)
    allowed = _bytes(memory)
    reads = [path_of(source) for source in (*sources, trials, images)]
    with stage("score", reads=reads, writes=[table_file(out)]) as run:
        run.begin(trials, *sources)
        judgments = run.load(trials, partial(read_trials, checked=images is not None), _trials_detail)
        warn_of_unused(path_of(trials) or Path("the trials"), judgments.extra)
        opened = [run.read_model(source) for source in sources]
        measured = _distances_of(opened, distances)
        labels = _labels(opened, names, measured)
        if (file := names_file(images)) is not None:
            judgments = named(run, file, judgments)
        elif images is not None:
            judgments = _with_classes(run, judgments, images)
        shown = judgments.images[shown_images(judgments)]
        matches = [table.match(shown) for table in opened]
        for table, found in zip(opened, matches, strict=True):
            note_matches(table.path, found)
            _warn_if_fitted(table)
        if allowed is None and isinstance(opened[0], EmbeddingTable):
            read_ahead(opened[0], np.array(matches[0].rows))  # beside the next lines
        if isinstance(trials, str | Path) and images is None:
            check_trials(Path(trials), judgments)
        plan = Plan.of(judgments)
        choice = _choice_model(judgments) if choice_model else None
        counting: list[Future[list[Tally]]] = []

        def scored(beside: Executor) -> Iterator[Outcomes]:
            for label, table, own in zip(labels, opened, measured, strict=True):
                lineage = Lineage.of(table.info) if isinstance(table, EmbeddingTable) else None
                for found in _scored(table, plan, own, label, allowed, choice):
                    outcomes = replace(found, lineage=lineage)
                    counting.append(beside.submit(lambda found: list(tally(found)), outcomes))
                    yield outcomes

        with ThreadPoolExecutor(1) as beside:
            held = tuple(scored(beside)) if out is None else ()
            if out is not None:
                write_outcomes(Path(out), judgments, scored(beside), run.provenance())
        tallies = [each for found in counting for each in found.result()]
        if out is not None:
            columns = (
                f"{listed(dict.fromkeys(labels), 4)} by {listed(dict.fromkeys(chain(*measured)), len(DISTANCES) + 1)}"
            )
            run.wrote(Path(out), f"{counted(len(judgments), 'trials')}: {columns}")
    if doubtful := below_chance(tallies):
        console.warn(_doubt(doubtful))
    return Scores(tuple(tallies), path_of(out), held, None if out is None else file_state(Path(out)))


def _distances_of(tables: Sequence[EmbeddingTable | DistanceTable], distances: Sequence[str]) -> list[list[str]]:
    """The distances by which each table is scored: those asked for that apply to it.

    Raises:
        UsageError: none of them applies to any table of its kind.
    """
    own = [name for name in distances if name != GIVEN]
    held = [table.path for table in tables if isinstance(table, DistanceTable)]
    if distances and not own and len(held) < len(tables):
        vectors = next(table.path for table in tables if not isinstance(table, DistanceTable))
        raise UsageError(
            f"--distance {GIVEN} is for tables of distances; {vectors} holds vectors: add another distance"
        )
    if own and len(held) == len(tables):
        raise UsageError(f"--distance {own[0]} is for vectors; {held[0]} holds distances, which are scored as {GIVEN}")
    return [[GIVEN] if isinstance(table, DistanceTable) else _vector_distances(table, own) for table in tables]


def _vector_distances(table: EmbeddingTable, asked: Sequence[str]) -> list[str]:
    """The distances by which a table of vectors is scored: those asked for that its vectors are made for."""
    if not table.info.distances:
        return list(asked or DEFAULT_DISTANCES)
    found = [name for name in table.info.distances if name in asked or not asked]
    if not found:
        table.check_distance(asked[0])
    return found


def _scored(
    table: EmbeddingTable | DistanceTable,
    plan: Plan,
    distances: Sequence[str],
    label: str,
    memory: int | None,
    choice: ChoiceModel | None,
) -> Iterable[Outcomes]:
    """The outcomes of one model."""
    if isinstance(table, DistanceTable):
        found = score_distances(table, plan, label, memory)
    else:
        with console.progress(f"scoring {label}", table.info.dimension, "columns") as bar:
            found = score_table(table, plan, distances, label, memory, bar.advance)
    if choice is None:
        return found
    from simtool.scoring.shown import shown_distances

    return map(choice.fitted, found, shown_distances(table, plan, distances, memory))


def _choice_model(trials: Trials) -> ChoiceModel:
    """The choice model of some trials. It needs SciPy and scikit-learn, which nothing else in this stage needs."""
    from simtool.choice.temperature import ChoiceModel

    return ChoiceModel.of(trials)


def _warn_if_fitted(table: EmbeddingTable | DistanceTable) -> None:
    """Warn about vectors that were learned from judgments, perhaps from those that are scored."""
    if isinstance(table, EmbeddingTable) and table.info.learned:
        console.warn(
            f"{table.path} was fitted to judgments; its accuracy on the same judgments is too high: "
            "the outcomes of fit-psych and reweight predict judgments that were not used"
        )


def _trials_detail(trials: Trials) -> str:
    return f"{counted(len(trials), 'trials')}, {listed(sorted(map(str, trials.types)), 5)}"


def _with_classes(run: Run, trials: Trials, images: str | Path | Images) -> Trials:
    """The trials with the classes and groups of their images."""
    table, label = run.read_images(images), path_of(images) or Path("the table of images")
    found = with_classes(trials, table, label)
    note_matches(label, match_ids(found.images, table.image_id))
    return found


def _check_sources(sources: Sequence[str | Path | EmbeddingTable | DistanceTable], names: Sequence[str]) -> None:
    """Refuse a table that is given twice, names that are not one for each table, and an empty name."""
    paths = [path for source in sources if (path := path_of(source)) is not None]
    places = Counter(path.resolve() for path in paths)
    if twice := [path for path in dict.fromkeys(paths) if places[path.resolve()] > 1]:
        raise SimtoolError(f"{listed(twice)}: the same table is given more than once; give it once")
    if names and len(names) != len(sources):
        raise UsageError(f"give one --name for each TABLE, not {len(names)} for {len(sources)}")
    if blank := [label for label in names if not label.strip()]:
        raise UsageError(f"--name {blank[0]!r}: give each model a different name")


def _bytes(memory: str | int | None) -> int | None:
    if memory is None or isinstance(memory, int):
        return memory
    try:
        return bytes_of(memory)
    except AmountError as failure:
        raise UsageError(f"--memory: {failure}") from failure


def _labels(
    tables: Sequence[EmbeddingTable | DistanceTable], names: Sequence[str], distances: Sequence[Sequence[str]]
) -> list[str]:
    """The label of each model: the names asked for; else the table's name, with the file's where it is not enough.

    Raises:
        SimtoolError: two tables would have the same label.
    """
    if names:
        for label in _shared(tables, names, distances):
            raise UsageError(f"--name {label!r}: give each model a different name")
        return list(names)
    stated = [table.info.name for table in tables]
    shared = _shared(tables, stated, distances)
    labels = [
        f"{name} ({table.path.stem})" if name in shared else name for name, table in zip(stated, tables, strict=True)
    ]
    for label in _shared(tables, labels, distances):
        files = [table.path for table, own in zip(tables, labels, strict=True) if own == label]
        raise SimtoolError(f"{listed(files)} would all be called {label}: give each TABLE a different --name")
    return labels


def _shared(
    tables: Sequence[EmbeddingTable | DistanceTable], labels: Sequence[str], distances: Sequence[Sequence[str]]
) -> list[str]:
    """The labels of several models. Tables that are made for different distances are one model."""

    def is_one(rows: Sequence[int]) -> bool:
        own = [tables[row] for row in rows]
        made = all(isinstance(table, EmbeddingTable) and table.info.distances for table in own)
        return made and max(Counter(chain.from_iterable(distances[row] for row in rows)).values()) == 1

    rows_of = {label: [row for row, own in enumerate(labels) if own == label] for label in labels}
    return [label for label, rows in rows_of.items() if len(rows) > 1 and not is_one(rows)]


def _doubt(doubtful: Sequence[Tally]) -> str:
    """The possible reason for models far below chance."""
    first = doubtful[0]
    others = f" (and {len(doubtful) - 1:,} more)" if doubtful[1:] else ""
    reason = (
        "The odd one of these trials may be another image: the image that people chose as most similar, or a position "
        "that counts from another number"
        if first.are_odd
        else "The selected image may be the odd one out (import-trials reads it with the header "
        "image_1,...,image_N,odd_one), or the image least similar to the query (then the trials must name the other "
        "images as selected)"
    )
    return (
        f"{first.model} by {first.distance}{others} predicts {first.accuracy:.0%} of {first.comparisons:,} "
        f"comparisons; guessing predicts half. {reason}"
    )
