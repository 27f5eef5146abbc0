"""``python -m tests.fuzz``: many malformed inputs for every reader, or one input again."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.fuzz.case import Case
from tests.fuzz.commands import FAMILY, command_answers, command_cases
from tests.fuzz.doors import DOORS
from tests.fuzz.running import Answer, answers, chosen

_SHOWN = 3


def all_cases() -> list[Case]:
    """Every case of a whole run."""
    return [
        Case(door.name, family, number)
        for door in DOORS.values()
        for family, count in zip(("structured", "bytes"), door.counts, strict=True)
        for number in range(count)
    ]


def main() -> None:
    """Run all cases, print a line for each kind of failure, and exit with 1 if there is a failure."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--case", help="read this input again, for example trials/structured/17")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0, help="of the cases of each reader")
    parser.add_argument("--only", default="", help="a pattern for the names of the readers")
    parser.add_argument("--commands", action="store_true", help="through the command line, not in process")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures"), help="where inputs are kept")
    options = parser.parse_args()
    shutil.rmtree(options.failures, ignore_errors=True)
    options.failures.mkdir(parents=True)
    every = command_cases() if options.commands else all_cases()
    cases = [Case.parse(options.case)] if options.case else chosen(every, options.share)
    cases = [case for case in cases if re.search(options.only, case.door)]
    run = command_answers if cases and cases[0].family == FAMILY else answers
    sys.exit(_told(run(cases, options.seed, options.workers, options.failures), options.seed) > 0)


def _told(results: Iterable[Answer], seed: int) -> int:
    """Print the first failures of each kind, then the number of failures of each kind; return the total."""
    started = time.monotonic()
    counts: Counter[tuple[str, str]] = Counter()
    wrong: Counter[str] = Counter()
    for answer in results:
        counts[answer.case.door, answer.case.family] += 1
        if answer.wrong is None:
            continue
        kind = f"{answer.case.door}: {_kind_of(answer.wrong)}"
        wrong[kind] += 1
        if wrong[kind] <= _SHOWN:
            _say(f"{answer.case} ({answer.what[:160]}): {answer.wrong}")
    for kind, count in wrong.most_common():
        _say(f"{count:6} x {kind}")
    for (door, family), count in sorted(counts.items()):
        _say(f"{door:16} {family:10} {count:6}")
    found = f"{wrong.total():,} failures of {len(wrong):,} kinds"
    _say(f"seed {seed}: {counts.total():,} inputs, {found}, {time.monotonic() - started:.0f} s")
    return wrong.total()


def _kind_of(wrong: str) -> str:
    """The text of a failure without the parts that differ between inputs."""
    place = re.search(r" at (\S+):(\d+)$", wrong)
    short = re.sub(r"\S*/fuzz-\S+|'.*|\d+", "…", wrong)[:70]
    return f"{short} ({Path(place[1]).name}:{place[2]})" if place else short


def _say(line: str) -> None:
    sys.stdout.write(ascii(line)[1:-1].replace("\\\\", "\\") + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
