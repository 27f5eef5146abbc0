"""Preprocessing as data: the steps from an image file to the input of a model.

A preprocessing is a sequence of steps, each a frozen dataclass of a few numbers, in the order of their arithmetic.
Every table of embeddings and every model states its preprocessing as JSON, so that two tables can be compared.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from PIL import ImageColor

from simtool.errors import SimtoolError, listed, wrong_usage
from simtool.pillow import WHITE

__all__ = [
    "PREPROCESSINGS",
    "CentralCrop",
    "ColorStep",
    "Divide",
    "DivideChannels",
    "Preprocessing",
    "PreprocessingError",
    "Resize",
    "ReverseChannels",
    "Step",
    "Subtract",
    "chosen_preprocessing",
    "named_preprocessing",
    "readable",
]

_BACKGROUND = "background"
#: The longest side that a resized image may have.
LARGEST_SIDE = 4096


class PreprocessingError(SimtoolError):
    """A preprocessing cannot be read, or cannot be carried out."""


@dataclass(frozen=True)
class CentralCrop:
    """Keep the central ``fraction`` of each side, as ``tf.image.central_crop`` does on a known shape.

    Attributes:
        fraction: above 0, at most 1. Each margin is int((side - side * fraction) / 2) pixels.
    """

    fraction: float

    def __post_init__(self) -> None:
        if not 0 < _number(self.fraction, "crop") <= 1:
            raise PreprocessingError(
                f"the crop keeps a fraction above 0 and at most 1 of each side, not {self.fraction}"
            )

    def __str__(self) -> str:
        return f"central crop {self.fraction:g}"


@dataclass(frozen=True)
class Resize:
    """Resize an image.

    Attributes:
        height: pixels.
        width: pixels.
        aspect: ``stretch`` resizes each side separately. ``crop`` keeps the aspect ratio: the image covers the target,
            and its margins are cut off on both sides.
        antialias: average over the source pixels when the image becomes smaller.
        filter: ``bilinear``, as ``tf.image.resize``, to float32; or ``bicubic``, as ``PIL.Image.resize``, which rounds
            to 8 bits after each side. ``bicubic`` has antialiasing.
        crop_ratio: for ``crop``: the image covers a target that is larger by 1 / ``crop_ratio`` (rounded down), and the
            margins of this target are cut off, too. timm calls it ``crop_pct``.
    """

    height: int
    width: int
    aspect: Literal["stretch", "crop"] = "stretch"
    antialias: bool = False
    filter: Literal["bilinear", "bicubic"] = "bilinear"
    crop_ratio: float = 1.0

    def __post_init__(self) -> None:
        for side in (self.height, self.width):
            if not 1 <= _number(side, "side of a resized image") <= LARGEST_SIDE or side != int(side):
                raise PreprocessingError(f"a side of a resized image has 1 to {LARGEST_SIDE} pixels, not {side}")
        if self.aspect not in ("stretch", "crop"):
            raise PreprocessingError(f"the aspect of a resize is stretch or crop, not {self.aspect}")
        if self.antialias not in (True, False):
            raise PreprocessingError(f"antialias is true or false, not {self.antialias}")
        if self.filter not in ("bilinear", "bicubic"):
            raise PreprocessingError(f"the filter of a resize is bilinear or bicubic, not {self.filter}")
        if self.filter == "bicubic" and not self.antialias:
            raise PreprocessingError("a bicubic resize has antialiasing: set antialias to true")
        longest = LARGEST_SIDE * _number(self.crop_ratio, "crop ratio")
        if not 0 < self.crop_ratio <= 1 or max(self.height, self.width) > longest:
            raise PreprocessingError(
                f"a crop ratio is above 0 and at most 1, and gives a side of at most {LARGEST_SIDE} pixels before the "
                f"crop, not {self.crop_ratio}"
            )
        if self.crop_ratio != 1 and self.aspect != "crop":
            raise PreprocessingError("a resize with a crop ratio has the aspect crop")

    @property
    def covered(self) -> tuple[int, int]:
        """Height and width that the resized image covers before its margins are cut off."""
        return int(self.height / self.crop_ratio), int(self.width / self.crop_ratio)

    def __str__(self) -> str:
        bicubic = "bicubic " if self.filter == "bicubic" else ""
        kept = ", keeping the aspect" if self.aspect == "crop" else ""
        ratio = "" if self.crop_ratio == 1 else f", crop ratio {self.crop_ratio:g}"
        antialias = ", with antialiasing" if self.antialias else ""
        return f"{bicubic}resize to {self.height} x {self.width}{kept}{ratio}{antialias}"


@dataclass(frozen=True)
class ReverseChannels:
    """RGB becomes BGR, as networks that were ported from Caffe expect."""

    def __str__(self) -> str:
        return "RGB to BGR"


@dataclass(frozen=True)
class Divide:
    """Divide every value by ``by``."""

    by: float

    def __post_init__(self) -> None:
        if _number(self.by, "divisor") == 0:
            raise PreprocessingError("a preprocessing cannot divide by 0")

    def __str__(self) -> str:
        return f"divide by {self.by:g}"


@dataclass(frozen=True)
class _PerChannel:
    values: tuple[float, float, float]


@dataclass(frozen=True)
class Subtract(_PerChannel):
    """Subtract one value from each channel; ``values`` are in the order that the channels have at this step."""

    def __post_init__(self) -> None:
        _one_per_channel(self.values, "value to subtract")

    def __str__(self) -> str:
        return f"subtract {_joined(self.values)}"


@dataclass(frozen=True)
class DivideChannels(_PerChannel):
    """Divide each channel by another value, for example by its standard deviation; ``values`` as in `Subtract`."""

    def __post_init__(self) -> None:
        if 0 in _one_per_channel(self.values, "divisor"):
            raise PreprocessingError("a preprocessing cannot divide by 0")

    def __str__(self) -> str:
        return f"divide channels by {_joined(self.values)}"


#: A step that does the same to each pixel.
ColorStep = ReverseChannels | Divide | Subtract | DivideChannels
Step = CentralCrop | Resize | ColorStep

_STEPS: dict[str, type[Step]] = {
    "central-crop": CentralCrop,
    "resize": Resize,
    "reverse-channels": ReverseChannels,
    "divide": Divide,
    "subtract": Subtract,
    "divide-channels": DivideChannels,
}
_NAME_OF = {kind: name for name, kind in _STEPS.items()}
#: Values that a preprocessing states only if it has others.
_UNSTATED: dict[str, object] = {"filter": "bilinear", "crop_ratio": 1.0}


@dataclass(frozen=True)
class Preprocessing:
    """Named steps from an RGB image of bytes to the float32 tensor that a model sees.

    Attributes:
        name: of the preprocessing; it stays when the size or the crop is changed.
        steps: in order; exactly one of them resizes.
        background: the color behind transparent pixels: red, green and blue from 0 to 255.
    """

    name: str
    steps: tuple[Step, ...]
    background: tuple[int, int, int] = WHITE

    def __post_init__(self) -> None:
        if [type(part) for part in self.background] != [int] * 3 or not 0 <= min(self.background) <= max(
            self.background
        ) <= 255:
            raise PreprocessingError(f"a background is three whole numbers from 0 to 255, not {list(self.background)}")
        resizes = sum(isinstance(step, Resize) for step in self.steps)
        if resizes != 1:
            raise PreprocessingError(f"preprocessing {self.name} has {resizes} steps that resize, not one")
        before = self.steps[: [isinstance(step, Resize) for step in self.steps].index(True)]
        if self.resize.filter == "bicubic" and not all(isinstance(step, CentralCrop) for step in before):
            raise PreprocessingError(
                f"preprocessing {self.name} changes colors before a bicubic resize, which takes bytes; resize first"
            )

    @property
    def resize(self) -> Resize:
        """The step that resizes."""
        return next(step for step in self.steps if isinstance(step, Resize))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the result."""
        return self.resize.height, self.resize.width, 3

    @property
    def dimension(self) -> int:
        """The number of values of the result."""
        return math.prod(self.shape)

    @property
    def spatial(self) -> Preprocessing:
        """The crop and the resize alone. They commute with the arithmetic of colors, except for rounding."""
        return replace(self, steps=tuple(step for step in self.steps if isinstance(step, CentralCrop | Resize)))

    @property
    def colors(self) -> tuple[ColorStep, ...]:
        """The other steps, which do the same to each pixel."""
        return tuple(step for step in self.steps if not isinstance(step, CentralCrop | Resize))

    def adjusted(self, size: int | None = None, crop: float | None = None) -> Preprocessing:
        """The same preprocessing with another size, another central crop, or both; None keeps a value.

        ``size`` is the height and width in pixels; ``crop`` is the fraction of each side that the central crop keeps.

        Raises:
            PreprocessingError: a value is out of range.
        """
        steps = self.steps
        if size is not None:
            steps = tuple(
                replace(step, height=size, width=size) if isinstance(step, Resize) else step for step in steps
            )
        if crop is not None:
            steps = (CentralCrop(crop), *(step for step in steps if not isinstance(step, CentralCrop)))
        return replace(self, steps=steps)

    def to_json(self) -> dict[str, Any]:
        """As a JSON object that :meth:`from_json` reads. It states the background unless it is white."""
        return {
            "name": self.name,
            "steps": [{"step": _NAME_OF[type(step)], **_stated(asdict(step))} for step in self.steps],
            **({} if self.background == WHITE else {_BACKGROUND: self.background}),
        }

    def to_text(self) -> str:
        """As one line of JSON, for the metadata of a table."""
        return json.dumps(self.to_json(), separators=(",", ":"))

    def __str__(self) -> str:
        ground = "" if self.background == WHITE else f", background {_joined(self.background)}"
        return f"{self.name}: {', '.join(map(str, self.steps))}{ground}"

    @classmethod
    def from_json(cls, content: object) -> Preprocessing:
        """Read a preprocessing, which another program or version may have written.

        Raises:
            PreprocessingError: it is not a preprocessing, or has an unknown step.
        """
        if not isinstance(content, Mapping) or not isinstance(content.get("steps"), list):
            raise PreprocessingError("the preprocessing should be an object with a name and a list of steps")
        background = content.get(_BACKGROUND, WHITE)
        if not isinstance(background, list | tuple):
            raise PreprocessingError(f"a background is three whole numbers from 0 to 255, not {background}")
        steps = tuple(_step_from_json(entry) for entry in content["steps"])
        return cls(str(content.get("name", "unnamed")), steps, tuple(background))


def readable(text: str) -> str:
    """A preprocessing, from :meth:`Preprocessing.to_text`, in words; the text itself if this version cannot read it."""
    try:
        return str(Preprocessing.from_json(json.loads(text)))
    except (ValueError, RecursionError, PreprocessingError):
        return text


def _stated(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in _UNSTATED or value != _UNSTATED[name]}


def _step_from_json(entry: object) -> Step:
    if not isinstance(entry, Mapping) or str(entry.get("step")) not in _STEPS:
        found = entry.get("step") if isinstance(entry, Mapping) else entry
        raise PreprocessingError(f"the preprocessing has an unknown step {found}; known are {listed(_STEPS, 9)}")
    kind: Callable[..., Step] = _STEPS[str(entry["step"])]
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
    del values["step"]
    if unknown := values.keys() - {field.name for field in fields(_STEPS[str(entry["step"])])}:
        raise PreprocessingError(f"the preprocessing step {entry['step']} has no {listed(sorted(unknown))}")
    try:
        return kind(**values)
    except TypeError as failure:
        raise PreprocessingError(f"the preprocessing step {entry['step']} lacks a value") from failure


def _joined(values: tuple[float, ...]) -> str:
    """The values of three channels, or one of them if all are equal."""
    return f"{values[0]:g}" if len(set(values)) == 1 else " ".join(f"{value:g}" for value in values)


def _one_per_channel(values: tuple[object, ...], what: str) -> list[float]:
    if len(values) != 3:
        raise PreprocessingError(f"there are 3 channels, each with a {what}, not {len(values)}")
    return [_number(value, what) for value in values]


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) == float("inf"):
        raise PreprocessingError(f"the {what} is a finite number, not {value}")
    try:
        return float(value)
    except OverflowError as failure:
        raise PreprocessingError(f"the {what} is a number of {len(str(value))} digits, too large") from failure


_SQUARE = Resize(224, 224, aspect="crop", antialias=True)
_CAFFE = (ReverseChannels(), Subtract((103.939, 116.779, 123.68)))
_TORCH = (Divide(255.0), Subtract((0.485, 0.456, 0.406)), DivideChannels((0.229, 0.224, 0.225)))

#: The preprocessings that have a name. ``study`` is the preprocessing of the original study for pixels, PCA and Glow;
#: ``study-resnet`` is its preprocessing for ResNet50. ``antialiased`` is ``study`` with antialiasing. ``square``
#: keeps the aspect ratio, which ``study`` changes.
#: The networks of ``keras.applications`` were trained with the others, for images of any shape: ``caffe`` (ResNet,
#: VGG), ``symmetric`` (ResNetV2, Inception, MobileNet, Xception, NASNet: from -1 to 1), ``torch`` (DenseNet) and
#: ``bytes`` (EfficientNet, ConvNeXt and MobileNetV3, which scale colors themselves). ``unit`` is for networks with
#: colors from 0 to 1.
PREPROCESSINGS: dict[str, Preprocessing] = {
    preprocessing.name: preprocessing
    for preprocessing in (
        Preprocessing("study", (CentralCrop(0.8), Resize(128, 128), Divide(255.0), Subtract((0.5, 0.5, 0.5)))),
        Preprocessing(
            "antialiased",
            (CentralCrop(0.8), Resize(128, 128, antialias=True), Divide(255.0), Subtract((0.5, 0.5, 0.5))),
        ),
        Preprocessing("study-resnet", (*_CAFFE, Divide(255.0), Resize(128, 128))),
        Preprocessing(
            "square", (Resize(128, 128, aspect="crop", antialias=True), Divide(255.0), Subtract((0.5, 0.5, 0.5)))
        ),
        Preprocessing("caffe", (_SQUARE, *_CAFFE)),
        Preprocessing("symmetric", (_SQUARE, Divide(127.5), Subtract((1.0, 1.0, 1.0)))),
        Preprocessing("torch", (_SQUARE, *_TORCH)),
        Preprocessing("unit", (_SQUARE, Divide(255.0))),
        Preprocessing("bytes", (_SQUARE,)),
    )
}


def named_preprocessing(name: str) -> Preprocessing:
    """The preprocessing of a name.

    ``study:background=black`` is ``study`` with another color behind transparent pixels.

    Args:
        name: of the preprocessing; optionally followed by a background, as a color name of CSS or as ``#rrggbb``.

    Raises:
        PreprocessingError: there is no such preprocessing or color.
    """
    base, _, option = name.partition(":")
    if base not in PREPROCESSINGS:
        raise PreprocessingError(f"no preprocessing is called {base}; choose from {listed(PREPROCESSINGS, 9)}")
    if not option:
        return PREPROCESSINGS[base]
    key, _, color = option.partition("=")
    if key != _BACKGROUND:
        raise PreprocessingError(
            f"a preprocessing has the option {_BACKGROUND}, as in {base}:{_BACKGROUND}=black, not {option}"
        )
    background = _color(color)
    return (
        PREPROCESSINGS[base] if background == WHITE else replace(PREPROCESSINGS[base], name=name, background=background)
    )


def chosen_preprocessing(
    chosen: str | Preprocessing, size: int | None = None, crop: float | None = None
) -> Preprocessing:
    """A preprocessing with another size and crop (:meth:`Preprocessing.adjusted`).

    Args:
        chosen: the preprocessing, its name, or the ``.json`` file that holds it.
        size: height and width in pixels; None keeps those of the preprocessing.
        crop: the fraction of each side that the central crop keeps; None keeps that of the preprocessing.

    Raises:
        PreprocessingError: no preprocessing has that name, the file does not hold one, or a value is out of range.
    """
    if isinstance(chosen, str) and chosen.endswith(".json"):
        chosen = _from_file(Path(chosen))
    with wrong_usage():
        return (named_preprocessing(chosen) if isinstance(chosen, str) else chosen).adjusted(size, crop)


def _from_file(path: Path) -> Preprocessing:
    """The preprocessing in a file of JSON, named after the file unless it has a name."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as failure:
        raise PreprocessingError(f"{path}: {failure.strerror}") from failure
    except (ValueError, RecursionError) as failure:
        raise PreprocessingError(f"{path}: the file is not JSON") from failure
    try:
        return Preprocessing.from_json({"name": path.stem, **content} if isinstance(content, Mapping) else content)
    except PreprocessingError as failure:
        raise PreprocessingError(f"{path}: {failure}") from failure


def _color(text: str) -> tuple[int, int, int]:
    try:
        found: tuple[int, ...] = ImageColor.getrgb(text)
    except ValueError:
        found = ()
    if len(found) != 3:
        raise PreprocessingError(f"a background is a color such as black, gray or #808080, not {text}")
    return found[0], found[1], found[2]
