"""Measure the round-trip error of a trained flow (image to latents to image) in three arithmetics.

* ``float32``: all computations in float32, as in training.
* ``precise``: activations between the coupling networks in float64, as in ``embed`` and ``sample``.
* ``float64``: all computations in float64.

Latents are rounded to float32 before they are inverted, as in a table of embeddings. The error of an image is its
largest absolute error as a fraction of the color range.

    python benchmarks/inverse.py MODEL IMAGES [--count 16] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simtool import console
from simtool.models.flows.glow.model import Glow
from simtool.models.registry import load_model
from simtool.tables.images import image_paths, read_images
from simtool.tensorflow import load_tensorflow
from simtool.training.images import decode_all

if TYPE_CHECKING:
    from simtool.models.flows.flow import Flow

REPEATS = 3


def photographs(glow: Glow, table: Path, count: int) -> NDArray[np.float32]:
    """(count, size, size, 3) in [-0.5, 0.5), equally spaced in the table, at the centers of their bins."""
    images = read_images(table)
    rows = np.linspace(0, len(images) - 1, count).round().astype(int)
    paths = image_paths(table, images)
    pixels = decode_all(images.take(rows), [paths[row] for row in rows], glow.preprocessing, "floor")
    return glow.dequantized(np.divide(pixels, np.float32(255), dtype=np.float32) - np.float32(0.5))


def passes(flow: Flow, precise: bool) -> tuple[Any, Any]:
    """The forward and the inverse pass."""
    tf = load_tensorflow()

    def weights() -> dict[str, Any] | None:
        return flow.precise_weights() if precise else None

    def encode(x: Any) -> list[Any]:
        return [tf.cast(scale, tf.float32) for scale in flow.encode(x, weights=weights()).standardized]

    def decode(latents: Any) -> Any:
        return flow.decode(latents, weights=weights())

    return tf.function(encode, autograph=False), tf.function(decode, autograph=False)


def timed(function: Any, argument: Any) -> tuple[Any, float]:
    """The result of a function, and the median of its seconds after compilation."""
    result, seconds = function(argument), []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function(argument)
        seconds.append(time.perf_counter() - start)
    return result, float(np.median(seconds))


def measure(glow: Glow, x: NDArray[np.float32]) -> list[dict[str, Any]]:
    tf = load_tensorflow()
    double = type(glow.flow).from_arrays(glow.flow.config, glow.flow.to_arrays(), "float64")
    rows = []
    for subject, flow in (("float32", glow.flow), ("precise", glow.flow), ("float64", double)):
        there, back = passes(flow, subject == "precise")
        latents, encoding = timed(there, tf.constant(x))
        images, decoding = timed(back, latents)
        errors = np.abs(images.numpy() - x).max(axis=(1, 2, 3))
        rows.append(
            {
                "subject": subject,
                "largest": float(errors.max()),
                "median": float(np.median(errors)),
                "encode_seconds": encoding,
                "decode_seconds": decoding,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a folder with a trained Glow")
    parser.add_argument("images", type=Path, help="a table of images")
    parser.add_argument("--count", type=int, default=16, help="number of images to use")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    glow = load_model(arguments.model)
    if not isinstance(glow, Glow):
        raise SystemExit(f"{arguments.model}: not a Glow")
    rows = measure(glow, photographs(glow, arguments.images, arguments.count))
    for row in rows:
        console.result_text(
            f"{row['subject']:<8} largest error {row['largest']:.1e}, median {row['median']:.1e}, "
            f"encode {row['encode_seconds']:.2f} s, decode {row['decode_seconds']:.2f} s"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
