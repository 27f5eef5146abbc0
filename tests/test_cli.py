from __future__ import annotations

import inspect
import os
import pickle
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from unittest.mock import Mock

import pytest
import typer
from typer.testing import CliRunner

from simtool import __main__, cli, stages
from simtool.cli import app, app_for, call_of
from simtool.errors import SimtoolError, UsageError
from simtool.stages.run import stage

COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
#: Packages that a help text does not need and that would slow it down.
HEAVY = {"tensorflow", "keras", "sklearn", "scipy", "pyarrow", "numpy", "h5py", "matplotlib", "PIL", "rich"}
HEAVY |= {
    f"simtool.{name}" for name in ("archive", "images", "judgments", "kinds", "scoring", "stages.run", "training")
}


def simtool(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simtool", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def app_of(**commands: Callable[[], None]) -> typer.Typer:
    """A command line of some commands, with the callback of simtool's."""
    made = typer.Typer(callback=cli.simtool)
    for name, command in commands.items():
        made.command(name)(command)
    return made


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_gives_an_example(command: str) -> None:
    text = CliRunner().invoke(app, [command, "--help"]).stdout
    assert f"simtool {command}" in text.split("Example", 1)[1]


@pytest.mark.system
@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)], ids=" ".join)
def test_help_imports_nothing_heavy(command: tuple[str, ...]) -> None:
    script = (
        "import sys; from simtool.cli import app\n"
        "try: app(sys.argv[1:] + ['--help'])\n"
        "except SystemExit: pass\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "demo"])
def test_a_call_of_a_subcommand_analyses_the_options_of_that_one(command: str) -> None:
    called = typer.main.get_command(app_for([command, "a.parquet"]))
    assert list(called.commands) == [command]  # type: ignore[attr-defined]
    assert (
        CliRunner().invoke(app_for([command]), [command, "-h"]).stdout
        == CliRunner().invoke(app, [command, "-h"]).stdout
    )


@pytest.mark.parametrize("arguments", [[], ["--help"], ["fly"], ["--version", "score"], ["demo", "toy"]], ids=" ".join)
def test_other_calls_know_all_subcommands(arguments: list[str]) -> None:
    assert sorted(typer.main.get_command(app_for(arguments)).commands) == COMMANDS  # type: ignore[attr-defined]


@pytest.mark.system
def test_a_failure_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"not parquet")
    done = simtool("show", str(tmp_path / "broken.parquet"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"error: {tmp_path}/broken.parquet: this is a text file, not a table (Parquet); check that it is the right file"
    ]


@pytest.mark.system
@pytest.mark.parametrize("place", [0, 1, 2])
def test_debug_shows_the_traceback_at_any_position(place: int) -> None:
    arguments = ["show", "absent.parquet"]
    arguments.insert(place, "--debug")
    done = simtool(*arguments)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "TableError" in done.stderr


@pytest.mark.system
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("fly",), "No such command 'fly'; see simtool --help"),
        (("show",), "Missing argument 'FILE'; see simtool show --help"),
        (("report", "o.parquet", "--html"), "Option '--html' requires an argument; see simtool report --help"),
        (("show", "--colour", "x"), "No such option: --colour; see simtool show --help"),
        (("demo", "--seed", "-1"), "Invalid value for '--seed': *; see simtool demo --help"),  # Typer's words
        (("report", "none.parquet", "--level", "2"), "--level 2.0 is not between 0.01 and 0.999999 (0.95 means 95 %)"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments: tuple[str, ...], line: str) -> None:
    done = simtool(*arguments)
    assert done.returncode == 2
    (said,) = done.stderr.splitlines()
    assert fnmatchcase(said, f"error: {line}")
    assert done.stdout == ""


@pytest.mark.system
def test_simtool_alone_prints_its_help() -> None:
    done = simtool()
    assert done.returncode == 2
    assert done.stderr == simtool("--help").stdout


def test_the_version_is_printed() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout.startswith("simtool 0.")


def test_a_command_that_saved_its_state_says_so_and_exits_with_its_own_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class SavedError(SimtoolError):
        exit_code = 85

    def stop() -> None:
        raise SavedError("stopped by SIGUSR1; run the same command to go on")

    monkeypatch.setattr(cli, "app", app_of(train=stop))
    monkeypatch.setattr(signal, "signal", Mock())
    for arguments in (["simtool", "train"], ["simtool", "--debug", "train"]):
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as left:
            cli.main()
        assert left.value.code == 85
        assert capsys.readouterr().err == "stopped by SIGUSR1; run the same command to go on\n"


def test_an_unexpected_error_is_one_line_and_its_traceback_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        with stage("score", reads=[], writes=[]) as run:
            run.read(Path("trials.parquet"), "3 trials", files=())
            raise KeyError("a\x1b[31m\nb")

    monkeypatch.setattr(cli, "app", app_of(score=fail))
    monkeypatch.setattr(signal, "signal", Mock())
    monkeypatch.setattr(sys, "argv", ["simtool", "score"])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 1
    (said,) = capsys.readouterr().err.splitlines()[1:]
    (kept,) = tmp_path.iterdir()
    assert said.startswith("error: simtool score, after it had read trials.parquet: unexpected error: KeyError: ")
    assert str(kept) in said
    assert "\x1b" not in said
    assert "Traceback" in kept.read_text()


@pytest.mark.system
def test_a_closed_pipe_is_no_failure(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "simtool", "--version"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


@pytest.mark.system
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_stopped_says_so_and_what_to_do(number: signal.Signals) -> None:
    script = (
        "import signal, sys\n"
        "from simtool import cli\n"
        "from simtool.stages.run import stage\n"
        "@cli.app.command('wait')\n"
        "def wait() -> None:\n"
        "    with stage('wait', reads=[], writes=[]):\n"
        "        print('ready', flush=True)\n"
        "        signal.pause()\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.argv = ['simtool', 'wait']\n"
        "cli.main()\n"
    )
    words = [sys.executable, "-c", script]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
    assert said.split("\n")[0] == "wait was stopped; no output is half-written: run the same command again"
    assert "Traceback" not in said
    assert process.returncode == 128 + number


def test_ctrl_c_before_a_stage_begins_prints_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(__main__, "gc", Mock())
    monkeypatch.setattr("sys.setswitchinterval", Mock())
    monkeypatch.setattr(stages, "in_own_process", False)
    monkeypatch.setattr(cli, "main", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(SystemExit) as left:
        __main__.main()
    assert left.value.code == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.system
def test_what_ids_hold_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    done = simtool("show", str(tmp_path / "\x1b]0;title\a\nX"))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert r"\x1b]0;title\x07\nX" in done.stderr


def examples(command: str) -> list[list[str]]:
    """The words of the examples in the help of a command, up to a pipe, another command or a remark."""
    text = (typer.main.get_command(app).commands[command].help or "").split("Example:", 1)[1]  # type: ignore[attr-defined]
    lines = re.findall(rf"^ *simtool ({command}\b.*)$", re.sub(r"\\\n *", "", text), re.MULTILINE)
    return [shlex.split(re.split(r" [|;] |   ", line)[0]) for line in lines]


@pytest.mark.parametrize("command", sorted({*COMMANDS} - {"demo"}))
def test_every_command_line_is_one_call_which_another_process_can_make(command: str) -> None:
    for words in examples(command):
        call = call_of(words)
        assert call.function.__name__ in stages.__all__
        inspect.signature(call.function).bind(**call.arguments)
        if "show" not in call.arguments:  # a function of the command
            assert pickle.loads(pickle.dumps(call)) == call  # noqa: S301 - our own


def test_a_call_has_the_values_of_the_options(tmp_path: Path) -> None:
    out = str(tmp_path / "glow")
    call = call_of(["train-glow", "images.parquet", "--out", out, "--epochs", "3", "--set", "ema=0.9"])
    assert call.function is stages.train_glow
    given = {name: call.arguments[name] for name in ("images", "out", "epochs", "ema", "width")}
    assert given == {"images": Path("images.parquet"), "out": Path(out), "epochs": 3, "ema": "0.9", "width": None}
    assert not Path(out).exists()
    with pytest.raises(SimtoolError, match=r"^images.parquet: no such file or folder"):
        call()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["demo"], r"^simtool demo: this does not run a single stage; name a command that runs one$"),
        ([], r"^simtool: this does not run a single stage"),
        (["embed", "images.parquet", "--modle", "pixels"], r"^No such option: --modle .*; see simtool embed --help$"),
        (["embed", "images.parquet", "--model"], r"^Option '--model' requires an argument; see simtool embed --help$"),
        (["fetch-cubs", "cub"], r"^No such command 'fetch-cubs'"),
    ],
)
def test_a_command_line_that_is_no_call_is_refused_in_one_line(words: list[str], line: str) -> None:
    with pytest.raises(UsageError, match=line):
        call_of(words)
