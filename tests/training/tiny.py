"""Two tiny tasks and their data: a classifier with batch normalization, and the likelihood of a coupling layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from simtool.tensorflow import load_tensorflow
from simtool.training.data import Batch, Draws
from simtool.training.devices import Worker
from simtool.training.task import Criterion, Task, Unhealthy

#: Columns of the log that differ between two runs.
CLOCK = ("time", "seconds", "waiting")


class TinyData:
    """Colored noise in three classes, told apart by their mean color.

    Args:
        examples: of the training set.
        held_out: of the validation set.
        batch_size: of a global batch; the last one of an epoch may be short.
        seed: of the examples and their order.
        bad_steps: steps, counted over all epochs, whose images are not numbers.
    """

    def __init__(
        self,
        examples: int = 48,
        held_out: int = 14,
        batch_size: int = 8,
        seed: int = 1,
        bad_steps: tuple[int, ...] = (),
    ) -> None:
        self.batch_size, self.seed, self.bad_steps = batch_size, seed, bad_steps
        self.steps_per_epoch = -(-examples // batch_size)
        self._train, self._held_out = _examples(examples, seed), _examples(held_out, seed + 1)

    def batches(self, epoch: int, start: int, worker: Worker) -> Iterator[Batch]:
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self._train["label"]))
        for step in range(start, self.steps_per_epoch):
            rows = order[step * self.batch_size : (step + 1) * self.batch_size]
            batch = _part(self._train, rows, worker)
            if epoch * self.steps_per_epoch + step in self.bad_steps:
                batch["image"] = batch["image"] * np.float32(np.nan)
            yield batch

    def validation(self, worker: Worker) -> Iterator[Batch]:
        for start in range(0, len(self._held_out["label"]), self.batch_size):
            yield _part(
                self._held_out, np.arange(len(self._held_out["label"]))[start : start + self.batch_size], worker
            )


def _examples(count: int, seed: int) -> dict[str, NDArray[Any]]:
    random = np.random.default_rng(seed)
    label = random.integers(0, 3, count).astype(np.int32)
    image = random.normal(np.eye(3)[label][:, None, None], 1.0, (count, 6, 6, 3)).astype(np.float32)
    return {"image": image, "label": label}


def _part(examples: Mapping[str, NDArray[Any]], rows: NDArray[np.intp], worker: Worker) -> dict[str, NDArray[Any]]:
    return {name: array[rows[worker.index :: worker.count]] for name, array in examples.items()}


class Classifier(Task):
    """A small convolutional network.

    Args:
        normalize: with batch normalization.
        noise: standard deviation of what is added to the images.
        seed: of the first weights.
    """

    criterion: ClassVar[Criterion] = Criterion("accuracy", "high")

    def __init__(self, normalize: bool = True, noise: float = 0.1, seed: int = 3) -> None:
        load_tensorflow()
        import keras

        layers, start = keras.layers, keras.initializers.GlorotUniform
        self.noise = noise
        self.network = keras.Sequential(
            [
                keras.Input((6, 6, 3)),
                layers.Conv2D(8, 3, kernel_initializer=start(seed)),
                *([layers.BatchNormalization(momentum=0.8)] if normalize else []),
                layers.ReLU(),
                layers.GlobalAveragePooling2D(),
                layers.Dense(3, kernel_initializer=start(seed + 1)),
            ]
        )
        self.variables = self.network.trainable_variables
        self.state = self.network.non_trainable_variables

    def prepared(self, batch: Mapping[str, Any], draws: Draws) -> Mapping[str, Any]:
        return {**batch, "image": batch["image"] + self.noise * draws.normal((6, 6, 3))}

    def loss(self, batch: Mapping[str, Any], draws: Draws) -> tuple[Any, dict[str, Any]]:
        del draws
        return self._measured(self.network(batch["image"], training=True), batch["label"])

    def evaluate(self, batch: Mapping[str, Any], draws: Draws) -> dict[str, Any]:  # noqa: ARG002 - it has no noise
        loss, metrics = self._measured(self.network(batch["image"], training=False), batch["label"])
        return {"loss": loss, **metrics}

    def _measured(self, logits: Any, label: Any) -> tuple[Any, dict[str, Any]]:
        tf = load_tensorflow()
        logits = tf.cast(logits, tf.float32)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(label, logits)
        return loss, {"accuracy": tf.cast(tf.argmax(logits, -1, tf.int32) == label, tf.float32)}


class Coupling(Task):
    """The negative log-likelihood of flat images under one affine coupling whose shift is set from data first.

    Args:
        sick_after: evaluations that find it healthy; None for all.
    """

    criterion: ClassVar[Criterion] = Criterion("nats")

    def __init__(self, sick_after: int | None = None) -> None:
        load_tensorflow()
        import keras

        self.sick_after, self.checked = sick_after, 0
        normal = keras.initializers.RandomNormal(stddev=0.05, seed=5)
        self.shift = keras.Variable("zeros", shape=(108,), dtype="float32", name="shift")
        self.kernel = keras.Variable(normal, shape=(54, 108), dtype="float32", name="kernel")
        self.variables = [self.shift, self.kernel]

    def initialize(self, batches: Iterator[Batch]) -> None:
        rows = (image for batch in batches for image in batch["image"])
        self.shift.assign(-np.mean([image.reshape(108) for image in islice(rows, 8)], axis=0))

    def prepared(self, batch: Mapping[str, Any], draws: Draws) -> Mapping[str, Any]:
        return {**batch, "image": batch["image"] + 0.1 * draws.uniform((6, 6, 3))}

    def loss(self, batch: Mapping[str, Any], draws: Draws) -> tuple[Any, dict[str, Any]]:
        del draws
        tf, image = load_tensorflow(), batch["image"]
        first, second = tf.split(tf.reshape(image, (-1, 108)) + self.shift, 2, axis=1)
        log_scale, move = tf.split(first @ tf.convert_to_tensor(self.kernel), 2, axis=1)
        log_scale = tf.math.log_sigmoid(log_scale + 2.0)
        latent = tf.concat([first, second * tf.exp(log_scale) + move], 1)
        nats = 0.5 * tf.reduce_sum(latent**2 + np.log(2 * np.pi), 1) - tf.reduce_sum(log_scale, 1)
        return nats, {}

    def evaluate(self, batch: Mapping[str, Any], draws: Draws) -> dict[str, Any]:
        return {"nats": self.loss(self.prepared(batch, draws), draws)[0]}

    def health(self, batch: Batch) -> dict[str, float]:
        self.checked += 1
        if self.sick_after is not None and self.checked > self.sick_after:
            raise Unhealthy("the round trip is off by 3.1")
        return {"round_trip": 1e-6 * len(batch["label"])}

    def illustrate(self, folder: Path, step: int) -> None:
        (folder / f"step-{step:06}.txt").write_text("a picture")


def weights(task: Task) -> list[NDArray[np.float32]]:
    return [variable.value.numpy() for variable in [*task.variables, *task.state]]
