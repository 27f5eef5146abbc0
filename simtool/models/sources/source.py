"""The interface of a model source, and the options that a source can take."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from simtool.errors import UsageError, listed

if TYPE_CHECKING:
    from simtool.images.given import GivenImages
    from simtool.images.preprocessing import Preprocessing
    from simtool.kinds import What
    from simtool.models.interface import Model
    from simtool.models.pooling import Pooling

__all__ = [
    "POOL",
    "PRECISION",
    "RUNTIME",
    "SEED",
    "SIZE",
    "UNTRAINED",
    "WINDOW",
    "XLA",
    "Formula",
    "ModelOptions",
    "NetworkFile",
    "OpenModel",
    "Source",
    "option_of",
]

#: Seeds of initial weights are those of trainings: from 0 to this number, without it.
_SEEDS = 2**31
#: The help of options that mean the same for several sources.
SIZE = "height and width, if the network takes any [the preprocessing's]"
PRECISION = (
    "float32, or bfloat16 for a network. bfloat16 is about twice as fast on processors that support it, and rounds "
    "the inputs of products to 2 or 3 digits; a note tells how far the vectors move [float32]"
)
RUNTIME = (
    "tensorflow, or openvino for a network. openvino is faster, and its vectors are nearly the same; install it with "
    "pip install openvino [tensorflow]"
)
XLA = "compile the network with XLA [--no-xla]"
UNTRAINED = "the same architecture with its initial weights, as at the start of a training"
SEED = "the seed of the initial weights, with --untrained [0]"
POOL = (
    "what is kept of each channel of a map: mean, mean+std (the mean and the standard deviation over its places), max, "
    "flat (every value), or for a flow surprise (mean+std, where places with a long code weigh more) [mean]"
)
WINDOW = "the central part of each side of a map that is used, above 0, at most 1 [1, the whole map]"


@dataclass(frozen=True)
class ModelOptions:
    """Options of ``embed`` that concern the model. A value that equals the default counts as not given.

    Attributes:
        preprocessing: a preprocessing, or its name; ``--recipe`` on the command line.
        size: height and width in pixels.
        crop: the fraction of each side that the central crop keeps.
        trust_code: run code that the file of the model holds.
        layer: the layers to take, one for each table.
        pool: how maps of activations become vectors (:class:`~simtool.models.pooling.Pool`).
        window: the central part of each side of a map that is used.
        noise: the variance that Glow's posterior assumes for all dimensions.
        components: how many components to keep.
        precision: of the arithmetic of a network.
        runtime: that computes a network.
        xla: compile a network with XLA.
        weights: a file of weights for a network that is built by its name.
        signature: the name of a function of a SavedModel.
        untrained: take the architecture with initial weights, as a control.
        seed: of the initial weights.
    """

    preprocessing: str | Preprocessing | None = None
    size: int | None = None
    crop: float | None = None
    trust_code: bool = False
    layer: Sequence[str] = ()
    pool: str | None = None
    window: float | None = None
    noise: float | None = None
    components: int | None = None
    precision: str | None = None
    runtime: str | None = None
    xla: bool = False
    weights: Path | None = None
    signature: str | None = None
    untrained: bool = False
    seed: int | None = None

    def given(self) -> list[str]:
        """The names of the options that are given."""
        return [field.name for field in fields(self) if getattr(self, field.name) not in (field.default, [])]

    def pooling(self) -> Pooling | None:
        """The pooling of layers that state none; None if the options do not concern it.

        Raises:
            UsageError: there is no such pooling or window.
        """
        from simtool.models.pooling import Pooling

        return None if self.pool is None and self.window is None else Pooling.of(self.pool, self.window)

    def check_control(self) -> None:
        """Check the options of an untrained control.

        Raises:
            UsageError: they do not fit together.
        """
        if self.seed is not None and not self.untrained:
            raise UsageError("--seed is the seed of initial weights; use it with --untrained")
        if not 0 <= (self.seed or 0) < _SEEDS:
            raise UsageError(f"--seed is from 0 to {_SEEDS - 1:,}, not {self.seed}")
        if self.untrained and self.weights is not None:
            raise UsageError("--weights gives a network its weights, and --untrained its initial ones: use one of them")

    def check_execution(self) -> None:
        """Check precision and runtime before a model is read, which can take long.

        Raises:
            UsageError: there is no such precision or runtime.
            ModelError: the package of the runtime is not installed.
        """
        from simtool.models.runtimes import FLOAT32, OPENVINO, TENSORFLOW, Execution

        if Execution(self.runtime or TENSORFLOW, self.precision or FLOAT32, self.xla).runtime == OPENVINO:
            from simtool.models.runtimes.openvino import require_openvino

            require_openvino()

    def applied(self, model: Model) -> Model:
        """The model with its precision, runtime and components as asked for.

        Raises:
            UsageError: the model has no such choice.
            ModelError: it has fewer components.
        """
        from simtool.models.runtimes import Execution

        if self.precision or self.runtime:
            usual = model.execution or Execution()
            model = model.executed(Execution(self.runtime or usual.runtime, self.precision or usual.precision))
        if self.xla:
            model = model.with_xla()
        return model if self.components is None else model.cut(self.components)

    def recipe(self, label: str) -> Preprocessing:
        """The preprocessing of a network whose file does not state it; ``label`` names the file.

        Raises:
            UsageError: it is not given.
        """
        from simtool.images.preprocessing import chosen_preprocessing

        if self.preprocessing is None:
            raise UsageError(
                f"{label} does not say which preprocessing it needs: name it with --recipe, such as torch for most "
                "networks from PyTorch"
            )
        return chosen_preprocessing(self.preprocessing, None, self.crop)


def option_of(name: str) -> str:
    """How the command line spells an option: ``trust_code`` becomes ``--trust-code``."""
    return "--recipe" if name == "preprocessing" else f"--{name.replace('_', '-')}"


class Source(ABC):
    """A way to name a model. An instance stands for one ``--model`` argument.

    A source is described by class attributes, so that the help of ``embed`` needs no model, no numpy and no TensorFlow.

    Attributes:
        usage: how the help writes the argument: ``pixels``, ``FOLDER``.
        label: what messages call such a model: ``a model folder``.
        options: the names of :class:`ModelOptions` that apply, each with its help.
        limits: one clause for the message about an option that does not apply.
        kind: the name of the :class:`~simtool.kinds.What` of the files that it reads; empty if it reads no file.

    Args:
        argument: what ``--model`` was given.
    """

    usage: ClassVar[str]
    label: ClassVar[str]
    options: ClassVar[Mapping[str, str]]
    limits: ClassVar[str]
    kind: ClassVar[str] = ""

    def __init__(self, argument: str) -> None:
        self.argument = argument

    @classmethod
    def is_named(cls, argument: str) -> bool:  # noqa: ARG003 - for sources that are recognised by content
        """Whether the argument is a name of this source. A name goes before a file."""
        return False

    @classmethod
    def reads(cls, what: What) -> bool:
        """Whether a file or folder of this kind is a model of this source."""
        return what.name == cls.kind

    @property
    def path(self) -> Path | None:
        """The file or folder that the model is read from, which no output may replace; None without a file."""
        return Path(self.argument) if self.kind else None

    @property
    def inputs(self) -> list[Path]:
        """The files that identify the model in the provenance of a table."""
        return [] if self.path is None else [self.path]

    @property
    def is_flow(self) -> bool:
        """Whether the model is a flow, before it is opened.

        Raises:
            ModelError: the model cannot be read.
        """
        return False

    @abstractmethod
    def open(self, options: ModelOptions) -> Model:
        """The model as the options ask for it.

        Raises:
            UsageError: an option is missing.
            ModelError: the model cannot be read, or does not fit the options.
        """

    def computation(self, options: ModelOptions) -> tuple[str, str] | None:
        """The runtime of a network, and how it computes, before it is opened; None for a model that is no network.

        A source of networks takes the option ``precision``.

        Raises:
            ModelError: the model cannot be read.
        """
        from simtool.models.runtimes import FLOAT32, TENSORFLOW

        is_network = "precision" in self.options
        if not is_network:
            return None
        return options.runtime or TENSORFLOW, (options.precision or FLOAT32) + (", XLA" if options.xla else "")

    def control(self, options: ModelOptions, images: GivenImages) -> Model:
        """The untrained control of the model, as the options ask for it. See :meth:`Model.initial`.

        Raises:
            UsageError: the initial weights are not known.
            ModelError: the model cannot be read, or does not fit the options.
        """
        return options.applied(self.open(ModelOptions()).initial(options.seed or 0, images))

    def inspected(self, options: ModelOptions) -> Model:
        """The model for a look at its layers, which needs no preprocessing.

        Raises:
            ModelError: the model cannot be read, or does not fit the options.
        """
        return self.open(options)

    def check_pooling(self, options: ModelOptions) -> None:
        """Check the poolings that the options and their layers state, before the model is opened, which can take long.

        Raises:
            UsageError: there is no such pooling or window, or the model has no such pooling.
            ModelError: the model cannot be read.
        """
        from simtool.models.pooling import Pool, refuse_surprise, split_layer

        stated = [split_layer(layer)[1] for layer in options.layer]
        if pooling := options.pooling():
            stated.append(pooling)
            if options.layer:
                _without_pooling(options.layer)
        if any(one.pool is Pool.SURPRISE for one in stated) and not self.is_flow:
            refuse_surprise(self.argument)

    def layers(self, options: ModelOptions, model: Model) -> list[str]:
        """The layers that the options ask for, as :meth:`Model.embed` takes them; empty for the default layer.

        Layers that state no pooling get that of the options. A source without layers uses the window itself.

        Raises:
            UsageError: options do not fit together, or the model has no layers.
            ModelError: the model has no default layer.
        """
        if options.pooling() is None or "layer" not in self.options:
            return list(options.layer)
        layers = list(options.layer) or [_default_layer(model)]
        plain = _without_pooling(layers)
        # As given: the default of a layer need not be the mean.
        given = {"pool": options.pool, "window": options.window}
        stated = ",".join(f"{name}={value}" for name, value in given.items() if value is not None)
        return [f"{layer}:{stated}" if layer in plain else layer for layer in layers]


def _without_pooling(layers: Sequence[str]) -> list[str]:
    """The layers that state no pooling, at least one."""
    from simtool.models.pooling import split_layer

    plain = [layer for layer in layers if split_layer(layer)[0] == layer]
    if not plain:
        raise UsageError(f"--layer {listed(layers)} states its pooling already; leave out --pool and --window")
    return plain


def _default_layer(model: Model) -> str:
    output = model.output()
    if output.layer is None:
        raise UsageError(f"--pool and --window are for layers of networks; {output.name} has no layers")
    return output.layer


class Formula(Source):
    """A model that needs no file. A model folder of the same name is ``./NAME``."""

    @classmethod
    def is_named(cls, argument: str) -> bool:
        """See :meth:`Source.is_named`."""
        return argument == cls.usage


class NetworkFile(Source):
    """A network from elsewhere, whose file does not state its preprocessing."""

    def inspected(self, options: ModelOptions) -> Model:
        """See :meth:`Source.inspected`. The shapes of layers depend on the size of the images only."""
        return self.open(replace(options, preprocessing=options.preprocessing or "bytes"))


class OpenModel(Source):
    """A model object. It is not in the table of sources, since no argument names it."""

    usage = label = "a model"
    options: ClassVar[Mapping[str, str]] = {
        "layer": "one of its layers [the first]",
        "pool": POOL,
        "window": WINDOW,
        "components": "keep only the first components [all]",
        "precision": PRECISION,
        "runtime": RUNTIME,
        "untrained": UNTRAINED,
        "seed": SEED,
    }
    limits = "a model object has its preprocessing already"

    def __init__(self, model: Model) -> None:
        super().__init__(model.output().name)
        self._model = model

    @property
    def is_flow(self) -> bool:
        """See :attr:`Source.is_flow`."""
        from simtool.models.flows.model import FlowModel

        return isinstance(self._model, FlowModel)

    def open(self, options: ModelOptions) -> Model:
        """See :meth:`Source.open`."""
        return options.applied(self._model)

    def computation(self, options: ModelOptions) -> tuple[str, str] | None:
        """See :meth:`Source.computation`."""
        from simtool.models.flows.model import FlowModel
        from simtool.models.runtimes import FLOAT32, TENSORFLOW

        if isinstance(self._model, FlowModel):
            return TENSORFLOW, self._model.flow.config.to_json().get("compute_dtype", FLOAT32)
        if (usual := self._model.execution) is None:
            return None
        return options.runtime or usual.runtime, options.precision or usual.precision
