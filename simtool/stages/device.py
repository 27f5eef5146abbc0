"""Choose the device of a stage that embeds with a network, and note it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from simtool import console
from simtool.device import CHOICES, open_device, processor
from simtool.errors import UsageError
from simtool.models.runtimes import OPENVINO
from simtool.models.sources import ModelOptions, Source
from simtool.stages.run import Run, chosen

__all__ = ["starting", "use_device"]


@contextmanager
def starting(source: Source, options: ModelOptions) -> Iterator[Callable[[], object]]:
    """Show that a network is starting, which takes seconds: TensorFlow is imported, and the network is built.

    Yields:
        A function to call after each of these two steps.
    """
    if source.computation(options) is None:
        yield lambda: None
        return
    with console.progress("starting the network", 2, "steps") as bar:
        yield bar.advance


def use_device(run: Run, source: Source, options: ModelOptions, device: str, deterministic: bool) -> None:
    """Choose the device before a network is opened; the first line of the run tells it.

    Args:
        run: of the stage.
        source: of the model.
        options: of the model.
        device: one of :data:`~simtool.device.CHOICES`.
        deterministic: see :func:`~simtool.device.open_device`.

    Raises:
        UsageError: the model is no network, or its runtime has no such choice.
        DeviceError: the device cannot be used.
    """
    chosen(CHOICES, "--device", device)
    computation = source.computation(options)
    if computation is None:
        if device != "auto" or deterministic:
            raise UsageError(
                f"--device and --deterministic are for networks; {source.argument} computes on the processor"
            )
        return
    runtime, how = computation
    if runtime != OPENVINO:
        run.computes_on(open_device(device, deterministic, most=1).words(how))
    elif device == "gpu":
        raise UsageError(f"--device gpu is for the runtime tensorflow; {OPENVINO} computes on the processor")
    else:
        run.computes_on(processor(OPENVINO).words(how))
