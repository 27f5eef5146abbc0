"""What a step does to the weights, given the gradients of the whole batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from simtool.models.training.devices import Devices
from simtool.models.training.errors import TrainingError
from simtool.models.training.settings import Settings
from simtool.models.training.task import Task
from simtool.tensorflow import load_tensorflow

__all__ = ["Optimizer", "clipped"]

T = TypeVar("T")


def clipped(gradients: Sequence[Any], norm: Any, value: float, most: float) -> list[Any]:
    """Gradients whose entries are cut to a range, then scaled together to a norm (Pascanu et al. 2013).

    Args:
        gradients: of the global batch.
        norm: of all of them together.
        value: the largest entry; 0 for any.
        most: the largest norm; 0 for any.
    """
    tf = load_tensorflow()
    if value:
        gradients = [tf.clip_by_value(gradient, -value, value) for gradient in gradients]
        norm = tf.linalg.global_norm(gradients)
    if most:
        share = most / tf.maximum(norm, most)
        gradients = [gradient * share for gradient in gradients]
    return list(gradients)


class Optimizer:
    """The rule of a Keras optimizer, with a learning rate per variable, decoupled decay and a running mean of weights.

    Only the rule is Keras's: within a strategy it would clip the gradients of each device instead of their sum,
    and would not skip a step as a whole.

    Args:
        task: whose variables are trained.
        settings: which rule, and its numbers.
        devices: that the variables are shared by.

    Attributes:
        variables: all that has to be saved beside the weights: slots, the count of updates, the means.

    Raises:
        TrainingError: the task describes more or fewer variables than it has.
    """

    def __init__(self, task: Task, settings: Settings, devices: Devices) -> None:
        self._weights, self._strategy = list(task.variables), devices.strategy
        matrices = [len(weight.shape) >= 2 for weight in self._weights]
        decayed = self._one_each(task.decayed, matrices, "decayed")
        self._decays = [settings.weight_decay if some else 0.0 for some in decayed]
        self._multipliers = self._one_each(task.multipliers, [1.0] * len(matrices), "multipliers")
        with devices.scope():
            self._rule = _rule(settings)
            self._rule.build(self._weights)
            self._means = [_zeros_like(weight) for weight in self._weights] if settings.ema else []
        self.variables: list[Any] = [*self._rule.variables, *self._means]

    def begin(self) -> None:
        """Start the running mean at the weights."""
        for mean, weight in zip(self._means, self._weights, strict=False):
            mean.assign(weight.value)

    def apply(self, gradients: Sequence[Any], rate: Any, mean_decay: Any) -> None:
        """Update the weights on all devices. For a graph, outside ``strategy.run``.

        Args:
            gradients: per replica, of the global batch, in the order of the task's variables.
            rate: float32 (), the learning rate.
            mean_decay: float32 (), the share of the running mean that is kept.
        """
        update = self._strategy.extended.update
        for index, (weight, gradient) in enumerate(zip(self._weights, gradients, strict=True)):
            update(weight.value, self._updates(index), args=(gradient, rate, mean_decay), group=False)
        # The rule's correction of its early means counts the updates before this one.
        update(self._rule.iterations.value, lambda count: count.assign_add(1), group=False)

    def _updates(self, index: int) -> Callable[[Any, Any, Any, Any], None]:
        """How one device updates its copy of a weight."""
        multiplier, decay = self._multipliers[index], self._decays[index]

        def update(weight: Any, gradient: Any, rate: Any, mean_decay: Any) -> None:
            own = rate * multiplier
            if decay:
                weight.assign_sub(weight * (own * decay))
            self._rule.update_step(gradient, weight, own)
            if self._means:
                mean = self._means[index].value
                mean.assign_sub((mean - weight) * (1.0 - mean_decay))

        return update

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the weights are their running mean, where there is one; afterwards they are themselves again."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def average(self) -> None:
        """Let the weights be their running mean for good, where there is one."""
        for mean, weight in zip(self._means, self._weights, strict=False):
            weight.assign(mean.value)

    def _swap(self) -> None:
        """Exchange weights and means, one at a time for the sake of memory."""
        tf = load_tensorflow()
        for mean, weight in zip(self._means, self._weights, strict=False):
            held = tf.identity(weight.value)
            weight.assign(mean.value)
            mean.assign(held)

    def _one_each(self, given: Sequence[T] | None, otherwise: list[T], name: str) -> list[T]:
        """One value per weight."""
        values = otherwise if given is None else list(given)
        if len(values) != len(self._weights):
            raise TrainingError(f"the task has {len(self._weights)} variables and {len(values)} {name}")
        return values


def _rule(settings: Settings) -> Any:
    """The Keras optimizer whose ``update_step`` is used; it gets the learning rate with each step."""
    load_tensorflow()
    import keras

    if settings.optimizer == "sgd":
        return keras.optimizers.SGD(1.0, momentum=settings.momentum, nesterov=settings.nesterov)
    return keras.optimizers.Adam(1.0, settings.beta_1, settings.beta_2, settings.epsilon)


def _zeros_like(weight: Any) -> Any:
    import keras

    return keras.Variable("zeros", shape=weight.shape, dtype=weight.dtype, trainable=False)
