"""The command line: the list of subcommands, and what happens when one fails."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from simtool import __version__, console
from simtool.commands import show
from simtool.errors import SimtoolError

__all__ = ["app", "main"]

app = typer.Typer(
    name="simtool",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

app.command("show")(show.show)


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
    """Run the command line; turn failures into one line and exit code 1."""
    debug = "--debug" in sys.argv[1:] or os.environ.get("SIMTOOL_DEBUG") == "1"
    # --debug is accepted anywhere on the line, since one adds it to the end of a command that has just failed.
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(args=arguments, prog_name="simtool")
    except SimtoolError as failure:
        if debug:
            raise
        console.error(str(failure))
        sys.exit(1)
    except OSError as failure:
        if debug:
            raise
        console.error(_describe(failure))
        sys.exit(1)


def _describe(failure: OSError) -> str:
    """One line for what the operating system refused: the reason, and the file where it is known."""
    reason = failure.strerror or str(failure) or type(failure).__name__
    return reason if failure.filename is None else f"{failure.filename}: {reason}"
