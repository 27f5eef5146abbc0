"""The parts of a batch that the cores of a processor compute at the same time.

The operations of a flow are small and follow one after the other. Several threads that share each of them wait for each
other most of the time. It is faster to let two halves of the batch pass at the same time, each by half of the threads.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from simtool.system.threads import available_cores

__all__ = ["count_parts", "joined", "split"]


def count_parts() -> int:
    """Two, if TensorFlow was told to use fewer threads for an operation than there are cores; otherwise one.

    See :func:`simtool.training.devices.open_devices`.
    """
    return 2 if 0 < tf.config.threading.get_intra_op_parallelism_threads() < available_cores() else 1


def split(x: Any) -> tuple[Any, ...]:
    """The parts of (b, ...)."""
    if count_parts() == 1 or x.shape[0] == 1:
        return (x,)
    count = tf.shape(x)[0] if x.shape[0] is None else x.shape[0]
    return tuple(tf.split(x, [count // 2, count - count // 2]))


def joined(parts: tuple[Any, ...]) -> Any:
    """The batch of the parts."""
    return parts[0] if len(parts) == 1 else tf.concat(parts, 0)
