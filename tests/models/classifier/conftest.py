"""A classifier that is small enough for tests."""

from __future__ import annotations

from typing import Any

import pytest

from simtool.models.classifier.config import ClassifierConfig
from simtool.models.classifier.network import build

CLASSES = ("lark", "wren", "swift")


@pytest.fixture(scope="session")
def small() -> ClassifierConfig:
    return ClassifierConfig("MobileNet", size=32, augmentation="flip")


@pytest.fixture(scope="session")
def network(small: ClassifierConfig) -> Any:
    return build(small, len(CLASSES))
