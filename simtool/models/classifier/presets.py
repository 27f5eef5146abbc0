"""The presets of train-resnet: classifiers and their training, as data."""

from __future__ import annotations

from dataclasses import dataclass

from simtool.models.classifier.config import ClassifierConfig
from simtool.training.settings import Record, Settings

__all__ = ["PRESETS", "Preset"]


@dataclass(frozen=True)
class Preset(Record):
    """A classifier and its training.

    Attributes:
        config: the classifier.
        settings: of the training.
        validation: the training/validation split, an argument of :func:`simtool.training.split.split_images`.
    """

    config: ClassifierConfig
    settings: Settings
    validation: str


_ADAMW = Settings(optimizer="adamw", weight_decay=0.01, schedule="cosine", clip_norm=1.0)

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
        _ADAMW.changed(epochs=30, batch_size=32, learning_rate=3e-4, warmup_steps=200, ema=0.999),
        "split",
    ),
    "tiny": Preset(
        ClassifierConfig("ResNet20", size=48, augmentation="flip", batch_norm_momentum=0.9),
        _ADAMW.changed(epochs=16, batch_size=16, learning_rate=2e-3, warmup_steps=20),
        "0.2",
    ),
}
