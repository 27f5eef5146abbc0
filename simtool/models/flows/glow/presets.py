"""Flows that have a name, and how each is trained, as data."""

from __future__ import annotations

from dataclasses import dataclass

from simtool.models.flows.glow.config import FlowConfig, Mode
from simtool.training.settings import Settings

__all__ = ["FLOWS", "PRESETS", "Preset"]

#: ``study``: what the original study trained with TensorFlow Probability. ``openai``: the reference implementation's
#: size of model for CIFAR-10 (Kingma & Dhariwal, 2018, table 2). ``small``: what two cores can train in hours.
#: ``tiny``: for trying the stages out.
FLOWS: dict[str, FlowConfig] = {
    "study": FlowConfig(size=128, levels=6, steps=48, width=400, arrangement="study"),
    "openai": FlowConfig(size=32, levels=3, steps=32, width=512),
    "small": FlowConfig(size=64, levels=4, steps=8, width=128, bits=5),
    "tiny": FlowConfig(size=32, levels=3, steps=4, width=32, bits=5),
}


@dataclass(frozen=True)
class Preset:
    """What to train, how, and on which images.

    Attributes:
        flow: its shape.
        settings: of the training.
        validation: which images are held out, as :func:`simtool.training.split.split_images` understands it.
        mode: of backpropagation.
        initial_images: that set actnorm before the first step.
        recipe: the name of the preprocessing.
        flips: whether half of the photographs are mirrored.
    """

    flow: FlowConfig
    settings: Settings
    validation: str
    mode: Mode = "plain"
    initial_images: int = 256
    recipe: str = "study"
    flips: bool = True


PRESETS: dict[str, Preset] = {
    "study": Preset(
        FLOWS["study"],
        Settings(
            epochs=250,
            batch_size=16,
            learning_rate=1e-4,
            schedule="cosine-restarts",
            first_period=10,
            period_growth=2,
            # The study had none; see docs/glow.md for what becomes of its recipe. Ten epochs, as in the reference.
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
        FLOWS["openai"],
        Settings(epochs=500, batch_size=64, learning_rate=1e-3, warmup_steps=1000, clip_norm=1, ema=0.999),
        "split",
        initial_images=1024,
    ),
    "small": Preset(
        FLOWS["small"],
        Settings(
            epochs=100,
            batch_size=32,
            learning_rate=1e-3,
            schedule="cosine",
            warmup_steps=200,
            clip_norm=1,
            ema=0.999,
            illustrate_every=10,
        ),
        "split",
    ),
    "tiny": Preset(
        FLOWS["tiny"],
        Settings(
            epochs=30, batch_size=16, learning_rate=2e-3, schedule="cosine", warmup_steps=20, clip_norm=1, ema=0.98
        ),
        "0.1",
    ),
}
