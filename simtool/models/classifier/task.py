"""The training of a classifier: cross-entropy on augmented images, accuracy on validation images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from simtool.images.tensors import transform_colors
from simtool.models.classifier.config import ClassifierConfig
from simtool.models.classifier.network import rate_multipliers
from simtool.tensorflow import load_tensorflow
from simtool.training.augmentation import AUGMENTATIONS, augment
from simtool.training.data import Draws
from simtool.training.task import Criterion, Task

__all__ = ["Classification"]

tf = load_tensorflow()

#: Number of guesses of ``top_5``.
_GUESSES = 5
#: The purpose of the draws for dropout; augmentation uses smaller numbers.
_DROPOUT = 100


class Classification(Task):
    """A classifier and its loss."""

    criterion: ClassVar[Criterion] = Criterion("top_1", "high")

    def __init__(self, network: Any, config: ClassifierConfig) -> None:
        self.network, self.config = network, config
        self.variables = list(network.trainable_variables)
        # Draws replace the random generators of dropout, whose state is two whole numbers.
        fixed = network.non_trainable_variables
        self.state = [variable for variable in fixed if "float" in str(variable.dtype)]
        self._generators = [variable for variable in fixed if "int" in str(variable.dtype) and variable.shape == (2,)]
        self.random_loss = bool(self._generators)
        decay = config.layerwise_lr_decay
        self.multipliers = None if decay == 1 else rate_multipliers(network, decay)
        self._colors = transform_colors(config.preprocessing)
        self._augmentation = AUGMENTATIONS[config.augmentation]

    def prepared(self, batch: Mapping[str, Any], draws: Draws) -> Mapping[str, Any]:
        """Augmented images with their colors preprocessed. See :meth:`Task.prepared`."""
        shown = _resized(augment(batch["image"], self._augmentation, draws), self.config.size)
        return {**batch, "image": self._colors(shown)}

    def loss(self, batch: Mapping[str, Any], draws: Draws) -> tuple[Any, dict[str, Any]]:
        """Cross-entropy with smoothed labels. See :meth:`Task.loss`."""
        logits = tf.cast(self._trained(batch["image"], draws.fold(_DROPOUT)), tf.float32)
        smoothing, classes = self.config.label_smoothing, logits.shape[-1]
        target = (1 - smoothing) * tf.one_hot(batch["label"], classes) + smoothing / classes
        loss = tf.nn.softmax_cross_entropy_with_logits(target, logits)
        return loss, {"top_1": _hits(logits, batch["label"], 1)}

    def _trained(self, images: Any, draws: Draws) -> Any:
        """The output of the network in training.

        Dropout depends on the step and on the first row alone, so that training can resume, and that devices and parts
        of a batch drop other values.
        """
        if not self._generators:
            return self.network(images, training=True)
        import keras

        first = tf.reduce_min(draws.rows)
        seeds = [
            tf.cast(draws.fold(number).seed + first, generator.dtype)
            for number, generator in enumerate(self._generators)
        ]
        with keras.StatelessScope(list(zip(self._generators, seeds, strict=True))) as scope:
            output = self.network(images, training=True)
        for variable in self.state:
            if (value := scope.get_current_value(variable)) is not None:
                variable.assign(value)
        return output

    def evaluate(self, batch: Mapping[str, Any], draws: Draws) -> dict[str, Any]:
        """Cross-entropy in nats and accuracy, without augmentation. See :meth:`Task.evaluate`."""
        del draws
        shown = _resized(batch["image"], self.config.size)
        logits = tf.cast(self.network(self._colors(shown), training=False), tf.float32)
        return {
            "cross_entropy": tf.nn.sparse_softmax_cross_entropy_with_logits(batch["label"], logits),
            "top_1": _hits(logits, batch["label"], 1),
            "top_5": _hits(logits, batch["label"], _GUESSES),
        }


def _resized(images: Any, size: int) -> Any:
    """Resize images that were decoded larger to the size that the network sees."""
    return images if images.shape[1] == size else tf.image.resize(images, (size, size), antialias=True)


def _hits(logits: Any, labels: Any, guesses: int) -> Any:
    """Whether each label is among the first guesses, (b,) of 1 and 0."""
    return tf.cast(tf.math.in_top_k(labels, logits, min(guesses, logits.shape[-1])), tf.float32)
