"""Show: the description of a table or of a model folder."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simtool.images.preprocessing import readable
from simtool.stages.invocation import CALLED, api
from simtool.tables.description import Description, describe_table, input_state

__all__ = ["Shown", "show"]


@dataclass(frozen=True)
class Shown:
    """A valid table or model folder.

    ``states`` says for each input in the provenance whether it is ``unchanged``, ``changed`` or ``not found``.
    """

    path: Path
    is_model: bool
    description: Description
    states: tuple[str, ...]

    @property
    def title(self) -> str:
        """The kind of the file, in one line."""
        kind = self.description.kind
        return f"{self.path}: a valid {'model, kind' if self.is_model else 'table of'} {kind}"

    def lines(self) -> list[tuple[str, str]]:
        """Label and text of each fact, then the provenance. The preprocessing is in words."""
        facts = self.description.facts
        lines = [(label, readable(text) if label == "preprocessing" else text) for label, text in facts]
        if (origin := self.description.provenance) is None:
            return [*lines, ("written by", "another program (no provenance)")]
        inputs = zip(origin.inputs, self.states, strict=True)
        return [
            *lines,
            ("written by", f"{origin.created_by}, {origin.created_at}"),
            *(() if origin.device is None else (("device", origin.device),)),
            ("command", _command(origin.command)),
            *(("input", f"{entry.name}: {state}") for entry, state in inputs),
        ]

    def to_json(self) -> dict[str, Any]:
        """The same as one JSON object."""
        content = {"path": str(self.path), "kind": self.description.kind, "valid": True, **dict(self.description.facts)}
        if (origin := self.description.provenance) is not None:
            content |= origin.to_json()
            content["inputs"] = [
                {"name": entry.name, "sha256": entry.sha256, "state": state}
                for entry, state in zip(origin.inputs, self.states, strict=True)
            ]
        return content


@api
def show(file: str | Path) -> Shown:
    """Read a table or a model folder in full, check it, and describe it.

    Args:
        file: a table (a file or a folder of parts) or a model folder.

    Returns:
        The description. For each input it says whether the file has changed since.

    Raises:
        SimtoolError: it is no table and no model, or it is damaged.

    Example:
        >>> from simtool import stages
        >>> dict(stages.show("pixels.parquet").lines())["dimension"]  # doctest: +SKIP
        '49,152 = 128 x 128 x 3'
    """
    path = Path(file)
    is_model, description = _described(path)
    origin = description.provenance
    states = () if origin is None else tuple(input_state(entry, path) for entry in origin.inputs)
    return Shown(path, is_model, description, states)


def _described(path: Path) -> tuple[bool, Description]:
    if path.is_dir():
        from simtool.models.folder import MANIFEST, check_trained, describe_model

        check_trained(path)
        if (path / MANIFEST).is_file():
            return True, describe_model(path)
    return False, describe_table(path)


def _command(words: tuple[str, ...]) -> str:
    """The command line, or the call in Python, that wrote a file."""
    if words and words[0].startswith(CALLED):
        return f"simtool.{words[0]}({', '.join(words[1:])})"
    return shlex.join(["simtool", *words])
