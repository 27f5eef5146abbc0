"""All readers, by name."""

from __future__ import annotations

from collections.abc import Mapping

from tests.fuzz import models, others, packed, pictures, psiz, states, tables, triplets, weights
from tests.fuzz.case import Door

__all__ = ["DOORS"]

_MODULES = (tables, triplets, psiz, pictures, packed, models, weights, states, others)

DOORS: Mapping[str, Door] = {door.name: door for module in _MODULES for door in module.DOORS}
