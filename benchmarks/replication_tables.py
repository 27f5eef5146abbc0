"""The tables of docs/replication.md, in Markdown, from the reports of ``benchmarks/replication.sh``.

python benchmarks/replication_tables.py FOLDER
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from simtool import console

Record = Mapping[str, Any]
DISTANCES = ("mse", "cosine")
#: The parts of all comparisons by what labels tell.
PARTS = (None, "class", "group", "silent")
#: The types of trials, in the order of columns.
TYPES = ("8-rank-2", "2-choose-1", "all")
#: The accuracies that the study published, for :data:`TYPES`, by model and distance. "all" has three decimals.
STUDY: dict[tuple[str, str], tuple[str, str, str]] = {
    ("pixels", "mse"): (".5287", ".5290", ".529"),
    ("pixels", "cosine/segments"): (".5287", ".5222", ".528"),
    ("pixels", "cosine"): (".5347", ".5281", ""),
    ("PCA 10", "mse"): (".5242", ".5233", ".524"),
    ("PCA 10", "cosine"): (".5255", ".5199", ".525"),
    ("PCA 100", "mse"): (".5301", ".5323", ".530"),
    ("PCA 100", "cosine"): (".5368", ".5299", ".536"),
    ("PCA 1000", "mse"): (".5288", ".5249", ".529"),
    ("PCA 1000", "cosine"): (".5361", ".5320", ".536"),
    ("ResNet50, penultimate", "mse"): (".6746", ".6225", ".671"),
    ("ResNet50, penultimate", "cosine"): (".7002", ".6519", ".697"),
    ("ResNet50, final", "mse"): (".6213", ".6057", ".620"),
    ("ResNet50, final", "cosine"): (".7680", ".6977", ".764"),
    ("Glow 0, latent", "mse"): (".5007", ".5043", ".501"),
    ("Glow 0, latent", "cosine"): (".5085", ".5162", ".509"),
    ("Glow 0, posterior", "mse"): (".5008", ".5043", ".501"),
    ("Glow 0, posterior", "cosine"): (".5085", ".5162", ".509"),
    ("Glow 0, latent", "mse/segments"): (".5009", ".5015", ".501"),
    ("Glow 0, latent", "cosine/segments"): (".5066", ".5097", ".507"),
}
#: Models that stand beside a published accuracy of another one: the same layer, or the same layer of another training.
ALSO = {
    "ResNet50, penultimate": ("ResNet50 best on people, penultimate",),
    "ResNet50, final": ("ResNet50 best on people, final",),
    "Glow 0, latent": ("Glow 1, latent", "Glow 2, latent"),
    "Glow 0, posterior": ("Glow 1, posterior", "Glow 2, posterior"),
}


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of benchmarks/replication.sh")
    folder = parser.parse_args().folder
    for title, lines in _of_figure(folder):
        console.result_text("\n".join([f"## {title}", "", *lines, ""]))
    for name in ("simple", "flow", "sum-0.5", "sum-0.375", "networks", "chosen"):
        if (report := folder / f"report-{name}.json").is_file():
            console.result_text("\n".join([f"## {name}", "", *_tables(_of_all_trials(report)), ""]))
    if (windows := folder / "windows.txt").is_file():
        console.result_text(windows.read_text("utf-8"))


def _of_figure(folder: Path) -> Iterator[tuple[str, Iterator[str]]]:
    """The tables about the rows of the study and the other rows, with their titles."""
    if (report := folder / "report-figure.json").is_file():
        records = _records(report)
        yield "Rows of the study", _table(_FIGURE_HEADER, _study_rows(records))
        yield "Other rows", _table(_OTHER_HEADER, _other_rows(records))
        yield "Less labels", _table(("less class and group labels", "part", *_CHANGES), _less_baseline(records))
    if (report := folder / "report-over-pixels.json").is_file():
        yield "Over pixels", _table(("less pixels", "part", *_CHANGES), _less_baseline(_records(report)))
    if (report := folder / "report-conditional.json").is_file():
        yield (
            "Classes in the prior",
            _table(("less Glow 0, latent", "part", *_CHANGES), _less_baseline(_records(report))),
        )
    if (report := folder / "report-epochs.json").is_file():
        yield (
            "Epochs",
            _table(_EPOCH_HEADER, _epoch_rows(_records(report), folder / "resnet64" / "training" / "log.csv")),
        )
    if (report := folder / "report-known.json").is_file():
        yield "By trained species", _table(_KNOWN_HEADER, _known_rows(_of_all_trials(report)))
    if reports := sorted(folder.glob("report-learned-*.json")):
        yield "Learned from judgments", _table(_LEARNED_HEADER, _learned_rows(reports))
    if reports := sorted(folder.glob("report-antialiasing-*.json")):
        yield "Antialiasing", _table(_ANTIALIASING_HEADER, _antialiasing_rows(reports))
    models = sorted(folder.glob("*/model.json"))
    yield "Weights", _table(("model", "SHA-256"), ([path.parent.name, _sha256(path)] for path in models))


_FIGURE_HEADER = ("row", "distance", *(f"{kind}, {by}" for kind in TYPES for by in ("study", "simtool")))
_OTHER_HEADER = ("row", "distance", *TYPES)
_CHANGES = ("mse", "cosine", "same")
_EPOCH_HEADER = (
    "epoch",
    "validation top-1",
    *(f"{layer}, {d}" for layer in ("penultimate", "final") for d in DISTANCES),
)
#: How many of the three images of a comparison show a trained species.
KNOWN = ("all three", "some", "none")
_KNOWN_HEADER = ("row", "distance", *KNOWN, *(f"{known}, less labels" for known in KNOWN))
_LEARNED_HEADER = ("vectors", "held out", "comparisons", "before", "after", "gain", "after, same size by trial")


_ANTIALIASING_HEADER = ("pixels", "distance", "study", "antialiased", "antialiased less study")


def _antialiasing_rows(reports: list[Path]) -> Iterator[list[str]]:
    for path in reports:
        records = _of_all_trials(path)
        found = _by_type(records)
        gains = {record["distance"]: record for record in records if record["metric"] == "difference"}
        for distance, gain in gains.items():
            shares = (found[model, distance, "all"]["estimate"] for model in ("study", "antialiased"))
            size = path.stem.removeprefix("report-antialiasing-")
            yield [size, distance, *(f"{share:.4f}".removeprefix("0") for share in shares), _change(gain, 4)]


def _sha256(path: Path) -> str:
    return str(json.loads(path.read_text("utf-8"))["sha256"])


def _records(report: Path) -> list[Record]:
    records: list[Record] = json.loads(report.read_text("utf-8"))
    return records


def _of_all_trials(report: Path) -> list[Record]:
    return [record for record in _records(report) if record["trial_type"] == "all"]


#: The accuracy of a model and distance in a type of trials.
Accuracies = Mapping[tuple[str, str, str], Record]


def _by_type(records: Iterable[Record]) -> Accuracies:
    return {
        (record["model"], record["distance"], record["trial_type"]): record
        for record in records
        if record["metric"] == "triplet_accuracy" and record["stratum"] is None
    }


def _study_rows(records: list[Record]) -> Iterator[list[str]]:
    found = _by_type(records)
    for (model, distance), published in STUDY.items():
        yield [model, distance, *_beside(found, model, distance, published)]
        for other in ALSO.get(model, ()):
            if (other, distance, "all") in found:
                yield [other, distance, *_beside(found, other, distance, ("", "", ""))]


def _beside(found: Accuracies, model: str, distance: str, published: Iterable[str]) -> Iterator[str]:
    for kind, figure in zip(TYPES, published, strict=True):
        yield from (figure, _with_interval(found.get((model, distance, kind))))


def _other_rows(records: list[Record]) -> Iterator[list[str]]:
    found = _by_type(records)
    shown = {*STUDY, *((other, distance) for model, distance in STUDY for other in ALSO.get(model, ()))}
    for model, distance in dict.fromkeys((model, distance) for model, distance, _ in found):
        if (model, distance) not in shown:
            yield [model, distance, *(_with_interval(found.get((model, distance, kind))) for kind in TYPES)]


def _less_baseline(records: list[Record]) -> Iterator[list[str]]:
    found = {
        (record["model"], record["stratum"], record["distance"]): record
        for record in records
        if record["metric"] == "difference" and record["difference_of"] == "triplet_accuracy"
        if record["trial_type"] == "all"
    }
    for model, part in dict.fromkeys((model, part) for model, part, _ in found if part in PARTS):
        cells = [found.get((model, part, distance)) for distance in _CHANGES]
        if any(cells):
            yield [model, part or "all", *(_change(cell) if cell else "" for cell in cells)]


def _epoch_rows(records: list[Record], log: Path) -> Iterator[list[str]]:
    found = _by_type(records)
    with log.open(encoding="utf-8", newline="") as file:
        validation = {int(row["epoch"]): row for row in csv.DictReader(file)}
    names = (re.fullmatch(r"ResNet50 epoch (\d+), penultimate", model) for model, _, _ in found)
    for epoch in sorted({name[1] for name in names if name}):
        row = validation[int(epoch)]
        shares = [
            found.get((f"ResNet50 epoch {epoch}, {layer}", d, "all"))
            for layer in ("penultimate", "final")
            for d in DISTANCES
        ]
        yield [
            str(int(epoch)),
            _share(float(row["val_top_1"])),
            *(_share(one["estimate"]) if one else "" for one in shares),
        ]


def _known_rows(records: list[Record]) -> Iterator[list[str]]:
    found = {
        (
            record["model"],
            record["distance"],
            record["metric"],
            str(record["stratum"]).removeprefix("trained_species="),
        ): record
        for record in records
        if record["metric"] in ("triplet_accuracy", "difference")
    }
    for model, distance in dict.fromkeys((model, distance) for model, distance, _, _ in found):
        shares = (found[model, distance, "triplet_accuracy", known] for known in KNOWN)
        changes = (found.get((model, distance, "difference", known)) for known in KNOWN)
        yield [model, distance, *map(_with_interval, shares), *(_change(one) if one else "" for one in changes)]


def _learned_rows(reports: list[Path]) -> Iterator[list[str]]:
    for path in reports:
        name, unit = path.stem.removeprefix("report-learned-").rsplit("-", 1)
        records = [record for record in _records(path) if record["stratum"] is None]
        pooled = "all" if any(record["trial_type"] == "all" for record in records) else "2-choose-1"
        records = [record for record in records if record["trial_type"] == pooled]
        shown = {record["model"]: record for record in records if record["metric"] == "triplet_accuracy"}
        gains = {record["model"]: record for record in records if record["metric"] == "difference"}
        before, after = shown[f"{name}, identity by {unit}"], shown[f"{name}, full by {unit}"]
        control = shown.get(f"{name}, full, same size by trial")
        yield [
            name,
            unit,
            f"{after['comparisons']:,}",
            _share(before["estimate"]),
            _share(after["estimate"]),
            _change(gains[after["model"]]),
            _share(control["estimate"]) if control else "",
        ]


def _with_interval(record: Record | None) -> str:
    if record is None:
        return ""
    return f"{record['estimate']:.4f}".removeprefix("0") + f" ({_interval(record)})"


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


def _change(record: Record, digits: int = 3) -> str:
    if record["low"] is None:  # nothing varies
        return ""
    estimate, low, high = (f"{record[name]:+.{digits}f}".replace("0.", ".", 1) for name in ("estimate", "low", "high"))
    return f"{estimate} ({low} to {high})"


if __name__ == "__main__":
    main()
