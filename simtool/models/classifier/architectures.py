"""The networks that can be trained: those of ``keras.applications``, and a small network."""

from __future__ import annotations

from dataclasses import dataclass

from simtool.errors import listed
from simtool.models.errors import ModelError

__all__ = ["ARCHITECTURES", "Architecture", "named_architecture"]


@dataclass(frozen=True)
class Architecture:
    """A network, and the preprocessing of its published weights.

    Attributes:
        name: of the function in ``keras.applications``; or ResNet20.
        recipe: the name of the preprocessing that its ImageNet weights were trained with.
        least: the smallest height and width in pixels.
    """

    name: str
    recipe: str
    least: int = 32

    @property
    def scaled(self) -> bool:
        """Whether Keras scales colors once more in the network with ImageNet weights than in the network without."""
        return self.name.startswith("EfficientNetB")


_FAMILIES: dict[tuple[str, int], tuple[str, ...]] = {
    ("caffe", 32): ("ResNet50", "ResNet101", "ResNet152", "VGG16", "VGG19"),
    ("symmetric", 8): ("ResNet20",),
    ("symmetric", 32): (
        *("ResNet50V2", "ResNet101V2", "ResNet152V2", "MobileNet", "MobileNetV2", "NASNetMobile", "NASNetLarge"),
    ),
    ("symmetric", 71): ("Xception",),
    ("symmetric", 75): ("InceptionV3", "InceptionResNetV2"),
    ("torch", 32): ("DenseNet121", "DenseNet169", "DenseNet201"),
    ("bytes", 32): (
        *(f"EfficientNetB{size}" for size in range(8)),
        *(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
        *(f"ConvNeXt{size}" for size in ("Tiny", "Small", "Base", "Large", "XLarge")),
        *("MobileNetV3Small", "MobileNetV3Large"),
    ),
}

#: All networks by name.
ARCHITECTURES: dict[str, Architecture] = {
    name: Architecture(name, recipe, least) for (recipe, least), names in _FAMILIES.items() for name in names
}


def named_architecture(name: str) -> Architecture:
    """The architecture with a name, in upper or lower case."""
    for known, architecture in ARCHITECTURES.items():
        if known.lower() == name.lower():
            return architecture
    raise ModelError(f"no architecture is called {name}; choose from {listed(sorted(ARCHITECTURES), 99)}")
