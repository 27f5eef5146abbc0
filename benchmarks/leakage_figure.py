"""Draw the figure of docs/reweighting.md from the numbers of ``benchmarks/reweighting.py``.

python benchmarks/leakage_figure.py [--json docs/figures/reweighting.json] [--out docs/figures/leakage.svg]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

FIGURES = Path(__file__).parents[1] / "docs" / "figures"
SCHEMES = ("comparison", "trial", "session")
#: The penalty, its label and its color.
PENALTIES = ((1, "weak penalty", "#c1272d"), (3000, "strong penalty", "#0067a5"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=FIGURES / "reweighting.json")
    parser.add_argument("--out", type=Path, default=FIGURES / "leakage.svg")
    arguments = parser.parse_args()
    rows = {row["case"]: row for row in json.loads(arguments.json.read_text("utf-8"))}
    with mpl.rc_context({"svg.hashsalt": "leakage", "svg.fonttype": "none", "font.family": "sans-serif"}):
        drawn(rows).savefig(arguments.out, metadata={"Date": None})


def drawn(rows: dict[str, dict[str, Any]]) -> Figure:
    """The accuracy by scheme and penalty, beside that of the vectors before they learn."""
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = figure.subplots()
    for shift, (penalty, label, color) in zip((-0.18, 0.18), PENALTIES, strict=True):
        cases = [rows[f"asymmetric by {scheme}, 200 components, penalty {penalty}"] for scheme in SCHEMES]
        values = [case["after"]["all"] for case in cases]
        bars = axes.bar([place + shift for place in range(len(SCHEMES))], values, 0.34, label=label, color=color)
        axes.bar_label(bars, [f"{value:.3f}".lstrip("0") for value in values], padding=2)
        before = cases[1]["before"]["all"]
    axes.axhline(
        before, color="black", linestyle="--", linewidth=1, label=f"before learning, {before:.3f}".replace("0.", ".")
    )
    axes.set_xticks(range(len(SCHEMES)), ["comparisons at random\n(leaks)", "whole trials", "whole sessions"])
    axes.set_ylim(0.5, 0.95)  # from chance
    axes.set_ylabel("triplet accuracy, held out")
    axes.legend(frameon=False, loc="upper right")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    main()
