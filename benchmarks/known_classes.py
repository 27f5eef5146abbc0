"""Comparisons by whether a network was trained on the species of their images.

    python benchmarks/known_classes.py trials.parquet --images images.parquet --training cub/images.parquet \\
        --out known.parquet

The table that it writes has one trial ``2-choose-1`` for each comparison, so that ``score`` and ``report`` take it. Its
column ``trained_species`` says whether all three images, some of them, or none show a species of the training images:
``simtool report --by trained_species`` divides the accuracy by it. Species are matched by name, without the number
and without the hyphens that CUB writes before and in them.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from simtool import console
from simtool.judgments.comparisons import Comparisons
from simtool.judgments.single import single_trials
from simtool.tables.images import Images, read_images
from simtool.tables.provenance import Provenance
from simtool.tables.trials import read_trials, write_trials

#: By the number of images of a comparison whose species was trained.
_KNOWN = np.array(["none", "some", "some", "all three"], object)


def main() -> None:
    """Write the comparisons with their column."""
    options = _options()
    trials = read_trials(options.trials)
    trained = set(_species(read_images(options.training)).values())
    species = _species(read_images(options.images))
    known = np.array([species[name] in trained for name in trials.images])
    comparisons = Comparisons.of(trials)
    count = sum(known[images].astype(int) for images in (comparisons.anchor, comparisons.near, comparisons.far))
    column = pa.array(_KNOWN[count], pa.string())
    found = single_trials(trials, comparisons)
    inputs = [options.trials, options.images, options.training]
    write_trials(
        options.out,
        replace(found, extra={**found.extra, "trained_species": column}),
        Provenance.of(sys.argv, inputs),
    )
    shown = sorted({species[name] for name in trials.images} & trained)
    console.result_text(f"{len(shown)} of the species that people saw were trained: {', '.join(shown)}")


def _species(images: Images) -> dict[str, str]:
    """The species of each image, in letters that both sources share."""
    plain = (re.sub(r"^\d+\.", "", str(name)).replace("-", "_").lower() for name in images.class_name)
    return dict(zip(map(str, images.image_id), plain, strict=True))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("trials", type=Path)
    parser.add_argument("--images", type=Path, required=True, help="table of the images that people saw")
    parser.add_argument("--training", type=Path, required=True, help="table of the training images")
    parser.add_argument("--out", type=Path, required=True, help="the table of trials to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
