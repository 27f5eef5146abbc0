"""The variables of a training as named arrays, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.tensorflow import load_tensorflow
from simtool.training.arrays import ArraysError
from simtool.training.errors import TrainingError

__all__ = ["Variables", "assign_arrays", "named", "to_arrays"]

#: ``keras.Variable`` by name.
Variables = Mapping[str, Any]


def named(**groups: Sequence[Any]) -> Variables:
    """Names by group and place, such as ``weights/0003``: those of Keras change from one process to another."""
    return {f"{name}/{index:04}": one for name, group in groups.items() for index, one in enumerate(group)}


def to_arrays(variables: Variables) -> Iterator[tuple[str, NDArray[Any]]]:
    """Name and value of each; views, which take no memory, and which later changes leave as they are."""
    tf = load_tensorflow()
    for name, variable in variables.items():
        yield name, np.asarray(tf.convert_to_tensor(variable.value))


def assign_arrays(variables: Variables, arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    """Give each variable its array.

    Raises:
        TrainingError: the arrays are those of another network.
        ArraysError: some are missing.
    """
    missing = set(variables)
    for name, array in arrays:
        if name not in variables:
            raise TrainingError(f"the checkpoint holds {name}, which the network lacks; --restart begins again")
        variable = variables[name]
        if tuple(variable.shape) != array.shape:
            raise TrainingError(
                f"{variable.path} has the shape {tuple(variable.shape)}, in the checkpoint {array.shape}; "
                "--restart begins again"
            )
        variable.assign(array)
        missing.discard(name)
    if missing:
        raise ArraysError(f"the checkpoint lacks {min(missing)}")
