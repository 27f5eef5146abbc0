"""Import trials: from judgments in any known format to a table of trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from simtool.judgments.assembly import Judgments, summary
from simtool.judgments.codebook import Codebook
from simtool.judgments.formats import AUTO, format_names
from simtool.stages.remarks import named, named_as_in, names_file, read_judgments
from simtool.stages.run import Folder, Place, Run, api, chosen, path_of, stage, table_file
from simtool.tables.images import Images
from simtool.tables.observers import Observers
from simtool.tables.trials import Trials, write_trials

__all__ = ["import_trials"]


@api
def import_trials(
    source: str | Path,
    out: str | Path | None = None,
    *,
    catalog: str | Path | None = None,
    images: str | Path | Images | None = None,
    format: str = AUTO,  # noqa: A002 - the name of the option
    observers: str | None = None,
    columns: Mapping[str, str] | None = None,
    answers: Mapping[str, str] | None = None,
) -> Trials:
    """Turn judgments of similarity into a table of trials.

    Args:
        source: a file, folder or zip of judgments in one of the formats of docs/formats.md.
        out: the Parquet file to write; None writes nothing.
        catalog: the file that says which images the numbers in psiz's files are: an HDF5 catalog, ``stimuli.txt`` or
            a CSV.
        images: a table of images. Trials then name images as this table does: by equal id, else by the closest
            spelling. Or a file of names for the ids in ``source``: a list with one name a line (the id is the row,
            from 0), or a CSV with the columns ``id`` and ``name``.
        format: of ``source``, one of :func:`~simtool.judgments.formats.format_names`; ``auto`` detects it from
            the content.
        observers: who judged, ``human`` or ``simulated``; stated in the table and in reports.
        columns: the heading of a CSV's column by the name of a column of judgments: ``{"reference_1": "left"}``.
        answers: the column that an answer of a CSV stands for: ``{"1": "left", "2": "right"}``; the empty text means
            that nothing was selected. The name of a column needs no explanation.

    Returns:
        The trials. ``trial_id`` is the row in ``source``, from 0. Catch trials (the query is among its references) and
        trials without an answer are left out.

    Raises:
        SimtoolError: the source is in no known format, a row is not a valid trial, or ``images`` lacks an image.

    Example:
        >>> from simtool import stages
        >>> trials = stages.import_trials("judgments.csv", images="images.parquet")  # doctest: +SKIP
    """
    source, catalog = Path(source), path_of(catalog)
    chosen(format_names(), "--format", format)
    place: Place = Folder(source) if source.is_dir() else source
    stated = None if observers is None else Observers(chosen(Observers, "--observers", observers))
    with stage("import-trials", reads=[place, catalog, path_of(images)], writes=[table_file(out)]) as run:
        judgments = read_judgments(run, source, catalog, format, Codebook(columns or {}, answers or {}))
        trials = replace(_named(run, judgments, images), observers=stated)
        if out is not None:
            write_trials(Path(out), trials, run.provenance())
            run.wrote(Path(out), summary(trials))
    return trials


def _named(run: Run, judgments: Judgments, images: str | Path | Images | None) -> Trials:
    """The trials, their images named as in a table of images, or by a file of names."""
    if images is None:
        return judgments.trials
    if (names := names_file(images)) is not None:
        return named(run, names, judgments.trials)
    return named_as_in(run.read_images(images), path_of(images) or Path("the table of images"), judgments).trials
