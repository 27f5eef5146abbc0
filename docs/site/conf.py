"""The documentation as a site: ``make site``. The order of its pages is in ``_toc.yml``."""

from __future__ import annotations

from importlib.metadata import version as version_of

project = "simtool"
author = copyright = "The simtool developers"  # noqa: A001 - the name that Sphinx reads
release = version = version_of("simtool")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_external_toc"]
external_toc_path = "docs/site/_toc.yml"
include_patterns = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/*.md", "docs/site/*.md"]
# Folders without pages, which would take minutes to search.
exclude_patterns = [".*", "simtool", "simtool-demo", "tests", "dist"]

myst_heading_anchors = 4
napoleon_use_rtype = False
autodoc_typehints = "description"
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = "simtool"
html_copy_source = False
html_show_sourcelink = False
