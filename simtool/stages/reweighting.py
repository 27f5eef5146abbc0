"""Reweight: from embeddings and judgments to a learned transform, and its outcomes on held-out judgments."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simtool import console
from simtool.analysis.tally import tally
from simtool.errors import SimtoolError, UsageError
from simtool.judgments.classes import with_classes
from simtool.judgments.comparisons import Comparisons
from simtool.judgments.folds import HoldOut
from simtool.models.folder import check_place, model_folder
from simtool.scoring.plan import shown_images
from simtool.stages.arguments import at_least
from simtool.stages.remarks import note_matches
from simtool.stages.run import Folder, Run, api, chosen, path_of, stage, table_file
from simtool.stages.scoring import Scores
from simtool.system.memory import available_memory
from simtool.system.threads import Workers
from simtool.tables.embeddings import EmbeddingTable
from simtool.tables.files import file_state
from simtool.tables.images import Images
from simtool.tables.outcomes_writing import write_outcomes
from simtool.tables.trials import Trials, read_trials
from simtool.text import counted
from simtool.transforms.reweighting.families import Kind, family_of
from simtool.transforms.reweighting.heldout import HeldOut, Names, held_out
from simtool.transforms.reweighting.learner import Learner, Recipe
from simtool.transforms.reweighting.loss import Similarity
from simtool.transforms.stored import StoredTransform

__all__ = ["reweight"]

#: Principal components, folds and splits by default; held-out images and classes need fewer folds, and several splits.
_COMPONENTS, _FOLDS, _IMAGE_FOLDS, _IMAGE_REPEATS = 64, 5, 3, 2
#: Arrays of the size of the vectors, and of the parameters, that are in memory at once.
_COPIES, _SEARCH = 4, 45
#: Numbers for each pair of images, while distances that have a direction are scored.
_DIRECTED = 8


@api
def reweight(
    table: str | Path | EmbeddingTable,
    trials: str | Path | Trials,
    out: str | Path | None = None,
    *,
    kind: str = "full",
    hold_out: str = "trial",
    distance: str = "cosine",
    components: int | None = None,
    rank: int = 16,
    penalty: float | None = None,
    folds: int | None = None,
    repeats: int | None = None,
    seed: int = 0,
    images: str | Path | Images | None = None,
    name: str | None = None,
    model_out: str | Path | None = None,
) -> Scores:
    """Learn a transform of vectors from judgments, and predict judgments that it has not seen.

    A linear map of the vectors is fitted to training comparisons by penalised logistic regression, and predicts the
    held-out ones. The penalty shrinks the map to the identity. The mean, the scale and the principal components of the
    vectors are those of the training images.

    Args:
        table: a table of embeddings.
        trials: a table of trials.
        out: the Parquet table of outcomes to write. None keeps the outcomes in memory.
        kind: ``diagonal``, ``low-rank``, ``full``, ``asymmetric`` or ``segments``;
            see :class:`~simtool.transforms.reweighting.families.Kind`.
        hold_out: the unit that a fold holds out: ``trial``, ``session``, ``participant``, ``query``, ``image`` or
            ``class``. ``comparison`` leaks: it only serves to show how much.
        distance: the distance that is trained, and by which the outcomes are: ``cosine``, ``mse`` or ``dot``.
        components: principal components that are kept; 0 keeps the values as they are, as ``segments`` does. None is
            64.
        rank: the number of values of a ``low-rank`` map.
        penalty: how strongly the map shrinks to the identity. None chooses it by nested folds of the training part.
        folds: the number of folds. None is 5, or 3 for ``image`` and ``class``.
        repeats: the number of splits, for ``image`` and ``class``. None is 2.
        seed: of the split into folds.
        images: a table of images, with classes and groups. ``class`` needs it, unless the trials state the classes.
        name: the label in reports. None for the name of ``table``.
        model_out: the model folder to write: the transform, learned from all comparisons.

    Returns:
        The accuracies and the outcomes, of the vectors before they learned (``identity``) and of the reweighting. For
        ``image`` and ``class``, a control shows the effect of the smaller training part: it learned from as many
        comparisons of other trials, whatever their images.

    Raises:
        UsageError: an argument is not valid, or does not fit another one.
        SimtoolError: the judgments cannot be held out so, the table lacks an image, or memory is too small.

    Example:
        >>> from simtool import stages
        >>> scores = stages.reweight("network.parquet", "trials.parquet", hold_out="image")  # doctest: +SKIP
        >>> [round(tally.accuracy, 3) for tally in scores.tallies]  # doctest: +SKIP
        [0.772, 0.781, 0.792]
    """
    scheme = HoldOut(chosen(HoldOut, "--hold-out", hold_out))
    by_image = scheme in (HoldOut.IMAGE, HoldOut.CLASS)
    if repeats is not None and not by_image:
        raise UsageError(f"--repeats is for --hold-out image and class; with {scheme}, one split tests all judgments")
    at_least(2, folds=folds)
    at_least(1, repeats=repeats, rank=rank)
    at_least(0, components=components, penalty=penalty, seed=seed)
    if penalty is not None and math.isinf(penalty):
        raise UsageError("--penalty is a finite number; 1e12 leaves the vectors as they are")
    target = None if model_out is None else Path(model_out)
    writes = [table_file(out), target and Folder(target)]
    if target is not None:
        check_place(target)
    with stage("reweight", reads=[path_of(table), path_of(trials), path_of(images)], writes=writes) as run:
        run.begin(table, trials)
        judgments = run.load(trials, read_trials, lambda found: counted(len(found), "trials"))
        source = run.read_embeddings(table)
        if images is not None:
            judgments = _with_classes(run, judgments, images)
        recipe = _recipe(source, kind, distance, components, rank, penalty)
        source.check_distance(distance)
        if scheme is HoldOut.COMPARISON:
            console.warn(
                "held-out comparisons leak: other comparisons of the same trial are in the training part; "
                "--hold-out trial tells the accuracy on new judgments"
            )
        vectors = _vectors(source, judgments, recipe)
        label = name or source.info.name
        count = folds or (_IMAGE_FOLDS if by_image else _FOLDS)
        splits = (repeats or _IMAGE_REPEATS) if by_image else 1
        total = recipe.fits * count * splits * (2 if by_image else 1)
        with console.progress("learning", total, "fits") as bar:
            found = held_out(
                vectors, judgments, recipe, scheme, _names(label, recipe, scheme), count, splits, seed, bar.advance
            )
        console.note(f"       penalties: {_penalties(found)}")
        if target is not None:
            _write_model(run, target, source, vectors, judgments, recipe, scheme, seed)
        tested = found.trials
        if tested is not judgments:
            if images is not None:
                tested = _with_classes(run, tested, images, note=False)
                found = replace(found, outcomes=tuple(replace(each, trials=tested) for each in found.outcomes))
            implied = counted(judgments.comparisons, "comparisons")
            console.note(f"       tested {len(tested):,} of {implied}, whose three images were all held out")
        if out is not None:
            write_outcomes(Path(out), tested, found.outcomes, run.provenance())
            run.wrote(Path(out), f"{counted(len(tested), 'trials')}: {found.outcomes[1].model}")
    tallies = tuple(each for outcomes in found.outcomes for each in tally(outcomes))
    state = None if out is None else file_state(Path(out))
    return Scores(tallies, path_of(out), found.outcomes if out is None else (), state)


def _with_classes(run: Run, trials: Trials, images: str | Path | Images, note: bool = True) -> Trials:
    """The trials with the classes and groups of their images."""
    return with_classes(trials, run.read_images(images, note=note), path_of(images) or Path("the table of images"))


def _recipe(
    table: EmbeddingTable, kind: str, distance: str, components: int | None, rank: int, penalty: float | None
) -> Recipe:
    """The map to learn, and how.

    Raises:
        UsageError: an argument is not valid, or does not fit another one.
    """
    wanted = Kind(chosen(Kind, "--kind", kind))
    similarity = Similarity(chosen(Similarity, "--distance", distance))
    segments = table.info.segments if wanted is Kind.SEGMENTS else ()
    if wanted is Kind.SEGMENTS and not segments:
        raise UsageError(f"--kind segments needs vectors with segments; {table.path} names none")
    if segments and components:
        raise UsageError("--kind segments keeps the values as they are; leave out --components")
    kept = None if segments or components == 0 else components or _COMPONENTS
    penalties = Recipe.penalties if penalty is None else (penalty,)
    recipe = Recipe(wanted, similarity, kept, rank, penalties, segments)
    family_of(wanted, kept or table.info.dimension, rank, segments)
    return recipe


def _vectors(table: EmbeddingTable, trials: Trials, recipe: Recipe) -> NDArray[np.float64]:
    """A vector for each image of the trials, (n, D); zeros for those that no trial shows.

    Raises:
        TableError: the table lacks an image.
        SimtoolError: memory is too small.
    """
    used, dimension = shown_images(trials), table.info.dimension
    matches = table.match(trials.images[used])
    note_matches(table.path, matches)
    numbers = _COPIES * len(trials.images) * dimension
    if recipe.components is None and recipe.kind not in (Kind.DIAGONAL, Kind.SEGMENTS):
        numbers += _SEARCH * recipe.kind.sides * dimension**2
    if recipe.kind is Kind.ASYMMETRIC:
        numbers += _DIRECTED * used.size**2
    free = available_memory()
    if free is not None and 8 * numbers > free:
        raise SimtoolError(
            f"{table.path}: {counted(used.size, 'vectors')} of {dimension:,} values need {8 * numbers / 1e9:,.1f} GB "
            f"of memory, {free / 1e9:,.1f} GB are free; keep fewer values with simtool compress or --components"
        )
    vectors = np.zeros((len(trials.images), dimension))
    vectors[used] = table.read(np.array(matches.rows, np.intp), np.float64)
    return vectors


def _names(name: str, recipe: Recipe, scheme: HoldOut) -> Names:
    return Names(
        f"{name}, identity by {scheme}",
        f"{name}, {recipe.kind} by {scheme}",
        f"{name}, {recipe.kind}, same size by trial",
    )


def _penalties(found: HeldOut) -> str:
    """The penalties of the folds, each with its number of folds."""
    counts = Counter(found.penalties)
    return ", ".join(f"{penalty:g} ({counted(counts[penalty], 'folds')})" for penalty in sorted(counts, reverse=True))


def _write_model(
    run: Run,
    target: Path,
    table: EmbeddingTable,
    vectors: NDArray[np.float64],
    trials: Trials,
    recipe: Recipe,
    scheme: HoldOut,
    seed: int,
) -> None:
    """Learn from all comparisons, and write the model folder."""
    with Workers(), console.progress("learning from all judgments", recipe.fits, "fits") as bar:
        learned = Learner(vectors, trials, recipe, seed).learn(Comparisons.of(trials), scheme, bar.advance)
    maps = learned.maps(str(recipe.kind))
    facts = {
        "source": table.info.name,
        "source_model": table.info.model,
        "values": f"{table.info.dimension:,} to {maps[0].dimension:,}",
        "components": recipe.components,
        "penalty": learned.penalty,
        "comparisons": trials.comparisons,
    }
    facts = {name: value for name, value in facts.items() if value is not None}
    with model_folder(target, run.name) as folder:
        stored = StoredTransform(maps[0], maps[1] if len(maps) > 1 else None, recipe.similarity)
        stored.save(folder, facts, run.provenance())
    run.wrote(target, f"a transform to {counted(maps[0].dimension, 'values')}, learned from all judgments")
