"""The presets of train-glow: flows and their training, as data."""

from __future__ import annotations

from dataclasses import dataclass

from simtool.models.flows.config import INITIAL_IMAGES
from simtool.models.flows.glow.config import GlowConfig
from simtool.models.flows.preset import FlowPreset
from simtool.training.settings import Settings

__all__ = ["PRESETS", "Preset"]


@dataclass(frozen=True)
class Preset(FlowPreset):
    """A Glow and its training. See :class:`FlowPreset`.

    Attributes:
        initial_images: number of images for data-dependent initialisation (actnorm).
    """

    flow: GlowConfig
    initial_images: int = INITIAL_IMAGES


_COSINE = Settings(schedule="cosine", clip_norm=1, ema=0.999)

#: ``study``: the flow that the original study trained with TensorFlow Probability. ``openai``: the size of the
#: reference implementation's model of CIFAR-10 (Kingma & Dhariwal, 2018, table 2). ``small``: trains on two cores in
#: hours. ``tiny``: for a first try.
PRESETS: dict[str, Preset] = {
    "study": Preset(
        GlowConfig(size=128, levels=6, steps=48, width=400, variant="study"),
        Settings(
            epochs=250,
            batch_size=16,
            learning_rate=1e-4,
            schedule="cosine-restarts",
            first_period=10,
            period_growth=2,
            # Ten epochs, as in the reference implementation. The study had none; docs/glow.md shows the effect.
            warmup_steps=6640,
            clip_value=10,
            clip_norm=1,
            illustrate_every=10,
        ),
        "study",
        mode="reversible",
        initial_images=400,
    ),
    "openai": Preset(
        GlowConfig(size=32, levels=3, steps=32, width=512),
        Settings(epochs=500, batch_size=64, learning_rate=1e-3, warmup_steps=1000, clip_norm=1, ema=0.999),
        "split",
        initial_images=1024,
    ),
    "small": Preset(
        GlowConfig(size=64, levels=4, steps=8, width=128, bits=5),
        _COSINE.changed(epochs=100, batch_size=32, learning_rate=1e-3, warmup_steps=200, illustrate_every=10),
        "split",
    ),
    "tiny": Preset(
        GlowConfig(size=32, levels=3, steps=4, width=32, bits=5),
        _COSINE.changed(epochs=30, batch_size=16, learning_rate=2e-3, warmup_steps=20, ema=0.98),
        "0.1",
    ),
}
