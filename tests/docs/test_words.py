"""The prose guard: plain words in every page, docstring, comment, help text and message."""

from __future__ import annotations

import pytest

from tests.docs.words import finds, refused


def test_the_project_is_written_in_plain_words() -> None:
    assert not [str(find) for find in finds()]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The training goes on.", ["goes on"]),
        ("What a stage does", ["What"]),
        ("What is a flow? A model.", []),
        ("`what else` is code, and so is ``anew``", []),
        ("--recipe study", []),
        ("the noise ceiling, not the ceiling", ["ceiling"]),
        ("photographs of CUB", []),
        ("photographs of cars", ["photographs"]),
        ("N stands for a number", []),
    ],
)
def test_the_guard_refuses_words_and_leaves_names_and_questions(text: str, words: list[str]) -> None:
    assert list(refused("docs/page.md", text)) == words
