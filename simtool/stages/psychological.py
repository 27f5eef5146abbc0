"""Fit a psychological embedding: from trials to vectors of images, and to out-of-fold outcomes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simtool import console
from simtool.analysis.columns import column_labels
from simtool.errors import SimtoolError, UsageError
from simtool.judgments.folds import Fold, HoldOut, trial_folds
from simtool.psychological.embedding import PsychologicalEmbedding
from simtool.psychological.fitting import Settings, fitted
from simtool.psychological.held_out import held_out
from simtool.psychological.sample import Sample
from simtool.stages.arguments import at_least
from simtool.stages.run import Run, api, chosen, path_of, stage, table_file
from simtool.tables.checks import Check
from simtool.tables.embeddings import EmbeddingInfo, EmbeddingTable
from simtool.tables.outcomes import Outcomes
from simtool.tables.outcomes_writing import write_outcomes
from simtool.tables.trials import Trials, read_trials
from simtool.text import counted

__all__ = ["PsychologicalFit", "fit_psych"]

#: The distance by which the embedding predicts, as ``score`` names it; groups weigh its dimensions.
_DISTANCE = "euclidean"


@dataclass(frozen=True)
class PsychologicalFit:
    """The result of :func:`fit_psych`.

    Attributes:
        table: the vectors of the images.
        embedding: the fit: points, similarity function, and penalty.
        outcomes: out-of-fold predictions of all trials; None if they were not asked for.
    """

    table: EmbeddingTable
    embedding: PsychologicalEmbedding
    outcomes: Outcomes | None

    @property
    def checks(self) -> tuple[Check, ...]:
        """The accuracies on held-out trials and on simulated choices, by trial type; empty without outcomes."""
        return () if self.outcomes is None else self.outcomes.checks


@api
def fit_psych(
    trials: str | Path | Trials,
    out: str | Path | None = None,
    *,
    dimensions: int | None = None,
    outcomes: str | Path | None = None,
    hold_out: str | None = None,
    folds: int = 5,
    groups: str | None = None,
    exponent: float = 1.0,
    restarts: int = 2,
    seed: int = 0,
    name: str | None = None,
) -> PsychologicalFit:
    """Fit coordinates of images to judgments alone, so that near images are chosen as similar.

    The similarity of two images is exp(-scale x distance ** exponent) + floor, with a scale for each type of trials and
    one floor. Choices follow Luce's rule. Coordinates, scales and floor are fitted, and a penalty of the coordinates is
    chosen by the likelihood of held-out trials.

    Args:
        trials: a table of trials.
        out: the Parquet table of embeddings to write. None keeps the vectors in memory.
        dimensions: of the coordinates. None chooses them by the likelihood of held-out trials.
        outcomes: the Parquet table of out-of-fold outcomes to write. Each trial is predicted by an embedding that was
            fitted without it.
        hold_out: the unit of the folds, ``trial``, ``session``, ``query`` or ``participant``. None is ``trial``, and
            out-of-fold outcomes only if ``outcomes`` is given.
        folds: their number.
        groups: a column of the trials that names groups of participants. Each group weighs the dimensions in its own
            way.
        exponent: of the distance; 1 is exponential similarity, 2 Gaussian.
        restarts: random starts of each fit.
        seed: of the starts, the folds and the simulated choices.
        name: the label in reports. None is ``psychological K``.

    Returns:
        The vectors, the fit, and the outcomes.

    Raises:
        UsageError: an option has a value that is not valid.
        SimtoolError: the trials cannot be read, are too few, or do not name what is held out.

    Example:
        >>> from simtool import stages
        >>> fit = stages.fit_psych("trials.parquet", dimensions=8)  # doctest: +SKIP
        >>> fit.table.info.name  # doctest: +SKIP
        'psychological 8'
    """
    at_least(1, dimensions=dimensions, restarts=restarts)
    at_least(2, folds=folds)
    at_least(0, seed=seed)
    unit = _unit(hold_out or HoldOut.TRIAL)
    if not 0.1 <= exponent <= 4:
        raise UsageError(f"--exponent {exponent:g}: choose a number from 0.1 to 4; 1 is exponential, 2 is Gaussian")
    settings = Settings(exponent, restarts, seed, unit)
    with stage("fit-psych", reads=[path_of(trials)], writes=[table_file(out), table_file(outcomes)]) as run:
        run.begin(trials)
        judged = run.load(trials, read_trials, lambda found: f"{counted(len(found), 'trials')}")
        sample = _sample(judged, groups)
        wanted = outcomes is not None or hold_out is not None
        parts = trial_folds(judged, unit, folds, seed) if wanted else []
        with console.progress("fitting", None, "numbers of dimensions") as bar:

            def tried(number: int, loss: float) -> None:
                if dimensions is None:
                    console.note(f"{counted(number, 'dimensions')}: {loss:.4f} nats for each held-out trial")
                bar.advance(1)

            embedding = fitted(sample, dimensions, settings, tried)
        label = name or f"psychological {embedding.dimensions}"
        predicted = None
        if wanted:
            predicted = _predicted(sample, dimensions, settings, parts, f"{name or _label(dimensions)}, by {unit}")
        table = _write_points(run, out, label, sample, embedding)
        if outcomes is not None and predicted is not None:
            write_outcomes(Path(outcomes), judged, [predicted], run.provenance())
            run.wrote(Path(outcomes), f"{counted(len(judged), 'trials')}: {predicted.model}")
    return PsychologicalFit(table, embedding, predicted)


def _label(dimensions: int | None) -> str:
    return "psychological" if dimensions is None else f"psychological {dimensions}"


def _unit(name: str) -> HoldOut:
    """The unit of the folds.

    Raises:
        UsageError: no fold can hold it out.
    """
    unit = HoldOut(chosen(HoldOut, "--hold-out", name))
    if unit.keeps_trials_whole:
        return unit
    whole = ", ".join(each for each in HoldOut if each.keeps_trials_whole)
    if unit is HoldOut.COMPARISON:
        raise UsageError(f"--hold-out comparison: the other comparisons of a trial tell about it; use one of {whole}")
    raise UsageError(
        f"--hold-out {unit}: impossible, because only judgments of an image give it a place; use one of {whole}"
    )


def _sample(trials: Trials, groups: str | None) -> Sample:
    """The trials with their groups.

    Raises:
        SimtoolError: a trial has no group.
    """
    if groups is None:
        return Sample.of(trials)
    labels = column_labels(trials, groups, "--groups")
    if missing := int(np.count_nonzero(labels.code < 0)):
        raise SimtoolError(f"--groups {groups}: the value of {counted(missing, 'trials')} is missing; fill the column")
    return Sample.of(trials, labels)


def _predicted(
    sample: Sample, dimensions: int | None, settings: Settings, parts: Sequence[Fold], label: str
) -> Outcomes:
    """The out-of-fold outcomes."""
    with console.progress("fitting out of fold", len(parts), "folds") as bar:
        found = held_out(sample, parts, dimensions, settings, lambda: bar.advance(1))
    if dimensions is None:
        console.note(f"dimensions of the folds: {', '.join(map(str, found.dimensions))}")
    log_likelihood = found.log_probability.astype(np.float32)
    return Outcomes(label, _DISTANCE, sample.trials, found.credit, log_likelihood, found.probability, found.checks)


def _write_points(
    run: Run, out: str | Path | None, label: str, sample: Sample, embedding: PsychologicalEmbedding
) -> EmbeddingTable:
    """Write the coordinates of the images that the trials show."""
    similarity = json.dumps(embedding.description(sample.trials.types, sample.groups))
    info = EmbeddingInfo(name=label, dimension=embedding.dimensions, similarity=similarity, learned=True)
    shown = sample.shown()
    with run.embeddings(out, info) as writer:
        writer.write(sample.trials.images[shown], embedding.points[shown].astype(np.float32))
    if out is not None:
        vectors = f"{counted(int(shown.sum()), 'vectors')} of {counted(embedding.dimensions, 'values')}"
        run.wrote(Path(out), f"{vectors} (penalty {embedding.penalty:g}, floor {embedding.floor:.1g})")
    return writer.table
