"""All commands of simtool with small inputs, and the content of their outputs without times."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from simtool.demo import Size, draw
from tests.cub import miniature, pack
from tests.studies import Judgment, write_photographs, write_sequences

__all__ = ["COMMANDS", "Command", "World", "contents"]

#: Parts of text files that differ between runs: times of the day, durations, process numbers.
_TIMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\+00:00|Z)?|\b\d+(\.\d+)? s\b")
#: Keys and columns of logs that hold times or speeds.
_CLOCK = {"created_at", "time", "seconds", "waiting", "images_per_second"}
#: A command line in an HTML page, which contains the output folder; the key of the command line in JSON.
_COMMAND, _COMMAND_KEY = re.compile(r"<code>.*?</code>", re.DOTALL), "command"


@dataclass(frozen=True)
class Command:
    """A command with its arguments.

    Attributes:
        words: its arguments; ``{out}`` is the folder that it writes to, other paths are below the world's folder.
        writes: its outputs, below ``{out}``.
        needs: the names of the commands whose outputs it reads.
    """

    words: str
    writes: tuple[str, ...]
    needs: tuple[str, ...] = ()


#: The prefix of the names of folders for disturbed outputs.
_DISTURBED = "out-"
_TINY = "--preset tiny --validation 0.5 --batch-size 8"
COMMANDS: dict[str, Command] = {
    "fetch-cub": Command("fetch-cub {out}/cub --archive cub.tgz", ("cub",)),
    "fetch-judgments": Command("fetch-judgments {out}/birds16 --archive birds16", ("birds16",)),
    "index-images": Command("index-images images --out {out}/images.parquet", ("images.parquet",)),
    "import-trials": Command(
        "import-trials judgments.csv --images index-images/images.parquet --out {out}/trials.parquet",
        ("trials.parquet",),
        ("index-images",),
    ),
    "embed": Command(
        "embed index-images/images.parquet --model pixels --size 16 --out {out}/pixels.parquet",
        ("pixels.parquet",),
        ("index-images",),
    ),
    "embed-part": Command(
        "embed index-images/images.parquet --model pixels --size 16 --shard 0/1 --out {out}/pixels",
        ("pixels",),
        ("index-images",),
    ),
    "fit-pca": Command(
        "fit-pca index-images/images.parquet --size 16 --components 8 --out {out}/pca", ("pca",), ("index-images",)
    ),
    "import-embeddings": Command(
        "import-embeddings embed/pixels.parquet --images index-images/images.parquet --out {out}/vectors.parquet",
        ("vectors.parquet",),
        ("embed", "index-images"),
    ),
    "compress": Command(
        "compress embed/pixels.parquet --components 5 --out {out}/small.parquet", ("small.parquet",), ("embed",)
    ),
    "combine": Command(
        "combine embed/pixels.parquet compress/small.parquet --distance mse --out {out}/mse.parquet "
        "--distance cosine --out {out}/cosine.parquet",
        ("mse.parquet", "cosine.parquet"),
        ("embed", "compress"),
    ),
    "reweight": Command(
        "reweight embed/pixels.parquet --trials import-trials/trials.parquet --components 5 --penalty 10 --folds 2 "
        "--out {out}/held-out.parquet --model-out {out}/transform",
        ("held-out.parquet", "transform"),
        ("embed", "import-trials"),
    ),
    "transform": Command(
        "transform embed/pixels.parquet --with reweight/transform --out {out}/moved.parquet",
        ("moved.parquet",),
        ("embed", "reweight"),
    ),
    "export-distances": Command(
        "export-distances embed/pixels.parquet --distance cosine --out {out}/pairs.parquet",
        ("pairs.parquet",),
        ("embed",),
    ),
    "import-distances": Command(
        "import-distances export-distances/pairs.parquet --images index-images/images.parquet --out {out}/d.parquet",
        ("d.parquet",),
        ("export-distances", "index-images"),
    ),
    "score": Command(
        "score embed/pixels.parquet --trials import-trials/trials.parquet --images index-images/images.parquet "
        "--out {out}/outcomes.parquet",
        ("outcomes.parquet",),
        ("embed", "import-trials"),
    ),
    "report": Command(
        "report score/outcomes.parquet --csv {out}/r.csv --json {out}/r.json --html {out}/r.html --figure {out}/r.png "
        "--markdown {out}/r.md --replicates 200",
        ("r.csv", "r.json", "r.html", "r.png", "r.md"),
        ("score",),
    ),
    "check": Command(
        "check score/outcomes.parquet --vectors embed/pixels.parquet --json {out}/c.json --studies 10 --replicates 100",
        ("c.json",),
        ("score", "embed"),
    ),
    "train-resnet": Command(
        f"train-resnet index-images/images.parquet --out {{out}}/resnet {_TINY} --size 16 --epochs 2",
        ("resnet",),
        ("index-images",),
    ),
    "train-glow": Command(
        f"train-glow index-images/images.parquet --out {{out}}/glow {_TINY} --size 8 --levels 1 --steps 1 --width 8 "
        "--initial-images 8 --epochs 2",
        ("glow",),
        ("index-images",),
    ),
    "train-jet": Command(
        f"train-jet index-images/images.parquet --out {{out}}/jet {_TINY} --size 8 --patch 2 --steps 2 --width 8 "
        "--epochs 2",
        ("jet",),
        ("index-images",),
    ),
    "sample": Command("sample train-glow/glow --out {out}/samples.png", ("samples.png",), ("train-glow",)),
}


@dataclass
class World:
    """The inputs of the commands, and the outputs of undisturbed runs.

    Attributes:
        folder: of the inputs; the undisturbed outputs of a command are in the folder of its name.
        seconds: that each command took.
    """

    folder: Path
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def made_in(cls, folder: Path) -> World:
        """Create the inputs: 32 images of toy birds, judgments of 8 observers, copies of the published data sets."""
        draw(folder, Size(seed=5, images_per_species=2, observers=8))
        pack(folder / "cub.tgz", miniature())
        published = folder / "birds16"
        (published / "images").mkdir(parents=True)
        write_photographs(published / "images")
        write_sequences(published, [Judgment(0, (1, 2, 3, 4, 5, 6, 7, 8), (2, 5)), Judgment(9, (10, 11), (1,))])
        return cls(folder)

    def make(self, name: str) -> Path:
        """The folder of the undisturbed outputs of a command. The first call runs it and the commands it needs."""
        place = self.folder / name
        if name not in self.seconds:
            for other in COMMANDS[name].needs:
                self.make(other)
            place.mkdir()
            started = time.monotonic()
            with self.start(name, place) as process:
                _, said = process.communicate(timeout=600)
            assert process.returncode == 0, said
            self.seconds[name] = time.monotonic() - started
        return place

    def start(self, name: str, out: Path, more: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command that writes to its own folder."""
        words = COMMANDS[name].words.replace("{out}", str(out)).split()
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SLURM_")}
        return subprocess.Popen(
            [sys.executable, "-m", "simtool", *words],
            cwd=self.folder,
            env={**environment, **(more or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def place(self) -> Path:
        """A new output folder in which tables have the same relative paths as the undisturbed outputs."""
        return Path(tempfile.mkdtemp(prefix=_DISTURBED, dir=self.folder))

    def inputs(self) -> dict[Path, int]:
        """The modification time of each input file in nanoseconds."""
        kept = [place for place in self.folder.iterdir() if not place.name.startswith(_DISTURBED)]
        files = [file for place in kept for file in (place, *place.rglob("*")) if file.is_file()]
        return {file: file.stat().st_mtime_ns for file in files}


def contents(place: Path) -> dict[str, Any]:
    """The content of all files of a folder (or of one file), without times; hidden files are included."""
    if place.is_dir():
        found = (file for file in sorted(place.rglob("*")) if file.is_file() or file.is_symlink())
        return {file.relative_to(place).as_posix(): _content(file) for file in found if not _WATCHED & {*file.parts}}
    return {place.name: _content(place)} if place.exists() else {}


#: Outputs of a training that show times: its curves, and the folder of TensorBoard.
_WATCHED = {"curves.png", "tensorboard"}


def _content(file: Path) -> Any:
    return _READERS.get(file.suffix, Path.read_bytes)(file)


def _table(file: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    return rows


def _arrays(file: Path) -> dict[str, Any]:
    """The arrays as types and bytes; other members of the archive unchanged."""
    with np.load(file) as members:
        return {name: _member(members[name]) for name in members.files}


def _member(value: Any) -> Any:
    if isinstance(value, bytes):
        return _without_clock(json.loads(value))
    return str(value.dtype), value.tobytes()


def _document(file: Path) -> Any:
    return _without_clock(json.loads(file.read_text()))


def _without_clock(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_clock(item) for key, item in value.items() if key not in {*_CLOCK, _COMMAND_KEY}}
    return [_without_clock(item) for item in value] if isinstance(value, list) else value


def _log(file: Path) -> list[list[str]]:
    header, *rows = (line.split(",") for line in file.read_text().splitlines())
    kept = [at for at, name in enumerate(header) if name not in _CLOCK]
    return [[row[at] for at in kept] for row in [header, *rows] if len(row) == len(header)]


def _page(file: Path) -> str:
    return _COMMAND.sub("", _TIMES.sub("", file.read_text()))


_READERS: dict[str, Callable[[Path], Any]] = {
    ".parquet": _table,
    ".npz": _arrays,
    ".json": _document,
    ".csv": _log,
    ".html": _page,
}
