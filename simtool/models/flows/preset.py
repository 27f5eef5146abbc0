"""The part of a preset that every kind of flow has."""

from __future__ import annotations

from dataclasses import dataclass

from simtool.models.flows.config import FlowConfig, Mode
from simtool.training.settings import Record, Settings

__all__ = ["FlowPreset"]


@dataclass(frozen=True)
class FlowPreset(Record):
    """A flow and its training.

    Attributes:
        flow: the shape of the flow.
        settings: of the training.
        validation: the training/validation split, an argument of :func:`simtool.training.split.split_images`.
        mode: of backpropagation.
        recipe: the name of the preprocessing.
        flips: whether half of the images are mirrored.
    """

    flow: FlowConfig
    settings: Settings
    validation: str
    mode: Mode = "plain"
    recipe: str = "study"
    flips: bool = True
