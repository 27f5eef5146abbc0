"""All readers, by name."""

from __future__ import annotations

from collections.abc import Mapping

from tests.fuzz import (
    distances,
    images,
    models,
    names,
    odd,
    others,
    packed,
    psiz,
    states,
    tables,
    triplets,
    vectors,
    votes,
    weights,
)
from tests.fuzz.case import Door

__all__ = ["DOORS"]

_MODULES = (
    tables,
    triplets,
    odd,
    votes,
    psiz,
    names,
    vectors,
    images,
    packed,
    models,
    weights,
    states,
    distances,
    others,
)

DOORS: Mapping[str, Door] = {door.name: door for module in _MODULES for door in module.DOORS}
