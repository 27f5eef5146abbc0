"""``python -m tests.fuzz``: many malformed inputs for every reader, or one of them again."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import time
from collections import Counter, defaultdict
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
    """Run, print a line for each kind of failure, and end with 1 where there is any."""
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
    started = time.monotonic()
    results = list(run(cases, options.seed, options.workers, options.failures))
    _print(results, options.seed, time.monotonic() - started)
    sys.exit(any(answer.wrong for answer in results))


def _print(results: Iterable[Answer], seed: int, seconds: float) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    wrong: defaultdict[str, list[Answer]] = defaultdict(list)
    for answer in results:
        counts[answer.case.door, answer.case.family] += 1
        if answer.wrong is not None:
            wrong[f"{answer.case.door}: {_kind_of(answer.wrong)}"].append(answer)
    for kind, found in sorted(wrong.items(), key=lambda item: -len(item[1])):
        _say(f"{len(found):5} x {kind}")
        for answer in sorted(found, key=lambda one: one.case)[:_SHOWN]:
            _say(f"        {answer.case} ({answer.what[:160]}): {answer.wrong}")
    _say("")
    for (door, family), count in sorted(counts.items()):
        _say(f"{door:14} {family:10} {count:6}")
    failures = sum(map(len, wrong.values()))
    _say(
        f"seed {seed}: {sum(counts.values()):,} inputs, {failures:,} failures of {len(wrong):,} kinds, {seconds:.0f} s"
    )


def _kind_of(wrong: str) -> str:
    """A failure without what differs from input to input."""
    place = re.search(r" at (\S+):(\d+)$", wrong)
    short = re.sub(r"\S*/fuzz-\S+|'.*|\d+", "…", wrong)[:70]
    return f"{short} ({Path(place[1]).name}:{place[2]})" if place else short


def _say(line: str) -> None:
    sys.stdout.write(ascii(line)[1:-1].replace("\\\\", "\\") + "\n")


if __name__ == "__main__":
    main()
