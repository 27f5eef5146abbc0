"""What a step does to the weights, given the gradients of the whole batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from simtool.tensorflow import load_tensorflow
from simtool.training.devices import Devices
from simtool.training.errors import TrainingError
from simtool.training.settings import Settings
from simtool.training.task import Task

__all__ = ["Optimizer", "clipped"]

T = TypeVar("T")
#: Changes a weight in place: its handle, those of its slots, the gradient, the learning rate, which update it is.
Rule = Callable[[Any, Sequence[Any], Any, Any, Any], None]


def clipped(gradients: Sequence[Any], factor: Any, norm: Any, value: float, most: float) -> tuple[list[Any], Any]:
    """Gradients whose entries are cut to a range, then scaled together to a norm (Pascanu et al. 2013).

    Args:
        gradients: of the global batch, but for a factor.
        factor: that they are still to be multiplied by.
        norm: of all of them together, the factor included.
        value: the largest entry; 0 for any.
        most: the largest norm; 0 for any.

    Returns:
        gradients, and what they are still to be multiplied by: done on the way into the weights it takes no memory.
    """
    tf = load_tensorflow()
    if value:
        gradients = [tf.clip_by_value(gradient * factor, -value, value) for gradient in gradients]
        factor, norm = tf.ones_like(factor), tf.linalg.global_norm(gradients)
    if most:
        factor = factor * (most / tf.maximum(norm, most))
    return list(gradients), factor


class Optimizer:
    """Adam or momentum, with a learning rate per variable, decoupled weight decay and a running mean of the weights.

    The rules are TensorFlow's fused ones, which need no memory beside the slots; Keras's, which give the same, compute
    in a dozen steps. And within a strategy Keras clips the gradients of each device instead of their sum.

    Args:
        task: whose variables are trained.
        settings: which rule, and its numbers.
        devices: that the variables are shared by.

    Attributes:
        variables: all that has to be saved beside the weights: the count of updates, slots, means.

    Raises:
        TrainingError: the task describes more or fewer variables than it has.
    """

    def __init__(self, task: Task, settings: Settings, devices: Devices) -> None:
        self._weights, self._strategy = list(task.variables), devices.strategy
        matrices = [len(weight.shape) >= 2 for weight in self._weights]
        decayed = self._one_each(task.decayed, matrices, "decayed")
        self._decays = [settings.weight_decay if some else 0.0 for some in decayed]
        self._multipliers = self._one_each(task.multipliers, [1.0] * len(matrices), "multipliers")
        self._rule, slots = (_momentum(settings), 1) if settings.optimizer == "sgd" else (_adam(settings), 2)
        with devices.scope():
            self._count = _zeros((), "int64")
            self._slots = [[_zeros(weight.shape) for _ in range(slots)] for weight in self._weights]
            self._means = [_zeros(weight.shape) for weight in self._weights] if settings.ema else []
        self.variables: list[Any] = [self._count, *(slot for some in self._slots for slot in some), *self._means]

    def begin(self) -> None:
        """Start the running mean at the weights."""
        for mean, weight in zip(self._means, self._weights, strict=False):
            mean.assign(weight.value)

    def apply(self, gradients: Sequence[Any], factor: Any, rate: Any, mean_decay: Any) -> None:
        """Update the weights on all devices. For a graph, outside ``strategy.run``.

        Args:
            gradients: per replica, of the global batch, in the order of the task's variables.
            factor: float32 (), that they are to be multiplied by.
            rate: float32 (), the learning rate.
            mean_decay: float32 (), the share of the running mean that is kept.
        """
        tf = load_tensorflow()
        update = self._strategy.extended.update
        update(self._count.value, lambda count: count.assign_add(1), group=False)
        number = tf.cast(self._count.value, tf.float32)
        for index, (weight, gradient) in enumerate(zip(self._weights, gradients, strict=True)):
            update(weight.value, self._update(index), args=(gradient, factor, rate, mean_decay, number), group=False)

    def _update(self, index: int) -> Callable[..., None]:
        """How one device updates its copy of a weight."""
        multiplier, decay = self._multipliers[index], self._decays[index]
        slots = self._slots[index]

        def update(weight: Any, gradient: Any, factor: Any, rate: Any, mean_decay: Any, number: Any) -> None:
            own = rate * multiplier
            if decay:
                weight.assign_sub(weight * (own * decay))
            self._rule(weight.handle, [slot.value.handle for slot in slots], gradient * factor, own, number)
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


def _adam(settings: Settings) -> Rule:
    """Kingma & Ba 2015, algorithm 1 in the order of section 2's last paragraph; with decay outside of it, AdamW."""
    tf = load_tensorflow()

    def rule(weight: Any, slots: Sequence[Any], gradient: Any, rate: Any, number: Any) -> None:
        mean, square = slots
        tf.raw_ops.ResourceApplyAdam(
            var=weight,
            m=mean,
            v=square,
            beta1_power=tf.pow(settings.beta_1, number),
            beta2_power=tf.pow(settings.beta_2, number),
            lr=rate,
            beta1=settings.beta_1,
            beta2=settings.beta_2,
            epsilon=settings.epsilon,
            grad=gradient,
        )

    return rule


def _momentum(settings: Settings) -> Rule:
    """Momentum (Sutskever et al. 2013): velocity = momentum * velocity - rate * gradient, weight += velocity."""
    tf = load_tensorflow()

    def rule(weight: Any, slots: Sequence[Any], gradient: Any, rate: Any, number: Any) -> None:
        del number
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=weight,
            accum=slots[0],
            lr=rate,
            grad=gradient,
            momentum=settings.momentum,
            use_nesterov=settings.nesterov,
        )

    return rule


def _zeros(shape: Sequence[int], dtype: str = "float32") -> Any:
    load_tensorflow()
    import keras

    return keras.Variable("zeros", shape=shape, dtype=dtype, trainable=False)
