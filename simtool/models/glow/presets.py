"""Flows that have a name, as data."""

from __future__ import annotations

from simtool.models.glow.config import FlowConfig

__all__ = ["FLOWS"]

#: ``study``: what the original study trained with TensorFlow Probability. ``openai``: the reference implementation's
#: model of CIFAR-10 (Kingma & Dhariwal, 2018, table 2). ``small``: hours on a processor, minutes on a GPU.
#: ``tiny``: half a minute on two cores, for trying the stages out.
FLOWS: dict[str, FlowConfig] = {
    "study": FlowConfig(size=128, levels=6, steps=48, width=400, arrangement="study"),
    "openai": FlowConfig(size=32, levels=3, steps=32, width=512),
    "small": FlowConfig(size=64, levels=4, steps=8, width=128, bits=5),
    "tiny": FlowConfig(size=32, levels=3, steps=4, width=32, bits=5),
}
