"""``simtool reweight``: from embeddings and judgments to a learned transform, and its held-out outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import console, stages
from simtool.commands.options import number, table, whole, word
from simtool.commands.score import summary

__all__ = ["reweight"]


def reweight(
    embeddings: Annotated[Path, typer.Argument(metavar="TABLE", help="A table of embeddings.")],
    trials: Annotated[Path, typer.Option(metavar="TRIALS", help="Table of trials.")],
    out: Annotated[Path, typer.Option(metavar="OUTCOMES", help="The Parquet table of outcomes to write.")],
    kind: Annotated[
        str, word(help="The map: diagonal, low-rank, full, asymmetric, or segments (a factor for each).")
    ] = "full",
    hold_out: Annotated[
        str,
        word(
            help="The unit that a fold holds out: trial, session, participant, query, image or class. "
            "comparison leaks, and only shows how much."
        ),
    ] = "trial",
    distance: Annotated[
        str, typer.Option(metavar="D", help="The distance that is trained: cosine, mse or dot.")
    ] = "cosine",
    components: Annotated[
        int | None, whole(min=0, help="Principal components to keep; 0 keeps the values as they are. [64]")
    ] = None,
    rank: Annotated[int, whole(min=1, help="Values of a low-rank transform.")] = 16,
    penalty: Annotated[
        float | None, number(min=0, help="Strength of the shrinkage to the identity. [chosen by nested folds]")
    ] = None,
    folds: Annotated[int | None, whole(min=2, help="Number of folds. [5; 3 for image and class]")] = None,
    repeats: Annotated[int | None, whole(min=1, help="Number of splits, for image and class. [2]")] = None,
    seed: Annotated[int, whole(min=0, help="Seed of the split into folds.")] = 0,
    images: Annotated[Path | None, table(help="Table of images with classes, for --hold-out class.")] = None,
    name: Annotated[str | None, word(help="Label in reports. [the name of TABLE]")] = None,
    model_out: Annotated[
        Path | None,
        typer.Option(metavar="MODEL", help="Write the transform, learned from all judgments, to this model folder."),
    ] = None,
) -> None:
    """Learn a transform of vectors from judgments, and predict judgments that it has not seen.

    A linear map of the vectors is fitted to training comparisons and predicts held-out ones. OUTCOMES holds the vectors
    before (identity) and after learning, for report. With image and class, only comparisons of three unseen images are
    tested; a control with an equally small training part is added. MODEL transforms the vectors of new images: see
    transform.

    \b
    Example:
      simtool reweight network.parquet --trials trials.parquet --out reweighted.parquet
      simtool reweight network.parquet --trials trials.parquet --hold-out image --out by-image.parquet
    """
    scores = stages.reweight(
        embeddings,
        trials,
        out,
        kind=kind,
        hold_out=hold_out,
        distance=distance,
        components=components,
        rank=rank,
        penalty=penalty,
        folds=folds,
        repeats=repeats,
        seed=seed,
        images=images,
        name=name,
        model_out=model_out,
    )
    console.result(summary(scores.tallies))
