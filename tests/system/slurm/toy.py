"""A small study of toy birds: its settings, and its commands without job scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

IMAGES = "birds/images.parquet"
TRIALS = "birds/trials.parquet"
#: Each stage that writes a model, with its options. Enough epochs that a test can interrupt the flow.
MODELS = {
    "glow": ("train-glow", "--preset", "tiny", "--validation", "0.5", "--epochs", "30", "--steps", "1"),
    "resnet": ("train-resnet", "--preset", "tiny", "--validation", "0.5", "--epochs", "1"),
    "pca": ("fit-pca", "--components", "20", "--size", "32"),
}
EMBED = (
    "pixels --size 32 --out vectors/pixels",
    "pca --components 5 --out vectors/pca-5",
    "resnet --layer penultimate --device cpu --out vectors/resnet",
    "glow --layer latent --device cpu --out vectors/glow",
)
SEGMENTED = ("vectors/pixels", "vectors/glow")


def settings() -> list[str]:
    """Lines for study.env."""
    options = {name: " ".join(arguments[1:]) for name, arguments in MODELS.items()}
    return [
        *(f"IMAGES={IMAGES}", f"STIMULI={IMAGES}", f"TRIALS={TRIALS}", "SHARDS=2"),
        "DEVICE=cpu",  # jobs with --exclusive get the GPUs of the private SLURM, which are no real ones
        *(f'{name.upper()}="{option}"' for name, option in options.items()),
        f"EMBED=({' '.join(json.dumps(line) for line in EMBED)})",
        f'DISTANCES="--distance mse" SEGMENTED="{" ".join(SEGMENTED)}" SEGMENT_DISTANCES="--distance cosine/segments"',
    ]


def commands() -> list[tuple[str, ...]]:
    """The same stages by hand, without parts of tables."""
    judged = ("--trials", TRIALS, "--images", IMAGES)
    tables = [line.split()[-1] for line in EMBED]
    return [
        *((command, IMAGES, "--out", name, *options) for name, (command, *options) in MODELS.items()),
        *(("embed", IMAGES, "--model", *line.split()) for line in EMBED),
        ("score", *tables, *judged, "--distance", "mse", "--out", "outcomes.parquet"),
        ("score", *SEGMENTED, *judged, "--distance", "cosine/segments", "--out", "by-segment.parquet"),
        ("report", "outcomes.parquet", "by-segment.parquet", "--json", "report.json"),
    ]


def rows(study: Path) -> list[dict[str, Any]]:
    """The report of a study."""
    content: list[dict[str, Any]] = json.loads((study / "report.json").read_text())
    return content
