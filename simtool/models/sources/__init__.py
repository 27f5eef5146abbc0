"""The sources of models: every kind of argument that ``--model`` takes.

A further source is one module with a subclass of :class:`Source`, and one entry in :data:`SOURCES`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simtool.errors import UsageError
from simtool.models.sources.application import ApplicationSource
from simtool.models.sources.baselines import ColorSource, GaborSource, HistogramSource
from simtool.models.sources.folder import FolderSource
from simtool.models.sources.keras_file import KerasFileSource
from simtool.models.sources.onnx_file import OnnxFileSource
from simtool.models.sources.pixels import PixelsSource
from simtool.models.sources.saved_model import SavedModelSource
from simtool.models.sources.source import ModelOptions, OpenModel, Source, option_of

if TYPE_CHECKING:
    from simtool.models.interface import Model

__all__ = ["SOURCES", "ModelOptions", "Source", "labels", "option_help", "source_of", "usages"]

#: Sources in the order of the help.
SOURCES: tuple[type[Source], ...] = (
    PixelsSource,
    ColorSource,
    HistogramSource,
    GaborSource,
    FolderSource,
    ApplicationSource,
    KerasFileSource,
    OnnxFileSource,
    SavedModelSource,
)


def usages() -> str:
    """How the help writes what ``--model`` takes: ``pixels|FOLDER|keras:NAME|FILE.keras``."""
    return "|".join(source.usage for source in SOURCES)


def labels() -> str:
    """The sources in words: ``pixels, a model folder or a .keras file``."""
    return _either([source.label for source in SOURCES])


def _either(labels: list[str]) -> str:
    *first, last = labels
    return f"{', '.join(first)} or {last}" if first else last


def option_help(name: str) -> str:
    """The help of an option of models: for the sources that take it, what it means there."""
    takers: dict[str, list[str]] = {}
    for source in SOURCES:
        if name in source.options:
            takers.setdefault(source.options[name], []).append(source.label)
    return f"For {'; for '.join(f'{_either(labels)}: {text}' for text, labels in takers.items())}."


def source_of(model: str | Path | Model, options: ModelOptions) -> Source:
    """The source of a model: told by its name, else by the content of the file. A ``Path`` is never a name.

    Raises:
        ModelError: no source takes the argument; the message says what the file is.
        ModelError: or the package of the runtime is not installed.
        UsageError: an option does not apply to the source, or there is no such precision, runtime or pooling.
    """
    source = _recognised(model) if isinstance(model, str | Path) else OpenModel(model)
    for name in options.given():
        if name not in source.options:
            takers = [one.label for one in SOURCES if name in one.options]
            raise UsageError(f"{option_of(name)} is for {_either(takers)}; {source.limits}")
    options.check_control()
    options.check_execution()
    source.check_pooling(options)
    return source


def _recognised(argument: str | Path) -> Source:
    from simtool.kinds import Expected, KindError, explain, kind_of
    from simtool.models.errors import ModelError
    from simtool.models.folder import check_trained

    if isinstance(argument, str) and (named := next((one for one in SOURCES if one.is_named(argument)), None)):
        return named(argument)
    path = Path(argument)
    check_trained(path)
    try:
        kind = kind_of(path)
    except KindError as failure:
        raise ModelError(
            f"{failure}; --model takes {labels()} (keras:NAME is a network of keras.applications)"
        ) from failure
    source = next((one for one in SOURCES if one.reads(kind.what)), None)
    if kind.damage or source is None:
        raise ModelError(explain(path, Expected.MODEL))
    return source(str(argument))
