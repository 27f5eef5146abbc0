"""``simtool show``: what a table or a model folder is."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simtool import console

if TYPE_CHECKING:
    from simtool.tables.description import Description

__all__ = ["show"]


def show(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A table (a file or a folder of parts) or a model folder.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Say what a table or a model folder is, whether it is valid, and where it came from.

    Reads everything once, so that a NaN or a damaged block is found. Says for each input whether
    it has changed since.

    \b
    Example:
      simtool show study/pixels.parquet
    """
    description = _describe(file)
    if json:
        _print_json(file, description)
    else:
        _print_lines(file, description)


def _describe(path: Path) -> Description:
    from simtool.tables.description import describe_table

    if path.is_dir():
        from simtool.models.folder import check_trained, describe_model

        check_trained(path)
        if _is_model(path):
            return describe_model(path)
    return describe_table(path)


def _is_model(path: Path) -> bool:
    return (path / "model.json").is_file()


def _print_lines(path: Path, description: Description) -> None:
    from simtool.tables.description import input_state

    lines = list(description.facts)
    if (origin := description.provenance) is None:
        lines.append(("written by", "another program (no provenance)"))
    else:
        lines += [
            ("written by", f"{origin.created_by}, {origin.created_at}"),
            ("command", shlex.join(["simtool", *origin.command])),
            *(("input", f"{entry.name}: {input_state(entry, path)}") for entry in origin.inputs),
        ]
    width = max(len(label) for label, _ in lines)
    console.result_line(f"{path}: a valid {'model, kind' if _is_model(path) else 'table of'} {description.kind}")
    for label, text in lines:
        console.result_line(f"  {label:<{width}}  {text}")


def _print_json(path: Path, description: Description) -> None:
    import json

    from simtool.tables.description import input_state

    content = {"path": str(path), "kind": description.kind, "valid": True, **dict(description.facts)}
    if (origin := description.provenance) is not None:
        content |= origin.to_json()
        content["inputs"] = [
            {"name": entry.name, "sha256": entry.sha256, "state": input_state(entry, path)} for entry in origin.inputs
        ]
    console.result_text(json.dumps(content, indent=2))
