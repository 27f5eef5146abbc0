"""The documentation as a site, and the citation."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.docs.examples import ROOT

DOCS = ROOT / "docs"
SITE = DOCS / "site"


def pages() -> list[str]:
    """The pages of the site below docs/, in their order, without those that only the site has."""
    parts = yaml.safe_load((SITE / "_toc.yml").read_text(encoding="utf-8"))["subtrees"]
    files = [Path(entry["file"]) for part in parts for entry in part["entries"]]
    return [file.name for file in files if file.parent.name == "docs"]


def test_every_page_is_part_of_the_site() -> None:
    assert sorted(pages()) == sorted(page.stem for page in DOCS.glob("*.md"))


def test_the_site_has_the_order_of_the_table_of_contents() -> None:
    contents = (DOCS / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^(?:-|\d\.) \[[^]]+\]\(([a-z-]+)\.md\)", contents, re.MULTILINE)
    assert listed == [page for page in pages() if page != "README"]


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    options = ("-W", "--keep-going", "-q", "-c", str(SITE), "-d", str(tmp_path / "cache"))
    command = [sys.executable, "-m", "sphinx", *options, str(ROOT), str(tmp_path / "site")]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    elsewhere = re.compile(r"<(?:script|link|img)[^>]*(?:src|href)=\"(?:https?:)?//[^>]*>")
    for page in (tmp_path / "site").rglob("*.html"):
        assert not elsewhere.findall(page.read_text("utf-8")), page
    assert "simtool.stages.train_glow" in (tmp_path / "site" / "docs" / "site" / "functions.html").read_text("utf-8")


def test_the_citation_names_the_version_and_the_license() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in project["authors"]]
