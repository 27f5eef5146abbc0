"""The parts of a report after the accuracies, in the order of every view."""

from __future__ import annotations

from simtool.reporting.sections.consistency import CONSISTENCY
from simtool.reporting.sections.contrasts import CONTRASTS
from simtool.reporting.sections.noise_ceiling import NOISE_CEILING
from simtool.reporting.sections.section import Section

__all__ = ["SECTIONS"]

SECTIONS: tuple[Section, ...] = (NOISE_CEILING, CONTRASTS, CONSISTENCY)
