"""Every example in the pages is one that the command line takes, and every link leads somewhere."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
import typer

from tests.docs.commands import COMMANDS, options
from tests.docs.examples import PAGES, ROOT, blocks, commands, prose

#: Options of other programs that pages name in their text.
OF_OTHER_PROGRAMS = {
    *("--nv", "--bind", "--build-arg", "--gpus", "--mount", "--sandbox"),  # of Apptainer and Docker
    *("--array", "--distribution", "--exclusive", "--export", "--gres", "--kill-on-invalid-dep", "--mem-per-cpu"),
    *("--nodes", "--ntasks"),
    *("--ntasks-per-node", "--partition", "--signal", "--time", "--wait", "--peers-python", "--poolings", "--subjects"),
    *("--name", "--version", "--debug", "--help"),
    *("--cores", "--dry-run", "--profile", "--resources", "--touch"),  # of Snakemake
    *("--enable-multiple-slurmd",),  # of SLURM
    *("--cpu", "--rows", "--seconds"),  # of benchmarks/gpu.py
}
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")

by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


@by_page
def test_every_example_is_a_command_that_the_command_line_takes(page: Path) -> None:
    for block in blocks(page):
        for name, *arguments in commands(block.text):
            if name not in {"--version", "COMMAND", "SUBCOMMAND"}:
                with suppress(typer.Exit):  # of an option that prints a list and exits
                    COMMANDS[name].make_context(name, arguments)  # raises what is wrong


@by_page
def test_every_option_that_a_page_names_exists(page: Path) -> None:
    known = {option for name in COMMANDS for option in options(name)} | OF_OTHER_PROGRAMS
    named = {option for code in re.findall(r"`([^`\n]+)`", prose(page)) for option in OPTION.findall(code)}
    assert named <= known


@by_page
def test_an_option_that_follows_a_command_in_a_text_is_an_option_of_it(page: Path) -> None:
    for code in re.findall(r"`(?:simtool )?([^`\n]+)`", prose(page)):
        name = code.split()[0]
        if name in COMMANDS:
            assert set(OPTION.findall(code)) <= {*options(name), "--help", "--debug"}, code


@by_page
def test_every_link_leads_to_a_file_and_to_a_heading_in_it(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not link.startswith("http"):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), link
            assert not anchor or anchor in headings(target), link


def test_every_page_is_on_the_map() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {
        (index.parent / link).resolve() for link in re.findall(r"\]\(([^)#\s]+)", index.read_text(encoding="utf-8"))
    }
    assert set(PAGES) - {index, ROOT / "README.md"} <= linked


def test_every_path_in_the_architecture_exists() -> None:
    page = ROOT / "docs" / "architecture.md"
    named = re.findall(r"`((?:simtool|tests|docs|jobscripts)/[\w./-]*)`", prose(page))
    assert not [path for path in named if "NAME" not in path and not (ROOT / path).exists()]


def test_every_table_in_the_architecture_is_in_its_module() -> None:
    page = ROOT / "docs" / "architecture.md"
    tables = re.findall(r"`([A-Za-z_]+)` in `(simtool/[a-z_/]+\.py)`", prose(page))
    assert tables
    assert not [
        (name, path) for name, path in tables if not re.search(rf"^(def |class )?{name}\b", _text(path), re.MULTILINE)
    ]


def test_the_architecture_names_every_package_and_module_at_the_top() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    found = {path.name for path in (ROOT / "simtool").iterdir() if not path.name.startswith((".", "_"))}
    assert not {name for name in found if not re.search(rf"^  {re.escape(name)}\b", page, re.MULTILINE)} - {"py.typed"}


def _text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    texts = re.findall(r"^#+ (.*)", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in texts}
