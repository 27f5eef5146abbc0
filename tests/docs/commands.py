"""The page ``docs/commands.md``, made from the command line itself: ``python -m tests.docs.commands`` writes it."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from simtool.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]

HEAD = """\
# Commands

All commands with their arguments and options, as `simtool COMMAND --help` prints them. `make docs` writes this page.

| command | purpose |
|---|---|
"""

TAIL = """
## Options of every command

| option | meaning |
|---|---|
| `-h`, `--help` | Show the help text and exit. |
| `--debug` | Show the traceback of a failure. The option may be anywhere on the line. |
| `--version` | Print the version and exit (`simtool --version`). |

## Output and exit codes

Results go to standard output, notes and progress to standard error.

| code | meaning |
|---|---|
| 0 | The command is complete. |
| 1 | The command failed. One line on standard error says why. |
| 2 | An argument or option is wrong. |
| 69 | A training with several workers lost another worker. Run the same command again. |
| 75 | Another process uses the folder. |
| 85 | A training was stopped and its state is saved. Run the same command to resume. |
| 130, 143 | Ctrl-C or SIGTERM stopped the command. Run the same command again. |
"""

#: The name of a type in the help text, and its name on the page.
_VALUES = {"int range": "N", "int": "N", "float range": "X", "float": "X", "str": "TEXT", "path": "PATH"}


def page() -> str:
    """The whole page."""
    rows = "".join(f"| [`{name}`](#{name}) | {command.short_help} |\n" for name, command in COMMANDS.items())
    return HEAD + rows + "".join(map("\n".join, map(_section, COMMANDS))) + TAIL


def options(command: str) -> dict[str, Any]:
    """Every spelling of every option of a command, hidden ones included, with its parameter."""
    parameters = COMMANDS[command].params
    return {
        spelling: parameter
        for parameter in parameters
        if parameter.param_type_name == "option"
        for spelling in (*parameter.opts, *parameter.secondary_opts)
    }


def _section(name: str) -> list[str]:
    return ["", f"## {name}", "", *_paragraphs(COMMANDS[name].help), *_table(name)]


def _paragraphs(text: str) -> Iterator[str]:
    """The help's paragraphs; those that the help keeps as they are, such as examples, are code."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        kept, _, lines = paragraph.rpartition("\b\n")
        if not kept and not paragraph.startswith("\b"):
            yield from (_escape(paragraph), "")
        else:
            yield from ("```", textwrap.dedent(lines.removeprefix("Example:\n")).rstrip(), "```", "")


def _table(name: str) -> Iterator[str]:
    context = COMMANDS[name].make_context(name, [], resilient_parsing=True)
    yield "| argument or option | meaning |"
    yield "|---|---|"
    for parameter in COMMANDS[name].params:
        record = parameter.get_help_record(context)
        if record is not None and not parameter.hidden:
            names, meaning = record
            yield f"| {_named(names)} | {_escape(' '.join(meaning.split()))} |"
    yield ""


def _named(names: str) -> str:
    """``--size N`` for ``--size <int range>``; a named argument without its type."""

    def value(match: re.Match[str]) -> str:
        kind = re.sub(r"^list\[(.*)\]$", r"\1", match[1])
        return _VALUES.get(kind, kind)

    argument = re.fullmatch(r"([A-Z]\w*) <.*>", names)
    shown = argument[1] if argument else re.sub(r"<(.*)>", value, names)
    return f"`{shown}`".replace("|", r"\|")


def _escape(text: str) -> str:
    """Escape characters that Markdown reads as HTML, columns or emphasis."""
    return re.sub(r"([<>|*])", r"\\\1", text)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
