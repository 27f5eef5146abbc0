"""The presets of train-jet: flows and their training, as data."""

from __future__ import annotations

from dataclasses import dataclass

from simtool.models.flows.jet.config import JetConfig
from simtool.models.flows.preset import FlowPreset
from simtool.training.settings import Settings

__all__ = ["PRESETS", "Preset"]


@dataclass(frozen=True)
class Preset(FlowPreset):
    """A Jet and its training. See :class:`FlowPreset`."""

    flow: JetConfig


_COSINE = Settings(schedule="cosine", clip_norm=1, ema=0.999)

#: ``imagenet64``: the reference implementation's smaller model of ImageNet at 64 x 64 pixels. ``small``: trains on two
#: cores in hours. ``tiny``: for a first try.
PRESETS: dict[str, Preset] = {
    "imagenet64": Preset(
        JetConfig(size=64, steps=32, patch=4, width=512, depth=2, heads=8),
        Settings(
            epochs=200,
            batch_size=1024,
            optimizer="adamw",
            learning_rate=3e-4,
            beta_2=0.95,
            weight_decay=1e-5,
            schedule="cosine",
            warmup_steps=25_000,
            clip_norm=1,
        ),
        "split",
        mode="reversible",
    ),
    "small": Preset(
        JetConfig(size=32, steps=18, patch=4, width=80, depth=1, heads=4, bits=5),
        _COSINE.changed(epochs=100, batch_size=32, learning_rate=1e-3, warmup_steps=500, illustrate_every=10),
        "split",
    ),
    "tiny": Preset(
        JetConfig(size=32, steps=6, patch=4, width=32, depth=1, heads=2, spatial_every=3, bits=5),
        _COSINE.changed(epochs=30, batch_size=16, learning_rate=2e-3, warmup_steps=50, ema=0.98),
        "0.1",
    ),
}
