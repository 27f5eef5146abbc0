"""What Keras layers compute in, and the scale that keeps float16 gradients from vanishing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Self

from simtool.tensorflow import load_tensorflow
from simtool.training.settings import Precision

__all__ = ["LossScale", "layer_precision"]

_POLICIES: dict[Precision, str] = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


@contextmanager
def layer_precision(precision: Precision) -> Iterator[None]:
    """Make Keras layers inside compute in a precision, on float32 variables (Micikevicius et al. 2018).

    Args:
        precision: of the layers that are made inside; those made outside keep theirs.
    """
    load_tensorflow()
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(_POLICIES[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@dataclass(frozen=True)
class LossScale:
    """What a float16 loss is multiplied by, and its gradients divided by (Micikevicius et al. 2018, section 3.2).

    Attributes:
        value: the scale, a power of 2; 1 for the other precisions, always.
        good: finite steps since it last changed.
        dynamic: whether it changes.
    """

    value: float = 1.0
    good: int = 0
    dynamic: bool = False

    #: Where a float16 training starts, and after how many finite steps the scale is doubled, as in Keras.
    START, PATIENCE = 2.0**15, 2000

    @classmethod
    def of(cls, precision: Precision) -> Self:
        """The scale that a training in a precision starts with."""
        return cls(cls.START, 0, True) if precision == "float16" else cls()

    @property
    def halvings(self) -> int:
        """How often it can be halved before it is 1: so many overflows in a row say nothing about the model."""
        return max(int(self.value).bit_length() - 1, 0)

    def after(self, finite: bool) -> Self:
        """The scale of the next step.

        Args:
            finite: whether this step's gradients were.
        """
        if not self.dynamic:
            return self
        if not finite:
            return replace(self, value=max(self.value / 2, 1.0), good=0)
        if self.good + 1 >= self.PATIENCE:
            return replace(self, value=self.value * 2, good=0)
        return replace(self, good=self.good + 1)
