"""Output to the terminal."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from rich.table import Table
from rich.text import Text

from simtool import console


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds; set its only item to change it."""
    now = [100.0]
    monkeypatch.setattr("simtool.console.time.monotonic", lambda: now[0])
    return now


def test_without_a_terminal_progress_is_a_line_at_intervals(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with console.progress("embedding", 11_788, "images") as bar:
        bar.advance(100)
        clock[0] += 20
        bar.advance(2_847)
        bar.advance(1)
    assert capsys.readouterr().err == "embedding: 2,947 of 11,788 images, 25%, 142 images/s, 1 min left\n"


def test_progress_counts_what_an_earlier_run_has_done_but_not_as_speed(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with console.progress("downloading", 1_000_000_000, "B", scale=True, done=400_000_000) as bar:
        clock[0] += 10
        bar.advance(100_000_000)
    assert capsys.readouterr().err == "downloading: 500 MB of 1 GB, 50%, 10 MB/s, 50 s left\n"


def test_slow_progress_has_a_decimal(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress("training", None, "epochs") as bar:
        clock[0] += 20
        bar.advance(30)
    assert capsys.readouterr().err == "training: 30 epochs, 1.5 epochs/s\n"


def test_the_time_left_does_not_count_the_start_up_of_the_first_unit(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with console.progress("fitting", 11, "fits") as bar:
        clock[0] += 60
        bar.advance()
        clock[0] += 10
        bar.advance(5)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "fitting: 1 of 11 fits, 9%, 1 fits/min, 10 min left",
        "fitting: 6 of 11 fits, 55%, 0.5 fits/s, 10 s left",
    ]


def test_short_steps_say_nothing(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress("reading", None) as bar:
        clock[0] += 9
        bar.advance()
    assert capsys.readouterr().err == ""


def test_a_description_changes_and_a_note_is_printed_between(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with console.progress("epoch 1 of 2", 4, "steps") as bar:
        bar.advance(2)
        console.note("epoch 1 is done")
        bar.describe("epoch 2 of 2")
        clock[0] += 10
        bar.advance(1)
    assert capsys.readouterr().err == "epoch 1 is done\nepoch 2 of 2: 3 of 4 steps, 75%, 6 steps/min, 10 s left\n"


class _Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("say", [console.note, console.warn])
def test_a_line_during_a_bar_is_apart_from_it_and_the_bar_is_drawn_again(
    say: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = _Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with console.progress("embedding", 10, "images"):
        say("bfloat16 is used")
    before, _, after = terminal.getvalue().partition("bfloat16 is used\n")
    assert re.search(r"embedding: +0%.*\r +\r(\x1b\[33mwarning: \x1b\[0m|warning: )?$", before)
    assert after.startswith("\rembedding:")


class _Stdout(io.TextIOWrapper):
    """A standard output of some encoding, kept in memory."""

    def __init__(self, encoding: str) -> None:
        self.kept = io.BytesIO()
        super().__init__(self.kept, encoding=encoding, newline="\n")

    def bytes(self) -> bytes:
        """The output so far."""
        self.flush()
        return self.kept.getvalue()


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("utf-8", "é 漢\n".encode()), ("latin-1", "é 漢\n".encode()), ("gb18030", "é 漢\n".encode("gb18030"))],
)
def test_a_file_on_standard_output_is_whole_in_any_encoding(
    monkeypatch: pytest.MonkeyPatch, encoding: str, expected: bytes
) -> None:
    stdout = _Stdout(encoding)
    monkeypatch.setattr("sys.stdout", stdout)
    console.result_text("é 漢")
    assert stdout.bytes() == expected


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", rb"\xe9 \u6f22"), ("latin-1", b"\xe9 \\u6f22")])
def test_what_a_terminal_cannot_show_is_an_escape(monkeypatch: pytest.MonkeyPatch, encoding: str, shown: bytes) -> None:
    stdout = _Stdout(encoding)
    monkeypatch.setattr("sys.stdout", stdout)
    console.result(Text("é 漢"))
    assert stdout.bytes().strip() == shown


def test_text_is_printed_as_it_is_spelled(capsys: pytest.CaptureFixture[str]) -> None:
    odd = "[red]x[/red] [/b] :bird: [link=file:///etc]y"
    table = Table("model", box=None)
    table.add_row(odd)
    console.result(table)
    console.note(odd)
    console.warn(odd)
    console.error(odd)
    told = capsys.readouterr()
    assert odd in told.out
    assert told.err.count(odd) == 3


def test_no_line_in_a_file_ends_in_spaces(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("name", "note", box=None, pad_edge=False)
    table.add_row("pixels", "")
    table.add_row("", "")
    console.result(table)
    assert capsys.readouterr().out == "name    note\npixels\n\n"


def test_notes_and_progress_are_silent_inside_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with console.quiet():
        console.note("read   a.parquet")
        with console.progress("embedding", 10):
            console.note("epoch 1")
        console.warn("a column is not used")
    console.note("done")
    assert capsys.readouterr().err.splitlines() == ["warning: a column is not used", "done"]


def test_long_facts_fold_below_their_beginning_and_keep_paths_whole(capsys: pytest.CaptureFixture[str]) -> None:
    path = "/scratch/" + "x" * 60
    console.result_facts("a title", [("cores", "word " * 30), ("", f"see {path}")], fold=True)
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == "a title"
    assert lines[0].startswith("  cores  word")
    assert all(line.startswith("         ") for line in lines[1:])
    assert max(map(len, lines)) <= 80
    assert " ".join(" ".join(lines).split()) == "cores " + "word " * 30 + f"see {path}"
