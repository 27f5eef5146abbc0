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
    """Two, if TensorFlow was told to use fewer threads for an operation than there are cores; on a GPU always one.

    See :func:`simtool.training.devices.open_devices`.
    """
    limit = tf.config.threading.get_intra_op_parallelism_threads()
    return 2 if 0 < limit < available_cores() and not tf.config.get_visible_devices("GPU") else 1


def split(x: Any) -> tuple[Any, ...]:
    """The parts of (b, ...). A batch whose size the graph does not know stays whole, since it may be of one image."""
    count = x.shape[0] or 0
    return (x,) if count < 2 or count_parts() == 1 else tuple(tf.split(x, [count // 2, count - count // 2]))


def joined(parts: tuple[Any, ...]) -> Any:
    """The batch of the parts."""
    return parts[0] if len(parts) == 1 else tf.concat(parts, 0)
