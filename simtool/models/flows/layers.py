"""The layers of a flow: each layer is a way to turn an image into a vector.

A layer is chosen by its name, with options after a colon: ``posterior:draws=16,shift=0``. Layers of maps have the
options ``pool`` and ``window`` (:mod:`simtool.models.pooling`): ``activations/level-1:pool=mean+std,window=0.5``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.models.errors import ModelError
from simtool.models.flows.activations import HiddenMaps, pooled
from simtool.models.flows.config import FlowConfig
from simtool.models.flows.posterior import moderated, moments, reliability
from simtool.models.flows.view import View
from simtool.models.pooling import Pool, Pooling, stated_options
from simtool.tables.embeddings import Segment

__all__ = ["Layer", "find_layer", "layer_names", "named_layer", "step_names"]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Layer(ABC):
    """A way to turn an image into a vector.

    Attributes:
        name: of the layer.
        options: the fields that can be set after a colon.
        of_classes: whether only flows with a prior for each class have it.
    """

    name: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()
    of_classes: ClassVar[bool] = False

    @classmethod
    def offered(cls, config: FlowConfig) -> dict[str, Self]:
        """The layers of this kind for a flow of this shape, by name."""
        return {} if cls.of_classes and not config.classes else {cls.name: cls()}

    def hidden_maps(self, config: FlowConfig) -> tuple[HiddenMaps, ...]:  # noqa: ARG002 - for layers of activations
        """The hidden activations that :meth:`vectors` needs, so that several layers can share a pass."""
        return ()

    @property
    def listed(self) -> bool:
        """Whether a list of layers names this layer. Else it is one of many whose names differ by a number."""
        return True

    @abstractmethod
    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """The segments of a vector, in order."""

    def shape(self, config: FlowConfig) -> tuple[int, ...]:
        """The shape of one vector before it is flattened."""
        return (sum(segment.length * segment.count for segment in self.segments(config)),)

    @abstractmethod
    def vectors(self, view: View) -> Array:
        """The vectors of the images in view, (b, D)."""

    def with_options(self, text: str) -> Self:
        """Copy the layer with options ``name=value``, separated by commas.

        Raises:
            SimtoolError: there is no such option, it has no such value, or it occurs twice.
        """
        given = stated_options(text)
        for name in given:
            if name not in self.options:
                own = listed(self.options, 9) or "none"
                maps = f"; the layers of maps, such as {Activations.name}, have it" if name in MapLayer.options else ""
                raise ModelError(f"layer {self.name} has no option {name}; it has {own}{maps}")
        return self._with(given)

    def stated(self, options: str) -> str:
        """The options of the layer, as :meth:`with_options` read them, in one form."""
        return options

    def _with(self, options: Mapping[str, str]) -> Self:
        values: dict[str, float] = {}
        for name, value in options.items():
            try:
                values[name] = int(value) if isinstance(getattr(self, name), int) else float(value)
            except ValueError:
                raise ModelError(f"layer {self.name}: {name} is a number, not {value or 'nothing'}") from None
        return replace(self, **values)


@dataclass(frozen=True)
class Latent(Layer):
    """The latents of all scales, standardized by their priors. Each scale is a segment, the deepest first.

    The original study compared the vectors of TensorFlow Probability's Glow. They hold the same numbers in another
    order: by pixel of the deepest scale, and by scale within a pixel. Distances between whole vectors are the same.
    """

    name: ClassVar[str] = "latent"

    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """One for each scale. See :meth:`Layer.segments`."""
        return tuple(_scale(level, config) for level in range(config.levels, 0, -1))

    def vectors(self, view: View) -> Array:
        """See :meth:`Layer.vectors`."""
        return _flat(view.latents[::-1])


@dataclass(frozen=True)
class Posterior(Latent):
    """The mean of the posterior of these latents, given noisy observations (:mod:`simtool.models.flows.posterior`).

    By default the noise is measured, and reliable dimensions weigh more.

    Attributes:
        noise: one variance of the noise for all dimensions, as in the original study; None to measure the noise.
        draws: n, the number of observations of an image.
        shift: the largest shift of an observation in pixels, in each direction.
        brightness: the largest change of brightness, as a share of the range of values.
    """

    noise: float | None = None
    draws: int = 8
    shift: int = 1
    brightness: float = 0.02
    name: ClassVar[str] = "posterior"
    options: ClassVar[tuple[str, ...]] = ("noise", "draws", "shift", "brightness")

    def __post_init__(self) -> None:
        if self.draws < 2 or self.shift < 0 or not 0 <= self.brightness <= 1 or not (self.noise or 0) >= 0:
            raise ModelError(
                "a posterior needs 2 draws or more, a noise and a shift of at least 0, and a brightness from 0 to 1"
            )

    def vectors(self, view: View) -> Array:
        """See :meth:`Layer.vectors`."""
        if self.noise is not None:
            return super().vectors(view) / np.float32(1 + self.noise)
        observed = (view.observation(draw, self.shift, self.brightness) for draw in range(self.draws))
        means, variances = zip(*(moments(scale) for scale in zip(*observed, strict=True)), strict=True)
        estimates = [
            mean * reliability(moderated(variance, self.draws), self.draws)
            for mean, variance in zip(means, variances, strict=True)
        ]
        return _flat(estimates[::-1])


@dataclass(frozen=True)
class MapLayer(Layer):
    """A layer of maps, (h, w, c) each, which a pooling turns into vectors.

    Attributes:
        pooling: of each map.
    """

    pooling: Pooling = field(default=Pooling(), kw_only=True)
    options: ClassVar[tuple[str, ...]] = ("pool", "window")

    def stated(self, options: str) -> str:
        """The pooling, without what is the default. See :meth:`Layer.stated`."""
        del options
        usual = type(self)().pooling.pool
        pool = [] if self.pooling.pool is usual else [f"pool={self.pooling.pool}"]
        return ",".join(pool + ([] if self.pooling.window == 1 else [f"window={self.pooling.window}"]))

    def _with(self, options: Mapping[str, str]) -> Self:
        given = {"pool": self.pooling.pool, **options}
        return replace(self, pooling=Pooling.parse(",".join(f"{name}={value}" for name, value in given.items())))


@dataclass(frozen=True)
class Scale(MapLayer):
    """The standardized latents of one scale, from 1, the finest. Every value is kept, if no other pooling is chosen."""

    level: int = 1
    pooling: Pooling = field(default=Pooling(Pool.FLAT), kw_only=True)
    name: ClassVar[str] = "scale"

    @classmethod
    def offered(cls, config: FlowConfig) -> dict[str, Self]:
        """``scale-1`` to ``scale-L``. See :meth:`Layer.offered`."""
        return {f"{cls.name}-{level}": cls(level) for level in range(1, config.levels + 1)}

    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """One. See :meth:`Layer.segments`."""
        return (Segment(f"scale-{self.level}", math.prod(self.shape(config))),)

    def shape(self, config: FlowConfig) -> tuple[int, ...]:
        """Height, width and channels, if every value is kept. See :meth:`Layer.shape`."""
        return self.pooling.shape(config.scale_shape(self.level), self.name)

    def vectors(self, view: View) -> Array:
        """See :meth:`Layer.vectors`."""
        lengths = view.code_lengths if self.pooling.pool is Pool.SURPRISE else None
        found: Array = pooled(view.latents[self.level - 1], self.pooling, lengths, np)
        return found


@dataclass(frozen=True)
class Pooled(MapLayer):
    """The mean, then the mean square, of each channel of the standardized latents, over all places of its scale.

    Positions in the image make no difference. Each scale is a segment, the deepest first.
    """

    name: ClassVar[str] = "pooled"
    options: ClassVar[tuple[str, ...]] = ("window",)

    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """One for each scale. See :meth:`Layer.segments`."""
        levels = range(config.levels, 0, -1)
        return tuple(Segment(f"scale-{level}", 2 * config.scale_shape(level)[-1]) for level in levels)

    def vectors(self, view: View) -> Array:
        """See :meth:`Layer.vectors`."""
        windows = [z[:, self.pooling.kept(z.shape[1]), self.pooling.kept(z.shape[2])] for z in view.latents[::-1]]
        return _flat([part for z in windows for part in (z.mean((1, 2)), np.square(z).mean((1, 2)))])


@dataclass(frozen=True)
class Activations(MapLayer):
    """Hidden activations of the last coupling network of each level. Each level is a segment, the deepest first."""

    name: ClassVar[str] = "activations"

    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """One for each level. See :meth:`Layer.segments`."""
        return tuple(Segment(f"level-{maps.level}", self._length(maps, config)) for maps in self.hidden_maps(config))

    def hidden_maps(self, config: FlowConfig) -> tuple[HiddenMaps, ...]:
        """See :meth:`Layer.hidden_maps`."""
        last = [(level, config.couplings[level - 1]) for level in range(config.levels, 0, -1)]
        return tuple(HiddenMaps(level, range(step, step + 1), self.pooling) for level, step in last)

    def vectors(self, view: View) -> Array:
        """See :meth:`Layer.vectors`."""
        return _flat(view.activations(self.hidden_maps(view.flow.config)))

    def _length(self, maps: HiddenMaps, config: FlowConfig) -> int:
        return math.prod(self.pooling.shape(config.hidden_shape(maps.level), self.name))


@dataclass(frozen=True)
class StepActivations(Activations):
    """Hidden activations of coupling networks. Each network is a segment, those of the deepest level first.

    Attributes:
        level: from 1, the finest; None for all.
        step: the number of the network in its level, from 1; None for all.
    """

    level: int | None = None
    step: int | None = None

    @classmethod
    def offered(cls, config: FlowConfig) -> dict[str, Self]:
        """``activations/all``, ``activations/level-L``, ``activations/level-L/step-S``. See :meth:`Layer.offered`."""
        levels = {f"{cls.name}/level-{level}": cls(level) for level in range(1, config.levels + 1)}
        steps = {
            f"{name}/step-{step}": cls(layer.level, step)
            for (name, layer), count in zip(levels.items(), config.couplings, strict=True)
            for step in range(1, count + 1)
        }
        return {f"{cls.name}/all": cls(), **levels, **steps}

    @property
    def listed(self) -> bool:
        """Not the layers of single steps. See :attr:`Layer.listed`."""
        return self.step is None

    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """One for each network. See :meth:`Layer.segments`."""
        return tuple(
            Segment(f"level-{maps.level}/step-{step}", self._length(maps, config))
            for maps in self.hidden_maps(config)
            for step in maps.steps
        )

    def shape(self, config: FlowConfig) -> tuple[int, ...]:
        """Height, width and channels of one network, if every value is kept. See :meth:`Layer.shape`."""
        if self.level is None or self.step is None:
            return super().shape(config)
        return self.pooling.shape(config.hidden_shape(self.level), self.name)

    def hidden_maps(self, config: FlowConfig) -> tuple[HiddenMaps, ...]:
        """See :meth:`Layer.hidden_maps`."""
        levels = range(config.levels, 0, -1) if self.level is None else [self.level]
        return tuple(HiddenMaps(level, self._steps(config.couplings[level - 1]), self.pooling) for level in levels)

    def _steps(self, count: int) -> range:
        return range(1, count + 1) if self.step is None else range(self.step, self.step + 1)


@dataclass(frozen=True)
class ClassLatent(Layer):
    """The deepest latents, averaged over pixels, in units of their standard deviation within classes.

    Distances are those of linear discriminant analysis (Fisher, 1936), with the scales that the flow has learned:
    dimensions that tell classes apart weigh more.
    """

    name: ClassVar[str] = "class-latent"
    of_classes: ClassVar[bool] = True

    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """One. See :meth:`Layer.segments`."""
        return (Segment(f"scale-{config.levels}", config.scale_shape(config.levels)[-1]),)

    def vectors(self, view: View) -> Array:
        """See :meth:`Layer.vectors`."""
        mean, deviation = (part.numpy() for part in view.flow.within_classes())
        found: Array = (view.deepest.mean(axis=(1, 2)) - mean) / deviation
        return found


@dataclass(frozen=True)
class ClassPosterior(Layer):
    """The square roots of p(y | z), the probabilities of the classes y given the deepest latents z.

    The Euclidean distance between square roots is proportional to Hellinger's distance, and the cosine is
    Bhattacharyya's coefficient.

    Attributes:
        temperature: divides log-densities; above 1, probabilities are less certain.
    """

    temperature: float = 1.0
    name: ClassVar[str] = "class-posterior"
    of_classes: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ("temperature",)

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ModelError(f"the temperature of a class-posterior is above 0, not {self.temperature:g}")

    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """One. See :meth:`Layer.segments`."""
        return (Segment("classes", config.classes),)

    def vectors(self, view: View) -> Array:
        """See :meth:`Layer.vectors`."""
        logs = view.flow.class_log_probs(view.deepest).numpy().astype(np.float64) / self.temperature
        # The square root of a softmax: exp(l / 2) / sqrt(sum of exp l), after the largest l is subtracted.
        logs -= logs.max(axis=1, keepdims=True)
        found: Array = (np.exp(logs / 2) / np.sqrt(np.exp(logs).sum(axis=1, keepdims=True))).astype(np.float32)
        return found


#: In the order of the list of layers, the default first.
_KINDS: tuple[type[Layer], ...] = (
    Latent,
    Posterior,
    Scale,
    Pooled,
    Activations,
    StepActivations,
    ClassLatent,
    ClassPosterior,
)


def _offered(config: FlowConfig) -> dict[str, Layer]:
    return {name: layer for kind in _KINDS for name, layer in kind.offered(config).items()}


def layer_names(config: FlowConfig) -> tuple[str, ...]:
    """The names of layers, the default first, without the layers of single steps."""
    return tuple(name for name, layer in _offered(config).items() if layer.listed)


def step_names(config: FlowConfig) -> tuple[str, ...]:
    """The names of the layers of single steps."""
    return tuple(name for name, layer in _offered(config).items() if not layer.listed)


def find_layer(text: str | None, config: FlowConfig) -> Layer:
    """Find a layer by its name, with options after a colon; None for the default.

    Raises:
        SimtoolError: there is no such layer, or it has no such option.
    """
    return named_layer(text, config)[1]


def named_layer(text: str | None, config: FlowConfig) -> tuple[str, Layer, str]:
    """The name of a layer, the layer, and its options in one form. See :func:`find_layer`."""
    layers = _offered(config)
    name, _, options = (text or next(iter(layers))).partition(":")
    if name not in layers:
        steps = [_steps(level, count) for level, count in enumerate(config.couplings, 1)]
        raise ModelError(f"this flow has no layer {name}; its layers are {listed([*layer_names(config), *steps], 99)}")
    options = options.replace(":", ",")
    layer = layers[name].with_options(options)
    return name, layer, layer.stated(options)


def _steps(level: int, count: int) -> str:
    first = f"{Activations.name}/level-{level}/step-1"
    return first if count == 1 else f"{first} to step-{count}"


def _scale(level: int, config: FlowConfig) -> Segment:
    return Segment(f"scale-{level}", math.prod(config.scale_shape(level)))


def _flat(arrays: Sequence[Array]) -> Array:
    """Flatten arrays (b, ...) and join them, (b, D)."""
    return np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1)
