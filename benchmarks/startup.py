"""Measure the time of ``simtool --help``, the help of every subcommand, and a report, as a shell sees it.

    python benchmarks/startup.py --outcomes outcomes.parquet --json startup.json

The case ``python`` is the start of the interpreter, a lower bound for every command.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from simtool.cli import app as simtool

Row = dict[str, Any]


def measure(case: str, command: list[str], repeats: int) -> Row:
    """The median time of several runs, and their largest resident memory."""
    seconds, cpu, peak = [], [], 0
    for _ in range(repeats + 1):
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds.append(time.perf_counter() - started)
        if status:
            raise SystemExit(f"{' '.join(command)} failed")
        cpu.append(usage.ru_utime + usage.ru_stime)
        peak = max(peak, usage.ru_maxrss * 1024)
    # The first run reads files from disk and does not count.
    return {
        "case": case,
        "subject": "simtool",
        "seconds": statistics.median(seconds[1:]),
        "cpu_seconds": statistics.median(cpu[1:]),
        "peak_bytes": peak,
    }


def main(
    outcomes: Annotated[
        Path | None, typer.Option(help="A table of outcomes; the report on it is measured too.")
    ] = None,
    repeats: Annotated[int, typer.Option(help="Runs of each case.", min=1)] = 7,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows here.")] = None,
) -> None:
    """Measure the response time of the command line."""
    start = [sys.executable, "-m", "simtool"]
    commands = typer.main.get_command(simtool).commands  # type: ignore[attr-defined]
    cases = {"python": [sys.executable, "-c", "pass"], "simtool --help": [*start, "--help"]}
    cases |= {f"simtool {name} --help": [*start, name, "--help"] for name in commands}
    if outcomes is not None:
        cases["simtool report"] = [*start, "report", str(outcomes)]
    rows = [measure(case, command, repeats) for case, command in cases.items()]
    table = Table("case", "median", "processor time", "peak memory", box=None)
    for row in rows:
        table.add_row(
            row["case"], f"{row['seconds']:.2f} s", f"{row['cpu_seconds']:.2f} s", f"{row['peak_bytes'] / 1e6:.0f} MB"
        )
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    typer.run(main)
