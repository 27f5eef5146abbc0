"""One method of scoring trials in a separate process: ``score_subjects.py SUBJECT FOLDER RESULT REPEATS``.

This program runs under any Python that has numpy and the subject. It reads ``vectors.npy``, ``two.npy`` (query,
selected, other) and ``eight.npy`` (query, first choice, second choice, six others) into memory. A subject converts them
to decisions by mean squared difference and by cosine, one decision per implied comparison. Before the measurement it
runs once on a few trials, so that imports and compilation are not measured.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["SUBJECTS", "Decisions", "decide"]

#: Twice the credit of each comparison, (T, 1) or (T, 13), by distance and type of trial.
Decisions: TypeAlias = dict[str, NDArray[np.int8]]
Vectors: TypeAlias = NDArray[np.float32]
Cards: TypeAlias = NDArray[np.int32]
#: Bytes of gathered vectors per batch.
BATCH = 64 << 20


def decide(near: NDArray[np.floating[Any]], selected: int) -> NDArray[np.int8]:
    """Twice the credits of trials, from distances (T, N) in which selected references come first."""
    columns = [
        (near[:, place, None] < others).astype(np.int8) * 2 + (near[:, place, None] == others)
        for place in range(selected)
        for others in [near[:, place + 1 :]]
    ]
    return np.concatenate(columns, axis=1, dtype=np.int8)


def _from_products(
    look_up: Callable[[NDArray[np.int32], NDArray[np.int32]], NDArray[np.float32]],
    squares: NDArray[np.float32],
    cards: dict[str, Cards],
) -> Decisions:
    """Decisions from inner products x·y, looked up for arrays of indices, and squared norms."""
    norms, decisions = np.sqrt(squares), {}
    for name, trials in cards.items():
        query, references = trials[:, :1], trials[:, 1:]
        products = look_up(query, references)
        selected = 1 if name == "two" else 2
        decisions[f"mse {name}"] = decide(squares[query] + squares[references] - 2 * products, selected)
        products /= norms[query] * norms[references]
        decisions[f"cosine {name}"] = decide(1 - products, selected)
    return decisions


def simtool(vectors: Vectors, cards: dict[str, Cards]) -> Decisions:
    """simtool: the work of ``simtool score`` between reading and writing, credit included."""
    from simtool.designs import Choose, Rank
    from simtool.scoring.scoring import score_vectors
    from simtool.tables.labels import Labels
    from simtool.tables.trials import Trials

    two, eight = cards["two"], cards["eight"]
    count = len(two) + len(eight)
    references, selected = np.full((count, 8), -1, np.int32), np.full((count, 2), -1, np.int8)
    references[: len(two), :2], references[len(two) :] = two[:, 1:], eight[:, 1:]
    selected[:, 0], selected[len(two) :, 1] = 0, 1
    nobody, nothing = Labels.nulls(count), np.full(count, np.nan, np.float32)
    trials = Trials(
        images=np.arange(len(vectors)).astype(object),
        trial_id=np.arange(count),
        types=(Choose(2, 1), Rank(8, 2)),
        type_index=np.repeat([0, 1], [len(two), len(eight)]).astype(np.int16),
        query=np.concatenate([two[:, 0], eight[:, 0]]),
        references=references,
        selected=selected,
        participant=nobody,
        session=nobody,
        weight=nothing,
        response_ms=nothing,
    )
    decisions = {}
    for outcomes in score_vectors(vectors, trials):
        for name, kind in (("two", Choose(2, 1)), ("eight", Rank(8, 2))):
            decisions[f"{outcomes.distance} {name}"] = (2 * outcomes.of_type(kind)).astype(np.int8)
        del outcomes  # so that only one result is in memory at a time
    return decisions


def numpy_gram(vectors: Vectors, cards: dict[str, Cards]) -> Decisions:
    """numpy: one Gram matrix (by BLAS's symmetric product) and look-ups in it."""
    gram = vectors @ vectors.T
    return _from_products(lambda query, references: gram[query, references], np.diag(gram).copy(), cards)


def numpy_gather(vectors: Vectors, cards: dict[str, Cards]) -> Decisions:
    """numpy: gather the vectors of a batch of trials, then subtract and multiply."""
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    decisions = {}
    for name, trials in cards.items():
        selected = 1 if name == "two" else 2
        mse, cosine = (np.empty((len(trials), trials.shape[1] - 1), np.float32) for _ in range(2))
        for rows in _batches(trials, vectors.shape[1]):
            query, references = trials[rows, 0], trials[rows, 1:]
            x, y = vectors[query], vectors[references]
            cosine[rows] = 1 - np.einsum("id,ijd->ij", x, y) / (norms[query, None] * norms[references])
            y -= x[:, None]
            mse[rows] = np.einsum("ijd,ijd->ij", y, y)
        decisions[f"mse {name}"], decisions[f"cosine {name}"] = decide(mse, selected), decide(cosine, selected)
    return decisions


def _batches(trials: Cards, dimension: int) -> Iterator[slice]:
    step = max(1, BATCH // (4 * dimension * (trials.shape[1] - 1)))
    for start in range(0, len(trials), step):
        yield slice(start, start + step)


def faiss(vectors: Vectors, cards: dict[str, Cards]) -> Decisions:
    """faiss: all squared distances by ``faiss.pairwise_distances``; inner products follow from them."""
    from faiss import pairwise_distances

    squared = pairwise_distances(vectors, vectors)
    norms = np.einsum("ij,ij->i", vectors, vectors)

    def look_up(query: NDArray[np.int32], references: NDArray[np.int32]) -> NDArray[np.float32]:
        products: NDArray[np.float32] = (norms[query] + norms[references] - squared[query, references]) / 2
        return products

    return _from_products(look_up, norms, cards)


def scipy_cdist(vectors: Vectors, cards: dict[str, Cards]) -> Decisions:
    """scipy: ``cdist`` from each query to all references of its trials (in float64)."""
    from scipy.spatial.distance import cdist

    every = np.concatenate([trials.reshape(len(trials), -1)[:, 1:].ravel() for trials in cards.values()])
    query = np.concatenate([np.repeat(trials[:, 0], trials.shape[1] - 1) for trials in cards.values()])
    order = np.argsort(query, kind="stable")
    starts = np.searchsorted(query[order], np.arange(len(vectors) + 1))
    near = {"mse": np.empty(len(query)), "cosine": np.empty(len(query))}
    for image in np.flatnonzero(np.diff(starts)):
        places = order[starts[image] : starts[image + 1]]
        shown, back = np.unique(every[places], return_inverse=True)
        y = vectors[shown].astype(np.float64)
        x = vectors[image : image + 1].astype(np.float64)
        near["mse"][places] = cdist(x, y, "sqeuclidean")[0, back]
        near["cosine"][places] = cdist(x, y, "cosine")[0, back]
    decisions, start = {}, 0
    for name, trials in cards.items():
        stop = start + len(trials) * (trials.shape[1] - 1)
        for distance, values in near.items():
            block = values[start:stop].reshape(len(trials), -1)
            decisions[f"{distance} {name}"] = decide(block, 1 if name == "two" else 2)
        start = stop
    return decisions


def psiz(vectors: Vectors, cards: dict[str, Cards]) -> Decisions:
    """psiz: its layers ``Minkowski`` and ``CosineSimilarity`` on batches of gathered embeddings."""
    import keras
    import tensorflow as tf
    from psiz.keras.layers import CosineSimilarity, Minkowski

    ones, two = keras.initializers.Constant(1.0), keras.initializers.Constant(2.0)
    fixed = {"w_initializer": ones, "w_constraint": None, "trainable": False}
    distance = Minkowski(rho_initializer=two, activation=keras.layers.Identity(), **fixed)
    similarity = CosineSimilarity(w_initializer=ones, w_constraint=None, trainable=False)
    embeddings = tf.constant(vectors)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def measure(query: Any, references: Any) -> Any:
        x, y = tf.gather(embeddings, query)[:, None], tf.gather(embeddings, references)
        x = tf.broadcast_to(x, tf.shape(y))
        return distance([x, y]), -similarity([x, y])

    decisions = {}
    for name, trials in cards.items():
        parts = [measure(trials[rows, 0], trials[rows, 1:]) for rows in _batches(trials, vectors.shape[1])]
        for place, label in enumerate(("mse", "cosine")):
            near = np.concatenate([part[place].numpy() for part in parts])
            decisions[f"{label} {name}"] = decide(near, 1 if name == "two" else 2)
    return decisions


def cblearn(vectors: Vectors, cards: dict[str, Cards]) -> Decisions:
    """cblearn: ``cblearn.datasets.triplet_response``, which supports Euclidean distances of 2-choose-1 trials only."""
    from cblearn.datasets import triplet_response

    trials = cards["two"]
    # Every call checks all embeddings, so batches are larger than in other subjects.
    step = max(1, 16 * BATCH // (4 * vectors.shape[1] * 3))
    nearer = np.empty(len(trials), bool)
    for start in range(0, len(trials), step):
        asked = trials[start : start + step]
        # The answers are for triplets in which the last two images are in ascending order.
        answered, response = triplet_response(asked, vectors, result_format="list-boolean")
        nearer[start : start + step] = response == (answered[:, 1] == asked[:, 1])
    return {"mse two": 2 * nearer.astype(np.int8)[:, None]}


SUBJECTS: dict[str, Callable[[Vectors, dict[str, Cards]], Decisions]] = {
    "simtool": simtool,
    "numpy gram": numpy_gram,
    "numpy gather": numpy_gather,
    "faiss": faiss,
    "scipy cdist": scipy_cdist,
    "psiz": psiz,
    "cblearn": cblearn,
}


def _memory(field: str) -> int:
    """A line of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(field)))


def main() -> None:
    subject, folder, result, repeats = SUBJECTS[sys.argv[1]], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    vectors = np.load(folder / "vectors.npy")
    cards = {name: np.load(folder / f"{name}.npy") for name in ("two", "eight")}
    few = {
        name: ((np.arange(200)[:, None] + np.arange(trials.shape[1])) % 64).astype(np.int32)
        for name, trials in cards.items()
    }
    subject(np.random.default_rng(0).standard_normal((64, 100), np.float32), few)
    held = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    seconds: list[float] = []
    while len(seconds) < repeats and sum(seconds) < 60:
        decisions = {}
        started = time.perf_counter()
        decisions = subject(vectors, cards)
        seconds.append(time.perf_counter() - started)
    peak = _memory("VmHWM")
    found: dict[str, Any] = {name.replace(" ", "_"): values for name, values in decisions.items()}
    np.savez(result, **found)
    summary = {"seconds": min(seconds), "runs": seconds, "peak_bytes": peak, "above_data_bytes": peak - held}
    sys.stdout.write(json.dumps(summary) + "\n")


if __name__ == "__main__":
    main()
