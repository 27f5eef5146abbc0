"""The command line: the list of subcommands, and the report of a failure."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from copy import copy
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from typer.main import get_command_name
from typer.models import CommandInfo

from simtool import __version__, console
from simtool.commands.check import check
from simtool.commands.combine import combine
from simtool.commands.compress import compress
from simtool.commands.demo import demo
from simtool.commands.doctor import doctor
from simtool.commands.embed import embed
from simtool.commands.export_distances import export_distances
from simtool.commands.fetch_cub import fetch_cub
from simtool.commands.fetch_judgments import fetch_judgments
from simtool.commands.fit_pca import fit_pca
from simtool.commands.fit_psych import fit_psych
from simtool.commands.import_distances import import_distances
from simtool.commands.import_embeddings import import_embeddings
from simtool.commands.import_trials import import_trials
from simtool.commands.index_images import index_images
from simtool.commands.report import report
from simtool.commands.reweight import reweight
from simtool.commands.sample import sample
from simtool.commands.score import score
from simtool.commands.show import show
from simtool.commands.train_glow import train_glow
from simtool.commands.train_jet import train_jet
from simtool.commands.train_resnet import train_resnet
from simtool.commands.transform import transform
from simtool.errors import SimtoolError, UsageError, first_line, system_reason
from simtool.stages.invocation import Call, Terminated, first_call, invocation

__all__ = ["app", "app_for", "call_of", "main"]

#: The exit code of a training that saved its state: no error, but the same command must run again.
_SAVED = 85

app = typer.Typer(
    name="simtool",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

# In the order in which a study needs them: the help and the reference have this order.
app.command(short_help="Run all stages on generated toy birds")(demo)
app.command(short_help="Download the photographs of CUB-200-2011")(fetch_cub)
app.command(short_help="Download the judgments of a published study")(fetch_judgments)
app.command(short_help="List the images of a folder in a table")(index_images)
app.command(short_help="Convert judgments to a table of trials")(import_trials)
app.command(short_help="Fit principal components to images")(fit_pca)
app.command(short_help="Train a classifier of images")(train_resnet)
app.command(short_help="Train Glow, a normalizing flow, on images")(train_glow)
app.command(short_help="Train Jet, a flow of Vision Transformers")(train_jet)
app.command(short_help="Convert images to vectors with a model")(embed)
app.command(short_help="Convert vectors of other programs to a table")(import_embeddings)
app.command(short_help="Convert distances of pairs to a table of distances")(import_distances)
app.command(short_help="Project vectors on their principal components")(compress)
app.command(short_help="Add up the distances of several models")(combine)
app.command(short_help="Predict judgments from distances between vectors")(score)
app.command(short_help="Report how well each model predicts the judgments")(report)
app.command(short_help="Check intervals and tests on simulated people")(check)
app.command(short_help="Learn a transform of vectors from judgments")(reweight)
app.command(short_help="Transform vectors as reweight learned it")(transform)
app.command(short_help="Fit coordinates of images to judgments alone")(fit_psych)
app.command(short_help="Write the distances of all pairs of images")(export_distances)
app.command(short_help="Draw samples from a trained flow")(sample)
app.command(short_help="Describe and check a table or a model")(show)
app.command(short_help="Check devices, libraries, cores and memory")(doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        console.result_text(f"simtool {__version__}")
        raise typer.Exit


@app.callback()
def simtool(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Do machines see similarity as people do?

    simtool predicts from the embeddings of any model which images people find most similar,
    and reports how well each model predicts. Its stages exchange Parquet tables. Chain them in
    a shell script, or run one on each node of a cluster.

    \b
    Example:
      simtool demo                 run all stages on generated toy birds, in a few minutes
      simtool COMMAND --help       inputs, outputs and an example of one stage
    """


def main() -> None:
    """Run the command line. A failure is reported in one line, with an exit code."""
    # --debug is accepted anywhere, because people add it to the end of a command that has just failed.
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    # A scheduler ends a job by SIGTERM. As an exception, it lets the program remove half-written files.
    signal.signal(signal.SIGTERM, _leave)
    try:
        with invocation(arguments):
            _run(arguments)
    except BrokenPipeError:
        _stop_writing()
    except Exception as failure:
        code = failure.exit_code if isinstance(failure, SimtoolError) else 1
        if code == _SAVED:
            console.note(_describe(failure))
            sys.exit(code)
        if debug:
            raise
        console.error(_describe(failure))
        sys.exit(code)


def call_of(arguments: Sequence[str]) -> Call:
    """The call of the Python API that a command makes; the command does not run.

    Args:
        arguments: the words of the command line after ``simtool``.

    Raises:
        UsageError: the command or its options are wrong, or the command calls no function.

    Example:
        >>> from simtool.cli import call_of
        >>> call = call_of(["fit-pca", "images.parquet", "--out", "pca", "--components", "20"])
        >>> call.function.__name__, call.arguments["components"]
        ('fit_pca', 20)
    """
    words = [*arguments]
    if words[:1] in ([], [_RUNS_OTHERS]):
        raise UsageError(
            f"simtool {' '.join(words)}".rstrip() + ": this does not run a single stage; name a command that runs one"
        )
    try:
        call = first_call(lambda: app_for(words)(args=words, prog_name="simtool", standalone_mode=False))
    except Exception as failure:
        if not hasattr(failure, "format_message"):
            raise
        raise UsageError(_usage(failure, words)) from failure
    if call is None:
        raise UsageError(f"simtool {' '.join(words)}: this only prints, and calls no function of simtool.stages")
    return call


def _run(arguments: list[str]) -> NoReturn:
    """Run the command line, flush its output while a failure to do so can still be reported, and exit."""
    try:
        code = app_for(arguments)(args=arguments, prog_name="simtool", standalone_mode=False)
    except Exception as failure:
        if not hasattr(failure, "format_message"):
            raise
        _refuse(failure, arguments)
    sys.stdout.flush()
    sys.exit(code)


#: The subcommand that runs other subcommands.
_RUNS_OTHERS = "demo"


def app_for(arguments: list[str]) -> typer.Typer:
    """The command line with the subcommand that is called only; with all, Typer takes 0.05 s to analyse their options.

    Calls that begin with no name of a subcommand get all of them, and so does the demo, which runs the others.
    """
    called = [command for command in app.registered_commands if _name_of(command) in arguments[:1]]
    if not called or arguments[0] == _RUNS_OTHERS:
        return app
    one = copy(app)
    one.registered_commands = called
    return one


def _name_of(command: CommandInfo) -> str | None:
    return command.name or (command.callback and get_command_name(command.callback.__name__))


def _refuse(failure: Any, arguments: list[str]) -> NoReturn:
    """Report wrong usage, which Typer found, in one line; ``simtool`` alone prints its help."""
    if "\n" in failure.format_message():
        failure.show()
    else:
        console.error(_usage(failure, arguments))
    sys.exit(failure.exit_code)


def _usage(failure: Any, arguments: list[str]) -> str:
    """The fault of a command line, in one line."""
    context = getattr(failure, "ctx", None)
    # Typer gives no context where an option lacks its value.
    words = [word for word in arguments[:1] if not word.startswith("-")]
    where = context.command_path if context else " ".join(["simtool", *words])
    return f"{failure.format_message().rstrip('.')}; see {where} --help"


def _stop_writing() -> NoReturn:
    """Exit as after SIGPIPE, because the reader has closed the pipe: ``simtool report ... | head``."""
    # Python flushes standard output once more at exit, into a pipe without a reader.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(128 + signal.SIGPIPE)


def _leave(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - the signature that signal asks for
    raise Terminated(128 + number)


def _describe(failure: Exception) -> str:
    """The message of an error of simtool or of the operating system, or a report of an unexpected error."""
    if isinstance(failure, SimtoolError):
        return str(failure)
    if isinstance(failure, MemoryError):
        return f"not enough memory: {failure}" if str(failure) else "not enough memory"
    if isinstance(failure, OSError) and failure.strerror:
        return system_reason(failure)
    return _unexpected(failure)


def _unexpected(failure: Exception) -> str:
    """A fault of this program: the step, the exception, and the file with the traceback."""
    where = next(iter(getattr(failure, "__notes__", ())), "simtool")
    kind = type(failure).__name__
    reason = f"{kind}: {first_line(failure)}" if str(failure) else kind
    return f"{where}: unexpected error: {reason}; {_kept(failure)}"


def _kept(failure: Exception) -> str:
    """Write the traceback to a file, and name the file."""
    import tempfile
    import traceback

    text = "".join(traceback.format_exception(failure))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="simtool-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write(f"simtool {__version__}, Python {sys.version}\n{sys.argv}\n{text}")
    except OSError:
        return "--debug shows the traceback"
    return f"the traceback is in {file.name}; please report it with the command"
