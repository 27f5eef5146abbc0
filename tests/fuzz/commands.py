"""Malformed inputs through the command line: exit codes, one error line, no partial output."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from simtool.errors import SimtoolError
from simtool.models.folder import MANIFEST, describe_model
from simtool.tables.description import describe_table
from simtool.tables.files import open_parquet
from tests.fuzz import images, psiz, sheets
from tests.fuzz.case import Case, Made
from tests.fuzz.damage import damage
from tests.fuzz.doors import DOORS
from tests.fuzz.running import Answer
from tests.fuzz.sheets import Column, Sheet
from tests.fuzz.verdict import complaint_about

__all__ = ["COMMANDS", "command_answers", "command_cases"]

FAMILY = "command"
#: Time limit of a command in seconds, on a busy machine. TensorFlow needs ten seconds to start.
_LONGEST = 120


@dataclass(frozen=True)
class Line:
    """A command line over malformed inputs.

    Attributes:
        arguments: of ``simtool``.
        what: what was done to the inputs.
        outputs: what it would write.
        environ: further variables that it gets.
    """

    arguments: Sequence[str | Path]
    what: str
    outputs: Sequence[Path] = ()
    environ: Mapping[str, str] = field(default_factory=dict)


def _made(names: Sequence[str], chance: Random, folder: Path) -> Made:
    """A malformed input of one of several readers."""
    door = DOORS[chance.choice(names)]
    folder.mkdir(exist_ok=True)
    if door.structured is not None and (door.valid is None or chance.random() < 0.6):
        return door.structured(chance, folder)
    assert door.valid is not None
    made = door.valid(chance, folder)
    made.what = damage(chance.choice(made.files), chance)
    return made


def _show(chance: Random, folder: Path) -> Line:
    made = _made(("images", "embeddings", "trials", "outcomes", "models", "kinds"), chance, folder)
    return Line(["show", made.path, *chance.choice(([], ["--json"]))], made.what)


def _changed(sheet: Sheet, path: Path, chance: Random) -> str:
    """Write a table that is faulty or damaged."""
    if chance.random() < 0.6:
        words, sheet = sheets.mutate(sheet, chance)
        sheets.write(path, sheet)
        return words
    sheets.write(path, sheet)
    return damage(path, chance)


def _score(chance: Random, folder: Path) -> Line:
    trials, vectors = folder / "trials.parquet", folder / "vectors.parquet"
    names = [f"{chr(97 + at)}.jpg" for at in range(10)]
    values = [[chance.random() for _ in range(3)] for _ in names]
    embeddings = Sheet((Column("image_id", sheets.TEXT, names), Column("embedding", sheets.VECTOR, values)))
    if chance.random() < 0.5:
        words = _changed(sheets.trials(chance), trials, chance)
        sheets.write(vectors, embeddings)
    else:
        sheets.write(trials, sheets.trials(chance))
        words = _changed(embeddings, vectors, chance)
    out = folder / "outcomes.parquet"
    return Line(["score", vectors, "--trials", trials, "--out", out], words, [out])


def _report(chance: Random, folder: Path) -> Line:
    made = _made(("outcomes",), chance, folder)
    outputs = [folder / f"report{suffix}" for suffix in (".csv", ".json", ".html", ".md")]
    options = [
        part
        for name, path in zip(("csv", "json", "html", "markdown"), outputs, strict=True)
        for part in (f"--{name}", path)
    ]
    return Line(["report", made.path, "--replicates", "100", *options], made.what, outputs)


def _photographs(chance: Random, folder: Path) -> tuple[Path, str]:
    """A table of images with its files, one of them malformed."""
    (folder / "images").mkdir()
    names = [f"{at}.png" for at in range(4)]
    for name in names:
        (folder / "images" / name).write_bytes(images.encoded(images.picture(chance), "RGB", "PNG"))
    sheet = Sheet(
        (
            Column("image_id", sheets.TEXT, names),
            Column("path", sheets.TEXT, [f"images/{name}" for name in names]),
            Column("class_id", sheets.CLASS, [0, 1, 0, 1]),
            Column("class_name", sheets.TEXT, ["x", "y", "x", "y"]),
            Column("split", sheets.TEXT, ["train", "train", "test", "test"]),
        )
    )
    table = folder / "images.parquet"
    if chance.random() < 0.5:
        return table, _changed(sheet, table, chance)
    sheets.write(table, sheet)
    return table, damage(folder / "images" / names[1], chance)


def _embed(chance: Random, folder: Path) -> Line:
    table, words = _photographs(chance, folder)
    out = folder / "vectors.parquet"
    environ: Mapping[str, str] = {}
    if chance.random() < 0.3:
        made = _made(("slurm",), chance, folder / "environment")
        environ, words = {key: value for key, value in made.other.items() if "\0" not in value}, f"{words}; {made.what}"
    return Line(["embed", table, "--model", "pixels", "--size", "4", "--out", out], words, [out], environ)


def _fit_pca(chance: Random, folder: Path) -> Line:
    table, words = _photographs(chance, folder)
    out = folder / "pca"
    return Line(["fit-pca", table, "--size", "4", "--components", "2", "--out", out], words, [out])


def _train(chance: Random, folder: Path) -> Line:
    table, words = _photographs(chance, folder)
    command = chance.choice(("train-resnet", "train-glow", "train-jet"))
    return Line([command, table, "--preset", "tiny", "--dry-run", "--out", folder / "model"], words, [folder / "model"])


def _compress(chance: Random, folder: Path) -> Line:
    made = _made(("embeddings",), chance, folder / "in")
    out = folder / "components.parquet"
    return Line(["compress", made.path, "--components", "2", "--out", out], made.what, [out])


def _combine(chance: Random, folder: Path) -> Line:
    made = _made(("embeddings",), chance, folder / "in")
    out = folder / "standardized.parquet"
    return Line(["combine", made.path, "--standardize", "--out", out], made.what, [out])


def _import_embeddings(chance: Random, folder: Path) -> Line:
    made = _made(("vectors",), chance, folder / "in")
    out = folder / "vectors.parquet"
    ids = ["--ids", made.other] if made.other is not None else []
    return Line(["import-embeddings", made.path, *ids, "--out", out], made.what, [out])


def _import_trials(chance: Random, folder: Path) -> Line:
    made = _made(("triplets", "triplets", "observations", "sequences"), chance, folder / "in")
    out = folder / "trials.parquet"
    catalog = ["--catalog", made.other] if made.other is not None else []
    return Line(["import-trials", made.path, *catalog, "--out", out], made.what, [out])


def _import_distances(chance: Random, folder: Path) -> Line:
    made = _made(("distances",), chance, folder / "in")
    out = folder / "distances.parquet"
    names = ["--names", made.other] if made.other is not None else []
    return Line(["import-distances", made.path, *names, "--out", out], made.what, [out])


def _import_catalog(chance: Random, folder: Path) -> Line:
    source, out = folder / "obs.hdf5", folder / "trials.parquet"
    psiz.write_hdf5(source, psiz.observations(chance, 1))
    made = _made(("catalog",), chance, folder / "in")
    return Line(["import-trials", source, "--catalog", made.path, "--out", out], made.what, [out])


def _index_images(chance: Random, folder: Path) -> Line:
    made = _made(("folders",), chance, folder / "in")
    out = folder / "images.parquet"
    return Line(["index-images", made.path, "--out", out, *chance.choice(([], ["--skip-bad"]))], made.what, [out])


def _fetch_cub(chance: Random, folder: Path) -> Line:
    made = _made(("cub", "cub", "archives"), chance, folder / "in")
    return Line(["fetch-cub", folder / "cub", "--archive", made.path], made.what, [folder / "cub" / "images.parquet"])


def _fetch_judgments(chance: Random, folder: Path) -> Line:
    made = _made(("sequences", "copies"), chance, folder / "in")
    names = [psiz.image(number) for number in range(1, 13)]
    table = folder / "images.parquet"
    sheets.write(table, Sheet((Column("image_id", sheets.TEXT, names), Column("path", sheets.TEXT, names))))
    outputs = [folder / "birds" / name for name in ("images.parquet", "trials.parquet")]
    return Line(["fetch-judgments", folder / "birds", "--archive", made.path, "--images", table], made.what, outputs)


def _sample(chance: Random, folder: Path) -> Line:
    made = _made(("models",), chance, folder / "in")
    manifest = made.path / MANIFEST
    if manifest.is_file() and chance.random() < 0.7:
        manifest.write_bytes(manifest.read_bytes().replace(b'"pca"', b'"glow"'))
    out = folder / "samples.png"
    return Line(["sample", made.path, "--out", out], made.what, [out])


def _embed_model(chance: Random, folder: Path) -> Line:
    made = _made(("models",), chance, folder / "in")
    table, _ = _photographs(Random(0), folder)
    out = folder / "vectors.parquet"
    return Line(["embed", table, "--model", made.path, "--out", out], made.what, [out])


#: The generator of command lines of each subcommand, and their number.
COMMANDS: Mapping[str, tuple[Callable[[Random, Path], Line], int]] = {
    "show": (_show, 24),
    "score": (_score, 24),
    "report": (_report, 16),
    "embed": (_embed, 16),
    "embed-model": (_embed_model, 10),
    "compress": (_compress, 12),
    "combine": (_combine, 12),
    "import-embeddings": (_import_embeddings, 20),
    "import-trials": (_import_trials, 30),
    "import-catalog": (_import_catalog, 12),
    "import-distances": (_import_distances, 12),
    "index-images": (_index_images, 12),
    "fit-pca": (_fit_pca, 8),
    "fetch-cub": (_fetch_cub, 12),
    "fetch-judgments": (_fetch_judgments, 12),
    "sample": (_sample, 6),
    "train": (_train, 8),
}


def command_cases() -> list[Case]:
    """Every command line of a whole run."""
    return [Case(name, FAMILY, number) for name, (_, count) in COMMANDS.items() for number in range(count)]


def command_answers(cases: Sequence[Case], seed: int, workers: int, failures: Path | None = None) -> Iterator[Answer]:
    """Run command lines, and yield the result of each."""
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(lambda case: _answer(case, seed, failures), cases)


def _answer(case: Case, seed: int, failures: Path | None) -> Answer:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        folder = Path(place)
        line = COMMANDS[case.door][0](case.chance(seed), folder)
        wrong = _run(line, folder)
        if wrong is not None and failures is not None:
            target = failures / str(case).replace("/", "-")
            subprocess.run(["cp", "-a", "--", place, target], check=False)
    return Answer(case, f"{' '.join(map(str, line.arguments))}: {line.what}", wrong)


def _run(line: Line, folder: Path) -> str | None:
    before = _digests(folder)
    command = [sys.executable, "-m", "simtool", *map(str, line.arguments)]
    started = time.monotonic()
    environ = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **line.environ}
    try:
        done = subprocess.run(
            command, env=environ, capture_output=True, timeout=_LONGEST, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return f"hangs: more than {time.monotonic() - started:.0f} s"
    said = done.stderr.decode(errors="replace")
    return _of_end(done.returncode, said) or _of_files(line, folder, before, done.returncode)


def _of_end(code: int, said: str) -> str | None:
    """The error in the exit code or messages of a command; None if they are right."""
    if code not in (0, 1, 2) or "Traceback" in said or "unexpected error" in said:
        return f"code {code}: {said[-500:]}"
    lines = said.strip().splitlines()
    if code == 1:
        if not lines or not lines[-1].startswith("error: "):
            return f"no line of error at the end: {said[-300:]}"
        return complaint_about(lines[-1])
    return None


def _of_files(line: Line, folder: Path, before: Mapping[Path, str], code: int) -> str | None:
    """The error in the files that a command left; None if they are right."""
    after = _digests(folder)
    if changed := [path for path, digest in before.items() if after.get(path) != digest]:
        return f"an input has changed: {changed[0]}"
    for output in line.outputs:
        if code == 0 and output.exists() and (complaint := _invalid(output)):
            return f"the output is not valid: {complaint}"
        if code != 0 and output.exists():
            return f"failed, and left {output.name}"
    left = [path.name for path in folder.rglob("*") if path.name.endswith(".tmp") or ".unpacking" in path.name]
    return f"left {left}" if left else None


def _invalid(output: Path) -> str | None:
    try:
        if output.is_dir() and not (output / MANIFEST).exists():
            for part in output.glob("*.parquet"):  # of a task of SLURM, which may have no rows
                open_parquet(part)
        elif output.is_dir():
            describe_model(output)
        elif output.suffix == ".parquet":
            describe_table(output)
        elif output.suffix == ".json":
            json.loads(output.read_text())
    except (SimtoolError, ValueError) as failure:
        return str(failure)
    return None


def _digests(folder: Path) -> dict[Path, str]:
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
