"""Reading of judgments for several stages, and remarks on judgments and images on standard error."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from numpy import object_
from numpy.typing import NDArray

from simtool import console
from simtool.errors import SimtoolError, listed
from simtool.ids import Matches, match_ids
from simtool.judgments.assembly import Judgments, in_images
from simtool.judgments.codebook import Codebook
from simtool.judgments.formats import AUTO
from simtool.judgments.headings import nearest
from simtool.judgments.importing import import_judgments
from simtool.judgments.names import read_names
from simtool.kinds import kind_of
from simtool.stages.run import Run, path_of
from simtool.tables.images import Images
from simtool.tables.trials import Trials
from simtool.text import counted, plural

if TYPE_CHECKING:
    from simtool.tables.embeddings import Ids

__all__ = ["ids_as_in", "named", "named_as_in", "names_file", "note_matches", "read_judgments", "warn_of_unused"]


def read_judgments(
    run: Run, source: Path, catalog: Path | None, kind: str = AUTO, codebook: Codebook | None = None
) -> Judgments:
    """Read a source of judgments and its catalog, and note both and the dropped trials."""
    if source.is_file():
        run.begin(source)
    imported = import_judgments(source, kind, catalog, codebook)
    judgments = imported.judgments
    run.read(source, f"{counted(judgments.total, 'trials')} ({imported.format})", imported.files)
    if catalog is not None and imported.catalog is not None:
        run.read(catalog, imported.catalog.extent)
    elif catalog is not None:
        console.warn(f"{catalog} is not used: only files of psiz need a catalog")
    _note_judgments(judgments)
    return judgments


def names_file(images: str | Path | Images | None) -> Path | None:
    """The path of an argument that is a text: a file of names. None for tables of images, and without the argument."""
    if not isinstance(images, str | Path) or kind_of(Path(images)).text is None:
        return None
    return Path(images)


def named(run: Run, source: Path, trials: Trials) -> Trials:
    """Name the images of trials by a file of names, with remarks on the match."""
    run.begin(source)
    names = read_names(source)
    run.read(source, names.extent)
    found, matches = names.apply(trials)
    note_matches(source, matches)
    if names.are_rows and 0 not in matches.rows:
        console.warn(f"{source}: no id is 0, but its rows count from 0; if ids count from 1, write a CSV of id,name")
    return found


def ids_as_in(run: Run, images: str | Path | Images, ids: Ids, error: type[SimtoolError]) -> NDArray[object_]:
    """The ids as a table of images spells them, with a remark on spelling.

    Raises:
        SimtoolError: of the type ``error``: an id is no image of the table, or fits several.
    """
    known, table = run.read_images(images).image_id, path_of(images) or Path("the table of images")
    matches = match_ids(ids, known).checked(table, error)
    note_matches(table, matches)
    return known[matches.rows]


def named_as_in(images: Images, table: Path, judgments: Judgments) -> Judgments:
    """Name the images of judgments as a table does, with remarks on spelling and on altered photographs of CUB."""
    judgments, matches = in_images(judgments, images.image_id, str(table))
    note_matches(table, matches)
    _warn_of_altered(images, table, judgments.trials.images)
    return judgments


def _note_judgments(judgments: Judgments) -> None:
    """Say how a source of judgments was read, and what was left out of it."""
    for sentence in judgments.notes:
        console.note(f"       {sentence}")
    if judgments.catch:
        dropped = counted(judgments.catch, "catch trials")
        asks = any(kind.has_query for kind in judgments.trials.types)
        reason = "the query is among its references" if asks else "the source marks them"
        console.note(f"       dropped {dropped} ({reason})")
    if judgments.unanswered:
        dropped = counted(judgments.unanswered, "trials")
        console.note(f"       dropped {dropped} without an answer (nothing is selected)")
    if judgments.anonymous:
        some = f"{judgments.anonymous:,} of {counted(len(judgments.trials), 'trials')}"
        console.warn(f"{some} {plural(judgments.anonymous, 'do', 'does')} not say who judged (participant)")
    if extra := judgments.trials.extra:
        _note_extra(list(extra))
    if judgments.unnamed:
        console.note(f"       left out columns without a name: {listed(judgments.unnamed, 9)}")
    if judgments.passed_over:
        kinds = listed((f"{kind} ({count:,})" for kind, count in judgments.passed_over.items()), 5)
        console.warn(f"ignored entries that are not ranked choices: {kinds}")


def _note_extra(names: list[str]) -> None:
    """Say which columns are kept without being used, and which of them may be misspelled."""
    words = [f"{name} (did you mean {near}?)" if (near := nearest(name)) else name for name in names]
    say = console.warn if words != names else console.note
    say(f"{'' if words != names else '       '}columns kept, but not used: {listed(words, 12)}")


def warn_of_unused(trials: Path, names: Iterable[str]) -> None:
    """Warn of columns in a table of trials whose name is close to the name of a column that is used."""
    meant = {name: nearest(name.removeprefix("source_")) for name in names}
    words = [
        "count (a row is one judgment here; import-trials reads counts from a CSV)"
        if name == near
        else f"{name} (did you mean {near}?)"
        for name, near in meant.items()
        if near and (name != near or name == "count")
    ]
    if words:
        console.warn(f"{trials}: columns kept, but not used: {listed(words, 12)}")


def note_matches(table: Path, matches: Matches) -> None:
    """Say how many images match the ids of a table only by folded spelling."""
    if matches.note:
        console.note(f"       {table}: {matches.note}")


def _warn_of_altered(images: Images, table: Path, mentioned: NDArray[object_]) -> None:
    """Warn of CUB's photographs that differ from the images that people saw."""
    from simtool.collections.birds16 import altered

    if names := altered(images, table, mentioned):
        one, many = "1 photograph of CUB differs from the one", f"{len(names):,} photographs of CUB differ from those"
        some = one if len(names) == 1 else many
        console.warn(f"{table}: {some} that people saw (cropped or saved again): {listed(names, 7)}")
