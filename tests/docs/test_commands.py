"""The reference of commands is what the command line says of itself."""

from __future__ import annotations

from tests.docs.commands import PAGE, page


def test_the_page_of_commands_is_what_the_command_line_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "docs/commands.md is out of date: run make docs"
