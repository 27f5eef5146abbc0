"""Download files from mirrors, with retries, back-off and resumption.

The rest of a file is appended to its beginning only if the server's ETag, date or size show that it is still the same
file. The published checksum decides at the end.
"""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

from simtool import console
from simtool.archive.partial import Origin, Partial
from simtool.archive.server import Answer, BreakError, RefusalError, ask, host_of
from simtool.archive.source import ArchiveError, Source
from simtool.system.space import require_space, running_out_of_space
from simtool.text import scaled

__all__ = ["arrived", "fetch"]

#: Consecutive attempts without new bytes before the next mirror is tried.
ATTEMPTS = 4
#: Seconds before the second attempt, doubled each time, and their maximum, also if the server asks for more.
WAIT, LONGEST_WAIT = 1.0, 60.0
#: Seconds without a byte after which a connection counts as broken.
SILENCE = 30.0


def fetch(source: Source, folder: Path) -> Path:
    """Download a published file, unless a verified copy exists.

    A download that breaks off, is interrupted or killed leaves ``NAME.part``. The next call resumes it.

    Args:
        source: the file, its mirrors and checksums.
        folder: the destination; created if missing. The file gets the name of the source.

    Raises:
        ArchiveError: no mirror sent the published file; the message gives the reason for each mirror.
        SpaceError: the disk is full.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / source.name
    if _in_place(source, target):
        return target
    partial = Partial(target)
    failures = []
    for url in source.urls:
        try:
            _fetch_from(url, source, partial)
        except RefusalError as failure:
            failures.append(f"{host_of(url)}: {failure}")
        except (KeyboardInterrupt, SystemExit):
            console.note(f"stopped; the next run resumes after {scaled(partial.size, 'B')}")
            raise
        else:
            return partial.finish()
        if url != source.urls[-1]:
            console.note(f"{failures[-1]}; trying the next mirror")
    raise ArchiveError(f"{source.name} could not be downloaded: {'; '.join(failures) or 'it has no address'}")


def arrived(source: Source, folder: Path) -> int:
    """Return the number of bytes of a file that earlier downloads left in the folder."""
    target = folder / source.name
    return target.stat().st_size if target.is_file() else Partial(target).size


def _in_place(source: Source, target: Path) -> bool:
    """Return whether the file exists and matches its published size and checksum."""
    if not target.is_file():
        return False
    size = target.stat().st_size
    try:
        if size == 0 or source.size not in (None, size):
            raise ArchiveError(f"{target}: incomplete: {size:,} bytes")
        source.verify(target)
    except ArchiveError as failure:
        console.warn(f"{failure}; downloading it again")
        return False
    return True


def _fetch_from(url: str, source: Source, partial: Partial) -> None:
    """Complete and verify the partial file from one mirror."""
    if continued := _may_continue(url, source, partial):
        console.note(f"resuming {source.name} from {host_of(url)} after {scaled(partial.size, 'B')}")
    else:
        console.note(f"downloading {source.name} from {host_of(url)}")
        partial.discard()
    _complete(url, source, partial)
    try:
        source.verify(partial.path)
    except ArchiveError as failure:
        # Bad bytes must not be resumed. They may come from an earlier run, so the mirror gets one more chance.
        partial.discard()
        wrong = str(failure).removeprefix(f"{partial.path}: ")
        if not continued:
            raise RefusalError(wrong) from failure
        console.note(f"{source.name}: {wrong}; downloading it from the beginning")
        _fetch_from(url, source, partial)


def _may_continue(url: str, source: Source, partial: Partial) -> bool:
    """Return whether the existing bytes can be the beginning of this mirror's file.

    Without a checksum, which would detect a mixture of two files, only the same address can resume.
    """
    origin = partial.origin
    return partial.size > 0 and (source.has_checksum or (origin is not None and origin.url == url))


def _complete(url: str, source: Source, partial: Partial) -> None:
    """Request the file until it is complete; give up after several attempts without new bytes."""
    fruitless = 0
    while True:
        before = partial.size
        try:
            return _attempt(url, source, partial)
        except BreakError as failure:
            fruitless = 1 if partial.size > before else fruitless + 1
            if fruitless >= ATTEMPTS:
                raise RefusalError(str(failure)) from failure
            pause = min(max(WAIT * 2 ** (fruitless - 1), failure.wait), LONGEST_WAIT)
            console.note(f"{host_of(url)}: {failure}; trying again in {pause:.3g} s")
            time.sleep(pause)


def _attempt(url: str, source: Source, partial: Partial) -> None:
    """Request the missing bytes once."""
    origin = partial.origin
    total = source.size or (origin.total if origin else None)
    if total is not None and partial.size >= total:
        if partial.size == total:
            return
        partial.discard()
    validator = origin.validator if origin and origin.url == url else None
    with closing(ask(url, partial.size, validator, SILENCE)) as answer:
        if source.size is not None and answer.total not in (None, source.size):
            raise RefusalError(f"its file has {answer.total:,} bytes instead of {source.size:,}")
        if answer.rest and not _continues(answer, partial.size, total, validator):
            partial.discard()
            raise BreakError("the file changed during the download")
        _receive(answer, Origin(url, answer.total, answer.validator), partial, source.name)


def _continues(answer: Answer, size: int, total: int | None, validator: str | None) -> bool:
    """Return whether a server sends the rest of the existing beginning."""
    same_size = None in (total, answer.total) or total == answer.total
    same_file = None in (validator, answer.validator) or validator == answer.validator
    return answer.start == size and same_size and same_file


def _receive(answer: Answer, origin: Origin, partial: Partial, name: str) -> None:
    """Write the received bytes."""
    missing = origin.total - answer.start if origin.total is not None else 0
    require_space(partial.path.parent, missing, f"downloading {name}")
    with (
        running_out_of_space(partial.path.parent, missing, f"downloading {name}"),
        partial.resume() if answer.rest else partial.begin(origin) as file,
        console.progress(f"downloading {name}", origin.total, "B", scale=True, done=answer.start) as bar,
    ):
        for block in answer.blocks():
            file.write(block)
            bar.advance(len(block))
    if origin.total is not None and partial.size < origin.total:
        so_far, total = scaled(partial.size, "B"), scaled(origin.total, "B")
        raise BreakError(f"the connection broke after {so_far} of {total}")
