"""Compare the density of a trained flow with an untrained flow and a Gaussian, in bits per dimension.

All models see the same dequantized images. The Gaussian has the full covariance of the training images, shrunk towards
a multiple of the identity. The shrinkage is the value that predicts a tenth of the training images best. The validation
images are used once.

    python benchmarks/density.py MODEL IMAGES --validation 0.1 [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool import console
from simtool.models.flows.config import FlowConfig
from simtool.models.flows.glow.model import Glow
from simtool.models.registry import load_model
from simtool.tables.images import image_paths, read_images
from simtool.tensorflow import load_tensorflow
from simtool.training.images import decode_all
from simtool.training.split import split_images

Matrix = NDArray[np.float64]
#: Candidate shrinkages (weights of the identity).
SHRINKAGES = tuple(10.0**-power for power in np.arange(1, 6.5, 0.5))
BATCH = 32


def dequantized(pixels: NDArray[np.uint8], config: FlowConfig, seed: int) -> NDArray[np.float32]:
    """(n, size, size, 3) in [-0.5, 0.5), with the same noise for every model."""
    from simtool.models.flows.dequantization import dequantize

    noise = np.random.default_rng(seed).random(pixels.shape, np.float32)
    found: NDArray[np.float32] = np.concatenate(
        [dequantize(part / np.float32(255) - 0.5, config.bits, drawn).numpy() for part, drawn in pieces(pixels, noise)]
    )
    return found


def pieces(*arrays: NDArray[Any]) -> Iterator[tuple[NDArray[Any], ...]]:
    for start in range(0, len(arrays[0]), BATCH):
        yield tuple(array[start : start + BATCH] for array in arrays)


class Gaussian:
    """A Gaussian fitted to training vectors (n, D). It holds the eigendecomposition of their full covariance S."""

    def __init__(self, train: Matrix) -> None:
        self.mean = train.mean(axis=0)
        centered = train - self.mean
        variances, self.directions = np.linalg.eigh(centered.T @ centered / len(centered))
        self.variances: Matrix = np.maximum(variances, 0)

    def nats(self, vectors: Matrix, share: float) -> float:
        """Mean log-density under N(mean, (1 - share) S + share tr(S)/D I)."""
        variances = (1 - share) * self.variances + share * self.variances.mean()
        squares = np.square((vectors - self.mean) @ self.directions) / variances
        return float(-0.5 * (squares + np.log(2 * math.pi * variances)).sum(axis=1).mean())


def gaussian_nats(train: Matrix, valid: Matrix) -> tuple[float, float]:
    """Mean log-density of validation vectors under the Gaussian of training vectors, and the shrinkage chosen."""
    inner = len(train) - len(train) // 10
    tried = Gaussian(train[:inner])
    best = max(SHRINKAGES, key=lambda share: tried.nats(train[inner:], share))
    return Gaussian(train).nats(valid, best), best


def flow_nats(flow: Any, images: NDArray[np.float32]) -> float:
    """Mean log-density of images under a flow."""
    tf = load_tensorflow()
    log_prob = tf.function(lambda x: flow.encode(x).log_prob, autograph=False, reduce_retracing=True)
    return float(np.concatenate([log_prob(tf.constant(part)).numpy() for (part,) in pieces(images)]).mean())


def measure(model: Path, table: Path, validation: str, seed: int) -> list[dict[str, Any]]:
    glow = load_model(model)
    if not isinstance(glow, Glow):
        raise SystemExit(f"{model}: not a Glow")

    images, config = read_images(table), glow.flow.config
    split = split_images(images, validation, seed)
    with console.progress("decoding", len(images), "images") as bar:
        pixels = decode_all(images, image_paths(table, images), glow.preprocessing, "floor", bar=bar)
    train, valid = (dequantized(pixels[rows], config, seed + 1) for rows in (split.train, split.validation))
    rows = []

    def row(subject: str, nats: float, seconds: float, **more: Any) -> None:
        bits = -nats / (config.dimension * math.log(2)) + config.bits
        rows.append({"case": table.stem, "subject": subject, "bits_per_dim": bits, "seconds": seconds, **more})

    start = time.perf_counter()
    flat = [part.reshape(len(part), -1).astype(np.float64) for part in (train, valid)]
    nats, share = gaussian_nats(*flat)
    row("gaussian", nats, time.perf_counter() - start, shrinkage=share)
    for subject in ("untrained", "simtool"):
        flow = type(glow.flow)(config, seed) if subject == "untrained" else glow.flow
        if subject == "untrained":
            flow.initialize([part for (part,) in pieces(train[:256])])
        start = time.perf_counter()
        row(subject, flow_nats(flow, valid), time.perf_counter() - start)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a folder with a trained Glow")
    parser.add_argument("images", type=Path, help="the table that it was trained on")
    parser.add_argument("--validation", default="0.1", help="the training/validation split of its training")
    parser.add_argument("--seed", type=int, default=0, help="the seed of its training")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = measure(arguments.model, arguments.images, arguments.validation, arguments.seed)
    for found in rows:
        console.result_text(f"{found['subject']:<10} {found['bits_per_dim']:7.3f} bits per dimension")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
