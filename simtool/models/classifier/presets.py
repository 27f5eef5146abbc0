"""The presets of train-resnet: classifiers and their training, as data."""

from __future__ import annotations

from dataclasses import dataclass

from simtool.models.classifier.config import ClassifierConfig
from simtool.training.settings import Settings

__all__ = ["PRESETS", "Preset"]


@dataclass(frozen=True)
class Preset:
    """A classifier and its training.

    Attributes:
        config: the classifier.
        settings: of the training.
        validation: the training/validation split, an argument of :func:`simtool.training.split.split_images`.
    """

    config: ClassifierConfig
    settings: Settings
    validation: str


#: ``study``: the training of the original study. ``fine-tune``: from ImageNet weights, which gives the best features.
#: ``tiny``: trains on 200 images in half a minute on two cores.
PRESETS: dict[str, Preset] = {
    "study": Preset(
        ClassifierConfig("ResNet50", "study-resnet", 128, augmentation="study"),
        Settings(epochs=90, batch_size=64, learning_rate=1e-3, schedule="cosine-restarts"),
        "study",
    ),
    "fine-tune": Preset(
        ClassifierConfig(
            "ResNet50", "caffe", 224, pretrained=True, decode_scale=1.15, label_smoothing=0.1, layerwise_lr_decay=0.5
        ),
        Settings(
            epochs=30,
            batch_size=32,
            optimizer="adamw",
            learning_rate=3e-4,
            weight_decay=0.01,
            schedule="cosine",
            warmup_steps=200,
            clip_norm=1.0,
            ema=0.999,
        ),
        "split",
    ),
    "tiny": Preset(
        ClassifierConfig("ResNet20", size=48, augmentation="flip", batch_norm_momentum=0.9),
        Settings(
            epochs=16,
            batch_size=16,
            optimizer="adamw",
            learning_rate=2e-3,
            weight_decay=0.01,
            schedule="cosine",
            warmup_steps=20,
            clip_norm=1.0,
        ),
        "0.2",
    ),
}
