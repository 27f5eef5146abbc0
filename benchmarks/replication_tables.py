"""The tables of docs/replication.md about controls, in Markdown, from the reports of ``benchmarks/replication.sh``.

python benchmarks/replication_tables.py FOLDER
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from simtool import console

Record = Mapping[str, Any]
DISTANCES = ("mse", "cosine")
#: The parts of all comparisons by what labels tell.
PARTS = (None, "class", "group", "silent")


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of benchmarks/replication.sh")
    folder = parser.parse_args().folder
    for name in ("simple", "flow", "sum-0.5", "sum-0.375", "networks", "chosen"):
        if (report := folder / f"report-{name}.json").is_file():
            console.result_text("\n".join([f"## {name}", "", *_tables(_of_all_trials(report)), ""]))
    if (windows := folder / "windows.txt").is_file():
        console.result_text(windows.read_text("utf-8"))


def _of_all_trials(report: Path) -> list[Record]:
    records = json.loads(report.read_text("utf-8"))
    return [record for record in records if record["trial_type"] == "all"]


def _tables(records: list[Record]) -> Iterator[str]:
    yield from _table(("model", "mse", "95 %", "cosine", "95 %"), _accuracies(records))
    yield from _table(
        ("trained less untrained", "part", "trained", "untrained", "mse", "trained", "untrained", "cosine"),
        _gains(records),
    )
    yield from _table(("less the baseline", "part", "mse", "cosine"), _differences(records))


def _accuracies(records: list[Record]) -> Iterator[list[str]]:
    found = {
        (record["model"], record["distance"]): record
        for record in records
        if record["metric"] == "triplet_accuracy" and record["stratum"] is None
    }
    for model in dict.fromkeys(model for model, _ in found):
        cells = (found.get((model, distance)) for distance in DISTANCES)
        yield [
            model,
            *(text for cell in cells for text in ((_share(cell["estimate"]), _interval(cell)) if cell else ("", ""))),
        ]


def _gains(records: list[Record]) -> Iterator[list[str]]:
    """The gain by training in each part; of models that share their controls, the mean."""
    found: dict[tuple[str, str | None, str], Record] = {}
    names: dict[str, str] = {}
    for record in records:
        if record["metric"] == "training_gain" and record["difference_of"] == "triplet_accuracy":
            key = (record["control_models"], record["stratum"], record["distance"])
            found[key] = max(found.get(key, record), record, key=lambda one: one["models"])
            if record["models"] == 1:
                names.setdefault(record["control_models"], record["model"])
    for controls, part in dict.fromkeys((controls, part) for controls, part, _ in found):
        cells = [found.get((controls, part, distance)) for distance in DISTANCES]
        count = max(cell["models"] for cell in cells if cell)
        name = names[controls] + (f" and {count - 1} more" if count > 1 else "")
        yield [name, part or "all", *(text for cell in cells for text in _gain(cell))]


def _gain(record: Record | None) -> tuple[str, ...]:
    if record is None:
        return "", "", ""
    return _share(record["trained_accuracy"]), _share(record["control_accuracy"]), _change(record)


def _differences(records: list[Record]) -> Iterator[list[str]]:
    found = {
        (record["model"], record["stratum"], record["distance"]): record
        for record in records
        if record["metric"] == "difference" and record["difference_of"] == "triplet_accuracy"
    }
    for model, part in dict.fromkeys((model, part) for model, part, _ in found if part in PARTS):
        cells = (found.get((model, part, distance)) for distance in DISTANCES)
        yield [model, part or "all", *(_change(cell) if cell else "" for cell in cells)]


def _table(header: Iterable[str], lines: Iterable[list[str]]) -> Iterator[str]:
    rows = list(lines)
    if rows:
        yield from (f"| {' | '.join(row)} |" for row in ([*header], ["---"] * len([*header]), *rows))
        yield ""


def _share(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def _interval(record: Record) -> str:
    return f"{_share(record['low'])}-{_share(record['high'])}"


def _change(record: Record) -> str:
    estimate, low, high = (f"{record[name]:+.3f}".replace("0.", ".", 1) for name in ("estimate", "low", "high"))
    return f"{estimate} ({low} to {high})"


if __name__ == "__main__":
    main()
