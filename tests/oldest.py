"""Print the oldest versions that pyproject.toml allows, as pip takes them: ``make oldest`` installs these."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

#: Packages that these tests do not need, and packages that only check types or style.
_LEFT_OUT = re.compile(r"tensorflow|keras|tf-|hatchling|editables|import-linter|mypy|.*stubs|ruff|types-|pytest-xdist")


def oldest() -> list[str]:
    """``name==version`` of every dependency with a lower bound."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
    bounds = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    found = (re.match(r"([A-Za-z0-9-]+)>=([0-9.]+)", bound) for bound in bounds)
    return [f"{match[1]}=={match[2]}" for match in found if match and not _LEFT_OUT.match(match[1])]


if __name__ == "__main__":
    print(*oldest())  # noqa: T201
