"""The command line: the list of subcommands, and what happens when one fails."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Annotated, NoReturn

import typer

from simtool import __version__, console
from simtool.commands import (
    compress,
    demo,
    embed,
    fetch_cub,
    fetch_judgments,
    fit_pca,
    import_trials,
    index_images,
    report,
    sample,
    score,
    show,
    train_glow,
    train_resnet,
)
from simtool.errors import SimtoolError
from simtool.stages.run import Terminated, invocation

__all__ = ["app", "main"]

#: The exit code of a training that has saved its state: not an error, but a script should run it again.
_SAVED = 85

app = typer.Typer(
    name="simtool",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

app.command("fetch-cub", short_help="Get the photographs of CUB-200-2011")(fetch_cub.fetch_cub)
app.command("fetch-judgments", short_help="Get the birds-16 judgments and photographs")(fetch_judgments.fetch_judgments)
app.command("import-trials", short_help="Turn judgments into a table of trials")(import_trials.import_trials)
app.command("index-images", short_help="Turn a folder of images into a table")(index_images.index_images)
app.command("fit-pca", short_help="Fit principal components to images")(fit_pca.fit_pca)
app.command("train-resnet", short_help="Train a classifier of photographs")(train_resnet.train_resnet)
app.command("train-glow", short_help="Train Glow, a normalizing flow, on photographs")(train_glow.train_glow)
app.command("embed", short_help="Turn images into a table of vectors")(embed.embed)
app.command("compress", short_help="Turn vectors into their principal components")(compress.compress)
app.command("sample", short_help="Draw what a trained Glow imagines")(sample.sample)
app.command("score", short_help="Predict judgments from distances of vectors")(score.score)
app.command("report", short_help="Say how well each model predicts the judgments")(report.report)
app.command("demo", short_help="Run the whole chain on generated toy birds")(demo.demo)
app.command("show", short_help="Say what a table or a model is, and check it")(show.show)


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

    simtool predicts which of several images people find most alike, from any model's
    embeddings, and reports how well each model predicts. Its stages exchange Parquet
    tables; chain them in a shell script, or run one per node of a cluster.

    \b
    Example:
      simtool demo                 the whole chain on generated toy birds, in about a minute
      simtool SUBCOMMAND --help    what one stage reads and writes, with an example
    """


def main() -> None:
    """Run the command line; turn every failure into one line and an exit code, 1 for most of them."""
    # --debug is accepted anywhere on the line, since one adds it to the end of a command that has just failed.
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    # A scheduler ends a job by SIGTERM; as an exception it lets half-written files be cleared away.
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


def _run(arguments: list[str]) -> None:
    """Run the command line, and write out what it printed while a failure to do so can still be told."""
    try:
        app(args=arguments, prog_name="simtool")
    except SystemExit:
        sys.stdout.flush()
        raise


def _stop_writing() -> NoReturn:
    """End as a program does whose reader has seen enough: ``simtool report ... | head``."""
    # Python flushes standard output once more at its end, into a pipe that nobody reads.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(128 + signal.SIGPIPE)


def _leave(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - the signature that signal asks for
    raise Terminated(128 + number)


def _describe(failure: Exception) -> str:
    """One line: our own words; what the operating system refused, and for which file; or that nobody foresaw it."""
    if isinstance(failure, SimtoolError):
        return str(failure)
    if isinstance(failure, MemoryError):
        return f"not enough memory: {failure}" if str(failure) else "not enough memory"
    if isinstance(failure, OSError) and failure.strerror:
        return failure.strerror if failure.filename is None else f"{failure.filename}: {failure.strerror}"
    return _unforeseen(failure)


def _unforeseen(failure: Exception) -> str:
    """A failure that is a fault of this program: where it was, what failed, and where the traceback is kept."""
    where = next(iter(getattr(failure, "__notes__", ())), "simtool")
    said = next(iter(str(failure).splitlines()), "")
    what = type(failure).__name__ + (f": {said[:200]}" if said else "")
    return f"{where}: an error that simtool did not foresee: {what}; {_kept(failure)}"


def _kept(failure: Exception) -> str:
    """Write the traceback to a file, and say where it is."""
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
