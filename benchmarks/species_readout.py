"""The softmax of a species classifier on the vectors of a network that was trained on other images.

    python benchmarks/species_readout.py birds.parquet --training cub.parquet --images cub/images.parquet \\
        --out readout.parquet

Both tables of embeddings hold vectors of the same layer: of the images that people saw, and of training images with
species. The classifier is a logistic regression of standardized vectors; its penalty is chosen by the accuracy on a
fifth of the training images.

The table that it writes holds the probabilities of all species for each image that people saw.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from simtool import console
from simtool.tables.embeddings import open_embeddings, write_embeddings
from simtool.tables.images import read_images
from simtool.tables.provenance import Provenance

#: The strengths of the penalty from which one is chosen, as scikit-learn's C.
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)


def main() -> None:
    """Fit the classifier, and write its probabilities."""
    options = _options()
    seen, training = open_embeddings(options.table), open_embeddings(options.training)
    species = dict(zip(*(_columns(options.images)), strict=True))
    vectors, shown = training.read().astype(np.float64), seen.read().astype(np.float64)
    labels = np.array([species[name] for name in map(str, training.image_id)])
    probabilities, accuracy, strength = _fitted(vectors, labels, shown, options.seed)
    console.result_text(
        f"{options.name}: {len(labels):,} training images; C = {strength:g}, accuracy on a fifth of them {accuracy:.3f}"
    )
    provenance = Provenance.of(sys.argv, [options.table, options.training, options.images])
    write_embeddings(options.out, seen.image_id, probabilities.astype(np.float32), provenance, options.name)


def _columns(path: Path) -> tuple[list[str], list[str]]:
    images = read_images(path)
    return list(map(str, images.image_id)), list(map(str, images.class_name))


def _fitted(
    vectors: NDArray[np.float64], labels: NDArray[np.str_], shown: NDArray[np.float64], seed: int
) -> tuple[NDArray[np.float64], float, float]:
    """The probabilities of (m, D) images, and the accuracy and the strength with the highest held-out accuracy."""
    scale = StandardScaler().fit(vectors)
    scaled = scale.transform(vectors)
    fit, test, fit_labels, test_labels = train_test_split(
        scaled, labels, test_size=0.2, random_state=seed, stratify=labels
    )
    accuracies = {
        strength: LogisticRegression(C=strength, max_iter=200).fit(fit, fit_labels).score(test, test_labels)
        for strength in STRENGTHS
    }
    strength = max(accuracies, key=accuracies.__getitem__)
    model = LogisticRegression(C=strength, max_iter=200).fit(scaled, labels)
    return model.predict_proba(scale.transform(shown)), accuracies[strength], strength


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("table", type=Path, help="embeddings of the images that people saw")
    parser.add_argument("--training", type=Path, required=True, help="embeddings of the training images")
    parser.add_argument("--images", type=Path, required=True, help="table of the training images with species")
    parser.add_argument("--out", type=Path, required=True, help="the table of embeddings to write")
    parser.add_argument("--name", default="species readout", help="label in reports")
    parser.add_argument("--seed", type=int, default=0, help="of the fifth")
    return parser.parse_args()


if __name__ == "__main__":
    main()
