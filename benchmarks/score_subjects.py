"""One method of scoring trials in a separate process: ``score_subjects.py SUBJECT FOLDER RESULT REPEATS``.

This program runs under any Python that has numpy and the subject. It reads ``vectors.npy``, ``two.npy`` (query,
selected, other), ``eight.npy`` (query, first choice, second choice, six others) and ``odd.npy`` (two that remain, the
odd one) into memory, if they exist. A subject converts them to decisions by mean squared difference and by cosine, one
decision per implied comparison. Before the measurement it runs once on a few trials, so that imports and compilation
are not measured.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["SUBJECTS", "Decisions", "decide"]

#: The credit of each comparison, or twice that as an integer, (T, C), by distance and type of trial.
Decisions: TypeAlias = Mapping[str, NDArray[np.int8] | NDArray[np.float32]]
Vectors: TypeAlias = NDArray[np.float32]
Cards: TypeAlias = NDArray[np.int32]
#: Bytes of gathered vectors per batch.
BATCH = 64 << 20
#: Trials whose look-ups stay in the cache.
BLOCK = 1 << 14


def decide(near: NDArray[np.floating[Any]], selected: int) -> NDArray[np.int8]:
    """Twice the credits of trials, from distances (T, N) in which selected references come first."""
    columns = [
        (near[:, place, None] < others).astype(np.int8) * 2 + (near[:, place, None] == others)
        for place in range(selected)
        for others in [near[:, place + 1 :]]
    ]
    return np.concatenate(columns, axis=1, dtype=np.int8)


def _look_up(gram: NDArray[np.float32], cards: dict[str, Cards]) -> Decisions:
    """Decisions from the inner products of all vectors: per trial only the entries that its comparisons need.

    Distances are reduced to the part that differs between references: x·y - |y|²/2 and x·y / |y|; larger is nearer.
    Blocks of trials stay in the cache.
    """
    squares, flat = gram.diagonal().copy(), gram.reshape(-1)
    halves, scales = squares / 2, 1 / np.sqrt(squares)
    decisions: dict[str, NDArray[np.int8]] = {}
    for name, trials in cards.items():
        if name == "odd":
            decisions |= _odd_look_up(flat, halves, scales, trials)
            continue
        comparisons = 1 if name == "two" else 13
        by_mse, by_cosine = (np.empty((len(trials), comparisons), np.int8) for _ in range(2))
        for start in range(0, len(trials), BLOCK):
            some = trials[start : start + BLOCK].T.astype(np.intp)
            query, references = some[0] * len(gram), some[1:]
            products = [flat.take(query + reference) for reference in references]
            for found, near in (
                (by_mse, [x - halves.take(y) for x, y in zip(products, references, strict=True)]),
                (by_cosine, [x * scales.take(y) for x, y in zip(products, references, strict=True)]),
            ):
                block = found[start : start + BLOCK]
                for column, (one, other) in enumerate(combinations(range(len(near)), 2)):
                    if column == comparisons:
                        break
                    x, y = near[one], near[other]
                    np.add((x > y).view(np.int8) * np.int8(2), x == y, out=block[:, column])
        decisions[f"mse {name}"], decisions[f"cosine {name}"] = by_mse, by_cosine
    return decisions


def _odd_look_up(
    gram: NDArray[np.float32], halves: NDArray[np.floating], scales: NDArray[np.floating], trials: Cards
) -> dict[str, NDArray[np.int8]]:
    """Decisions on trials whose third image is the odd one: a is nearer to b than to c, and b is nearer to a."""
    found = {f"{distance} odd": np.empty((len(trials), 2), np.int8) for distance in ("mse", "cosine")}
    for start in range(0, len(trials), BLOCK):
        a, b, c = trials[start : start + BLOCK].T.astype(np.intp)
        first, second = a * halves.size, b * halves.size
        pair, others = gram.take(first + b), (gram.take(first + c), gram.take(second + c))
        for name, reduce, part in (("mse odd", np.subtract, halves), ("cosine odd", np.multiply, scales)):
            for column, (mate, other) in enumerate(zip((b, a), others, strict=True)):
                x, y = reduce(pair, part.take(mate)), reduce(other, part.take(c))
                block = found[name][start : start + BLOCK, column]
                np.add((x > y).view(np.int8) * np.int8(2), x == y, out=block)
    return found


def _trials(count: int, cards: dict[str, Cards]) -> Any:
    """The trials as simtool holds them, over ``count`` images."""
    from simtool.designs import parse_type
    from simtool.tables.trials import Trials

    kinds = [parse_type(KINDS[name]) for name in cards]
    longest, most = max(kind.n_reference for kind in kinds), max(kind.n_select for kind in kinds)
    parts = []
    for kind, trials in zip(kinds, cards.values(), strict=True):
        total, width = len(trials), kind.n_reference
        references, selected = np.full((total, longest), -1, np.int32), np.full((total, most), -1, np.int8)
        references[:, :width] = trials[:, -width:]
        selected[:, : kind.n_select] = np.arange(kind.n_select) if kind.has_query else width - 1
        parts.append((trials[:, 0] if kind.has_query else np.full(total, -1), references, selected))
    query, references, selected = (np.concatenate(column) for column in zip(*parts, strict=True))
    types = [str(kind) for kind, trials in zip(kinds, cards.values(), strict=True) for _ in range(len(trials))]
    return Trials.build([str(image) for image in range(count)], types, query, references, selected)


#: The trial types of the arrays of trials.
KINDS = {"two": "2-choose-1", "eight": "8-rank-2", "odd": "3-odd-1"}


def simtool(vectors: Vectors, trials: Any) -> Decisions:
    """simtool: the work of ``simtool score`` between reading and writing, credit included."""
    from simtool.scoring.scoring import score_vectors

    decisions: dict[str, NDArray[np.float32]] = {}
    for outcomes in score_vectors(vectors, trials):
        ends = np.cumsum([0, *(kind.comparisons * trials.of_type(kind).size for kind in trials.types)])
        for kind, start, stop in zip(trials.types, ends, ends[1:], strict=False):
            name = next(name for name, known in KINDS.items() if known == str(kind))
            decisions[f"{outcomes.distance} {name}"] = outcomes.credit[start:stop].reshape(-1, kind.comparisons)
    return decisions


def numpy_gram(vectors: Vectors, cards: dict[str, Cards]) -> Decisions:
    """numpy: one float32 Gram matrix (by BLAS's symmetric product) and look-ups in it."""
    return _look_up(vectors @ vectors.T, cards)


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
    """faiss: all inner products by ``faiss.pairwise_distances``, and numpy's look-ups."""
    from faiss import METRIC_INNER_PRODUCT, pairwise_distances

    return _look_up(pairwise_distances(vectors, vectors, METRIC_INNER_PRODUCT), cards)


def torch(vectors: Vectors, cards: dict[str, Cards]) -> Decisions:
    """torch: one float32 Gram matrix; look-ups and comparisons of all trials at once, in its threads."""
    from torch import cat, from_numpy, int8

    x = from_numpy(vectors)
    gram = x @ x.T
    squares = gram.diagonal()
    halves, scales = squares / 2, squares.rsqrt()
    decisions = {}
    for name, trials in cards.items():
        some = from_numpy(trials).long()
        references = some[:, 1:]
        products = gram.view(-1)[some[:, :1] * len(gram) + references]
        for distance, near in (("mse", products - halves[references]), ("cosine", products * scales[references])):
            columns = [
                (near[:, place, None] > others).to(int8) * 2 + (near[:, place, None] == others)
                for place in range(1 if name == "two" else 2)
                for others in [near[:, place + 1 :]]
            ]
            decisions[f"{distance} {name}"] = cat(columns, 1).numpy()
    return decisions


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


SUBJECTS: dict[str, Callable[[Vectors, Any], Decisions]] = {
    "simtool": simtool,
    "numpy gram": numpy_gram,
    "numpy gather": numpy_gather,
    "faiss": faiss,
    "torch": torch,
    "scipy cdist": scipy_cdist,
    "psiz": psiz,
    "cblearn": cblearn,
}


def _memory(field: str) -> int:
    """A line of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(field)))


def main() -> None:
    name, folder, result, repeats = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    subject, given = SUBJECTS[name], _trials if name == "simtool" else _cards
    vectors = np.load(folder / "vectors.npy")
    cards = {name: np.load(folder / f"{name}.npy") for name in KINDS if (folder / f"{name}.npy").exists()}
    few = {
        name: ((np.arange(200)[:, None] + np.arange(trials.shape[1])) % 64).astype(np.int32)
        for name, trials in cards.items()
    }
    subject(np.random.default_rng(0).standard_normal((64, 100), np.float32), given(64, few))
    trials = given(len(vectors), cards)
    held = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    seconds: list[float] = []
    while len(seconds) < repeats and sum(seconds) < 60:
        decisions: Decisions = {}
        started = time.perf_counter()
        decisions = subject(vectors, trials)
        seconds.append(time.perf_counter() - started)
    peak = _memory("VmHWM")
    found: dict[str, Any] = {
        name.replace(" ", "_"): values if values.dtype == np.int8 else (2 * values).astype(np.int8)
        for name, values in decisions.items()
    }
    np.savez(result, **found)
    summary = {"seconds": min(seconds), "runs": seconds, "peak_bytes": peak, "above_data_bytes": peak - held}
    sys.stdout.write(json.dumps(summary) + "\n")


def _cards(_count: int, cards: dict[str, Cards]) -> dict[str, Cards]:
    return cards


if __name__ == "__main__":
    main()
