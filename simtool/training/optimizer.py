"""The optimizer: it updates the weights from the gradients of the whole batch. And the precision of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from simtool.tensorflow import load_tensorflow
from simtool.training.devices import Devices
from simtool.training.outcome import TrainingError
from simtool.training.settings import Precision, Settings
from simtool.training.task import Task

__all__ = ["Optimizer", "clipped", "layer_precision"]

T = TypeVar("T")
_POLICIES: dict[Precision, str] = {
    "float32": "float32",
    "tf32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}


@contextmanager
def layer_precision(precision: Precision) -> Iterator[None]:
    """Create Keras layers that compute in a precision, on float32 variables (Micikevicius et al. 2018)."""
    load_tensorflow()
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(_POLICIES[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def clipped(gradients: Sequence[Any], factor: Any, norm: Any, value: float, most: float) -> tuple[list[Any], Any]:
    """Clip gradients to a range, then scale them together to a norm (Pascanu et al. 2013).

    Args:
        gradients: of the global batch, divided by ``factor``.
        factor: the optimizer multiplies the gradients by it.
        norm: of all gradients together, after this multiplication.
        value: the largest absolute value; 0 for no limit.
        most: the largest norm; 0 for no limit.

    Returns:
        gradients and a factor. The optimizer multiplies when it updates the weights, which takes no memory.
    """
    tf = load_tensorflow()
    if value:
        gradients = [tf.clip_by_value(gradient * factor, -value, value) for gradient in gradients]
        factor, norm = tf.ones_like(factor), tf.linalg.global_norm(gradients)
    if most:
        factor = factor * (most / tf.maximum(norm, most))
    return list(gradients), factor


class Optimizer:
    """Adam or momentum, with a learning rate per variable, decoupled weight decay and a moving average of the weights.

    The update rules are TensorFlow's fused operations, which need no memory except the slots. Keras's optimizers give
    the same numbers, but in a dozen operations; and within a strategy they clip the gradients of each device instead
    of their sum.

    Args:
        task: holds the variables to train.
        settings: the update rule and its numbers.
        devices: that share the variables.

    Attributes:
        variables: everything to save except the weights: the number of updates, slots, averages.
    """

    def __init__(self, task: Task, settings: Settings, devices: Devices) -> None:
        self._weights, self._strategy = list(task.variables), devices.strategy
        matrices = [len(weight.shape) >= 2 for weight in self._weights]
        decayed = self._one_each(task.decayed, matrices, "decayed")
        self._decays = [settings.weight_decay if some else 0.0 for some in decayed]
        self._multipliers = self._one_each(task.multipliers, [1.0] * len(matrices), "multipliers")
        self._settings, slots = settings, 1 if settings.optimizer == "sgd" else 2
        with devices.scope():
            self._count = _zeros((), "int64")
            self._slots = [[_zeros(weight.shape) for _ in range(slots)] for weight in self._weights]
            self._averages = [_zeros(weight.shape) for weight in self._weights] if settings.ema else []
        self.variables: list[Any] = [self._count, *(slot for some in self._slots for slot in some), *self._averages]

    def begin(self) -> None:
        """Start the moving average at the weights."""
        for average, weight in zip(self._averages, self._weights, strict=False):
            average.assign(weight.value)

    def apply(self, gradients: Sequence[Any], factor: Any, rate: Any, ema_decay: Any) -> None:
        """Update the weights on all devices. Use it in a graph, outside ``strategy.run``.

        Args:
            gradients: of the global batch, per replica, in the order of the task's variables.
            factor: float32 (), by which the gradients are multiplied.
            rate: float32 (), the learning rate.
            ema_decay: float32 (), the share of the moving average that is kept.
        """
        tf = load_tensorflow()
        update = self._strategy.extended.update
        update(self._count.value, lambda count: count.assign_add(1), group=False)
        number = tf.cast(self._count.value, tf.float32)
        for index, (weight, gradient) in enumerate(zip(self._weights, gradients, strict=True)):
            update(weight.value, self._update(index), args=(gradient, factor, rate, ema_decay, number), group=False)

    def _update(self, index: int) -> Callable[..., None]:
        """The function by which one device updates its copy of a weight."""
        multiplier, decay = self._multipliers[index], self._decays[index]
        slots = self._slots[index]

        def update(weight: Any, gradient: Any, factor: Any, rate: Any, ema_decay: Any, number: Any) -> None:
            own = rate * multiplier
            if decay:
                weight.assign_sub(weight * (own * decay))
            self._move(weight.handle, [slot.value.handle for slot in slots], gradient * factor, own, number)
            if self._averages:
                average = self._averages[index].value
                average.assign_sub((average - weight) * (1.0 - ema_decay))

        return update

    def _move(self, weight: Any, slots: Sequence[Any], gradient: Any, rate: Any, number: Any) -> None:
        """Update a weight in place, by its handle and the handles of its slots.

        Momentum (Sutskever et al. 2013): velocity = momentum * velocity - rate * gradient, weight += velocity. Adam:
        Kingma & Ba 2015, algorithm 1 in the order of section 2's last paragraph.
        """
        operations, settings = load_tensorflow().raw_ops, self._settings
        applied: dict[str, Any] = {"var": weight, "grad": gradient, "lr": rate}
        if settings.optimizer == "sgd":
            rule = {"momentum": settings.momentum, "use_nesterov": settings.nesterov}
            operations.ResourceApplyKerasMomentum(**applied, **rule, accum=slots[0])
            return
        powers = {"beta1_power": settings.beta_1**number, "beta2_power": settings.beta_2**number}
        rule = {"beta1": settings.beta_1, "beta2": settings.beta_2, "epsilon": settings.epsilon}
        operations.ResourceApplyAdam(**applied, **powers, **rule, m=slots[0], v=slots[1])

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Use the moving average, if there is one, as the weights inside the context."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def average(self) -> None:
        """Replace the weights by their moving average, if there is one."""
        for average, weight in zip(self._averages, self._weights, strict=False):
            weight.assign(average.value)

    def _swap(self) -> None:
        """Exchange weights and averages, one at a time to save memory."""
        tf = load_tensorflow()
        for average, weight in zip(self._averages, self._weights, strict=False):
            held = tf.identity(weight.value)
            weight.assign(average.value)
            average.assign(held)

    def _one_each(self, given: Sequence[T] | None, otherwise: list[T], name: str) -> list[T]:
        """One value per weight."""
        values = otherwise if given is None else list(given)
        if len(values) != len(self._weights):
            raise TrainingError(f"the task has {len(self._weights)} variables and {len(values)} {name}")
        return values


def _zeros(shape: Sequence[int], dtype: str = "float32") -> Any:
    load_tensorflow()
    import keras

    return keras.Variable("zeros", shape=shape, dtype=dtype, trainable=False)
