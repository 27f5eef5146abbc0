"""The networks that can be trained: those of ``keras.applications``, and a small network."""

from __future__ import annotations

from dataclasses import dataclass

from simtool.errors import listed
from simtool.models.errors import ModelError

__all__ = ["APPLICATIONS", "ARCHITECTURES", "SMALL", "Architecture", "named_architecture"]


@dataclass(frozen=True)
class Architecture:
    """A network, and the preprocessing of its published weights.

    Attributes:
        name: of the function in ``keras.applications``; or ResNet20.
        recipe: the name of the preprocessing that its ImageNet weights were trained with.
        least: the smallest height and width in pixels.
        size: height and width in pixels of the images that its ImageNet weights were trained with.
    """

    name: str
    recipe: str
    least: int = 32
    size: int = 224

    @property
    def scaled(self) -> bool:
        """Whether Keras scales colors once more in the network with ImageNet weights than in the network without."""
        return self.name.startswith("EfficientNetB")


#: The network that is not in ``keras.applications``.
SMALL = "ResNet20"

#: The sizes other than 224.
_SIZES: dict[str, int] = {
    **dict.fromkeys(("InceptionV3", "InceptionResNetV2", "Xception"), 299),
    "NASNetLarge": 331,
    **{f"EfficientNetB{place}": size for place, size in enumerate((224, 240, 260, 300, 380, 456, 528, 600))},
    "EfficientNetV2B1": 240,
    "EfficientNetV2B2": 260,
    "EfficientNetV2B3": 300,
    "EfficientNetV2S": 384,
    "EfficientNetV2M": 480,
    "EfficientNetV2L": 480,
}
_FAMILIES: dict[tuple[str, int], tuple[str, ...]] = {
    ("caffe", 32): ("ResNet50", "ResNet101", "ResNet152", "VGG16", "VGG19"),
    ("symmetric", 8): (SMALL,),
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
    name: Architecture(name, recipe, least, _SIZES.get(name, 224))
    for (recipe, least), names in _FAMILIES.items()
    for name in names
}
#: The networks of ``keras.applications``.
APPLICATIONS: dict[str, Architecture] = {name: one for name, one in ARCHITECTURES.items() if name != SMALL}


def named_architecture(name: str) -> Architecture:
    """The architecture with a name, in upper or lower case."""
    for known, architecture in ARCHITECTURES.items():
        if known.lower() == name.lower():
            return architecture
    raise ModelError(f"no architecture is called {name}; choose from {listed(sorted(ARCHITECTURES), 99)}")
