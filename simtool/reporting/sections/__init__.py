"""The parts of a report after the accuracies, in the order of every view."""

from __future__ import annotations

from simtool.reporting.sections.consistency import CONSISTENCY
from simtool.reporting.sections.contrasts import CONTRASTS
from simtool.reporting.sections.controls import CONTROLS
from simtool.reporting.sections.difficulty import DIFFICULTY
from simtool.reporting.sections.model_noise_ceiling import MODEL_NOISE_CEILING
from simtool.reporting.sections.noise_ceiling import NOISE_CEILING
from simtool.reporting.sections.participants import PARTICIPANTS
from simtool.reporting.sections.predictions import PREDICTIONS
from simtool.reporting.sections.section import Section
from simtool.reporting.sections.strata import STRATA

__all__ = ["SECTIONS"]

SECTIONS: tuple[Section, ...] = (
    CONTROLS,
    NOISE_CEILING,
    MODEL_NOISE_CEILING,
    STRATA,
    DIFFICULTY,
    CONTRASTS,
    CONSISTENCY,
    PREDICTIONS,
    PARTICIPANTS,
)
