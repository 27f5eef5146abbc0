"""The likelihood of ranked choices in a separate process: ``psychological_subjects.py SUBJECT FOLDER REPEATS``.

This program runs under any Python that has numpy and the subject. It reads ``points.npy`` (n, D), ``trials.npy``
(T, N + 1; the query, the K selected references in order, the others), and ``kernel.json`` (``selected`` K, ``scale``,
``exponent``, ``floor``). It writes ``SUBJECT.npy``, the log-probability of each trial, and prints the seconds.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Subject: TypeAlias = Callable[[], NDArray[Any]]
Kernel: TypeAlias = Mapping[str, Any]


def simtool(points: NDArray[np.float64], trials: NDArray[np.int64], kernel: Kernel) -> Subject:
    """simtool: the similarities of distinct pairs, and the sequential likelihood of the selection alone."""
    from simtool.psychological.embedding import PsychologicalEmbedding
    from simtool.psychological.parameters import Parameters
    from simtool.psychological.sample import Sample
    from simtool.tables.trials import Trials

    count, references, selected = len(trials), trials.shape[1] - 1, kernel["selected"]
    kind = f"{references}-{'rank' if selected > 1 else 'choose'}-{selected}"
    chosen = np.tile(np.arange(selected), (count, 1))
    names = [str(image) for image in range(len(points))]
    sample = Sample.of(Trials.build(names, [kind] * count, trials[:, 0], trials[:, 1:], chosen))
    logs = np.log([kernel["scale"], kernel["floor"]])
    embedding = PsychologicalEmbedding(
        Parameters(points, logs, np.zeros((1, points.shape[1]))), kernel["exponent"], 0.0
    )
    return lambda: embedding.log_probability(sample)


def psiz(points: NDArray[np.float64], trials: NDArray[np.int64], kernel: Kernel) -> Subject:
    """psiz: its layers ``Minkowski``, ``ExponentialSimilarity`` and ``SoftRank``, in float64."""
    import keras
    import tensorflow as tf

    keras.config.set_floatx("float64")
    from psiz.keras.layers import ExponentialSimilarity, Minkowski, SoftRank

    def constant(value: float) -> Any:
        return keras.initializers.Constant(value)

    similarity = ExponentialSimilarity(
        tau_initializer=constant(kernel["exponent"]),
        gamma_initializer=constant(kernel["floor"]),
        beta_initializer=constant(kernel["scale"]),
        trainable=False,
    )
    proximity = Minkowski(
        rho_initializer=constant(2.0),
        w_initializer=constant(1.0),
        w_constraint=None,
        activation=similarity,
        trainable=False,
    )
    rank = SoftRank(n_select=kernel["selected"], trainable=False)
    embeddings = tf.constant(points)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def log_probability(some: Any) -> Any:
        x, y = tf.gather(embeddings, some[:, :1]), tf.gather(embeddings, some[:, 1:])
        strength = proximity([tf.broadcast_to(x, tf.shape(y)), y])
        return tf.math.log(rank(strength)[:, 0])  # the first outcome selects the first references, in order

    return lambda: np.asarray(log_probability(tf.constant(trials)).numpy())


SUBJECTS: dict[str, Callable[..., Subject]] = {"simtool": simtool, "psiz": psiz}


def main() -> None:
    name, folder, repeats = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    kernel = json.loads((folder / "kernel.json").read_text())
    subject = SUBJECTS[name](np.load(folder / "points.npy"), np.load(folder / "trials.npy"), kernel)
    found = subject()  # compiles
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        found = subject()
        seconds.append(time.perf_counter() - started)
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    np.save(folder / f"{name}.npy", found)
    sys.stdout.write(json.dumps({"seconds": min(seconds), "peak_bytes": 1024 * int(peak.split()[1])}) + "\n")


if __name__ == "__main__":
    main()
