"""Trainings of a classifier that have a name, as data."""

from __future__ import annotations

from dataclasses import dataclass

from simtool.models.classifier.config import ClassifierConfig
from simtool.training.settings import Settings

__all__ = ["PRESETS", "Preset"]


@dataclass(frozen=True)
class Preset:
    """What to train, how, and on which images.

    Attributes:
        config: the classifier.
        settings: of the training.
        validation: which images are held out, as :func:`simtool.training.split.split_images` understands it.
    """

    config: ClassifierConfig
    settings: Settings
    validation: str


#: ``study``: the original study's. ``fine-tune``: from ImageNet's weights, which is what gives the best features.
#: ``tiny``: half a minute on two cores for two hundred photographs.
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
