"""The whole chain on generated toy birds: the same subcommands that a person would type, one after the other.

Birds, photographs and judgments are generated first; everything after that is a list of command lines.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simtool import console
from simtool.errors import SimtoolError, listed

if TYPE_CHECKING:
    from simtool.tables.provenance import Provenance
    from simtool.toy.population import Population

__all__ = ["DemoError", "Size", "Step", "chain", "draw", "prepare_folder", "run_chain", "script"]

#: The name of the known attributes in reports; the best that a model could do.
KNOWN = "true attributes (known)"

_SCRIPT = "demo.sh"
_TITLE = "# simtool demo: simulated observers judge generated toy birds"


class DemoError(SimtoolError):
    """The demo cannot work in the folder it was given."""


@dataclass(frozen=True)
class Size:
    """How much the demo generates.

    Attributes:
        seed: of birds, photographs and judgments.
        images_per_species: photographs of each of 16 species.
        observers: simulated observers.
    """

    seed: int = 0
    images_per_species: int = 12
    observers: int = 60

    @property
    def images(self) -> int:
        """The number of photographs."""
        return 16 * self.images_per_species


@dataclass(frozen=True)
class Step:
    """One command of the chain.

    Attributes:
        purpose: what it is for, in a line.
        arguments: what follows ``simtool`` on its command line.
    """

    purpose: str
    arguments: tuple[str, ...]


def chain(folder: Path, images: int) -> list[Step]:
    """The commands of the demo, in order.

    Args:
        folder: where the demo's files are.
        images: how many photographs there are; PCA cannot have more components than their number less one.
    """
    components = min(100, images - 1)
    few = min(10, components)

    def at(name: str) -> str:
        return str(folder / name)

    resnet = {layer: at(f"resnet-{layer}.parquet") for layer in ("final", "penultimate")}
    glow = {layer: at(f"glow-{layer}.parquet") for layer in ("latent", "posterior", "pooled")}
    embeddings = [at("pixels.parquet"), at(f"pca-{few}.parquet"), at(f"pca-{components}.parquet")]
    tables = [*embeddings, *resnet.values(), *glow.values()]

    # A fifth of each species is held out, where it has five photographs.
    holdout = () if images >= 16 * 5 else ("--validation", "none")

    def layers_of(model: str, tables: dict[str, str]) -> tuple[str, ...]:
        pairs = (word for layer, table in tables.items() for word in ("--layer", layer, "--out", table))
        return ("embed", at("images.parquet"), "--model", at(model), *pairs)

    return [
        Step(
            "List the photographs: their folders give class and group.",
            ("index-images", at("images"), "--out", at("images.parquet")),
        ),
        Step(
            "Import the judgments of the simulated observers.",
            (
                *("import-trials", at("judgments.csv"), "--out", at("trials.parquet")),
                *("--images", at("images.parquet"), "--observers", "simulated"),
            ),
        ),
        Step(
            "Embed each photograph as its pixels.",
            ("embed", at("images.parquet"), "--model", "pixels", "--out", embeddings[0]),
        ),
        Step(
            f"Fit {components} principal components, once.",
            ("fit-pca", at("images.parquet"), "--out", at("pca"), "--components", str(components)),
        ),
        *(
            Step(
                f"Embed each photograph as its first {count} components.",
                ("embed", at("images.parquet"), "--model", at("pca"), "--components", str(count), "--out", out),
            )
            for count, out in zip((few, components), embeddings[1:], strict=True)
        ),
        Step(
            "Train a small residual network to tell the species apart.",
            ("train-resnet", at("images.parquet"), "--out", at("resnet"), "--preset", "tiny", *holdout, "--restart"),
        ),
        Step("Embed each photograph as its last and its second-last layer.", layers_of("resnet", resnet)),
        Step(
            "Train a small Glow, which sees no species.",
            ("train-glow", at("images.parquet"), "--out", at("glow"), "--preset", "tiny", *holdout, "--restart"),
        ),
        Step("Embed each photograph as Glow's latents, and by what is made of them.", layers_of("glow", glow)),
        Step(
            "Predict every judgment from every table, by two distances.",
            (
                *("score", *tables, at("true-attributes.parquet"), "--trials", at("trials.parquet")),
                *("--images", at("images.parquet"), "--distance", "mse", "--distance", "cosine"),
                *("--out", at("outcomes.parquet")),
            ),
        ),
        Step(
            "The same from the cosine of each pixel's color, averaged over pixels.",
            (
                *("score", embeddings[0], "--trials", at("trials.parquet"), "--images", at("images.parquet")),
                *("--distance", "cosine/segments", "--out", at("outcomes-by-pixel.parquet")),
            ),
        ),
        Step(
            "Report how often each model predicts what the observers chose.",
            (
                *("report", at("outcomes.parquet"), at("outcomes-by-pixel.parquet")),
                *("--figure", at("report.png"), "--html", at("report.html")),
                *("--csv", at("report.csv"), "--json", at("report.json")),
            ),
        ),
    ]


def prepare_folder(folder: Path, size: Size) -> None:
    """Make the demo's folder, or take over one that an earlier demo made.

    Args:
        folder: the folder; of what it holds, only the demo's own files are replaced.
        size: goes into the folder's script.

    Raises:
        DemoError: something else is there.
    """
    if folder.exists() and not folder.is_dir():
        raise DemoError(f"{folder}: a file, not a folder; name another place for the demo")
    if folder.is_dir() and any(folder.iterdir()):
        if not _made_by_demo(folder):
            found = sorted(path.name for path in folder.iterdir())
            raise DemoError(f"{folder}: holds {listed(found)}, not an earlier demo; name another folder")
        _clear_photographs(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _SCRIPT
    path.write_text(script(size), encoding="utf-8")
    path.chmod(0o755)


def _made_by_demo(folder: Path) -> bool:
    path = folder / _SCRIPT
    return path.is_file() and _TITLE in path.read_text(encoding="utf-8", errors="replace").splitlines()


def _clear_photographs(folder: Path) -> None:
    """Remove an earlier demo's photographs, which the table of known attributes lists, and nothing else."""
    from simtool.tables.embeddings import open_embeddings

    images, known = folder / "images", folder / "true-attributes.parquet"
    drawn = {images / name for name in open_embeddings(known).image_id} if known.exists() else set()
    found = list(images.rglob("*"))
    strangers = sorted(str(path.relative_to(folder)) for path in found if not path.is_dir() and path not in drawn)
    if strangers:
        raise DemoError(f"{images}: the demo did not draw {listed(strangers)}; move what you want to keep elsewhere")
    # Files before the folders that they are in, and those from the deepest upwards.
    for path in sorted(found, key=lambda path: (path.is_dir(), -len(path.parts))):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()


def script(size: Size) -> str:
    """The commands of the chain as a shell script that runs from anywhere."""
    lines = [
        "#!/bin/sh",
        _TITLE,
        f"# ({size.images} photographs, {size.observers} observers, seed {size.seed}).",
        "# These are the commands of the demo, to be run again, and to be adapted to other data.",
        "set -e",
        'cd "$(dirname "$0")"',
        f"command -v simtool >/dev/null || PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH",
    ]
    for step in chain(Path(), size.images):
        lines += ["", f"# {step.purpose}", shlex.join(("simtool", *step.arguments))]
    return "\n".join(lines) + "\n"


def draw(folder: Path, size: Size, provenance: Provenance) -> Iterator[str]:
    """Generate birds, photographs and judgments.

    Args:
        folder: gets ``images/``, ``judgments.csv`` and ``true-attributes.parquet``.
        size: how many, and the seed.
        provenance: of the table of known attributes.

    Yields:
        A line on each thing that was written.
    """
    from simtool.toy.observers import simulate_judgments, write_judgments
    from simtool.toy.population import draw_population

    population = draw_population(size.seed, images_per_species=size.images_per_species)
    # First the list of what belongs to the demo, so that a demo that was broken off can be cleared away.
    _write_known(folder / "true-attributes.parquet", population, provenance)
    yield f"{folder / 'true-attributes.parquet'}: what is known of {len(population)} birds, as embeddings"
    _take_photographs(folder / "images", population, size.seed)
    families = ", ".join(population.family_names)
    yield f"{folder / 'images'}: {len(population)} photographs of {len(population.species_names)} species ({families})"
    judgments = simulate_judgments(population, size.observers, size.seed)
    write_judgments(folder / "judgments.csv", judgments, population.image_id)
    yield f"{folder / 'judgments.csv'}: {len(judgments):,} judgments of {size.observers} simulated observers"


def _write_known(path: Path, population: Population, provenance: Provenance) -> None:
    from simtool.tables.embeddings import Segment, write_embeddings
    from simtool.toy.observers import ATTENTION, known_attributes

    known = known_attributes(population)
    segments = tuple(Segment(name, length) for name, length in known.blocks)
    write_embeddings(path, population.image_id, known.weighted(ATTENTION), provenance, name=KNOWN, segments=segments)


def _take_photographs(folder: Path, population: Population, seed: int) -> None:
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    from simtool.toy.photograph import photograph, save_photograph

    def take(index: int) -> None:
        # Each picture has a generator of its own, whatever the bird: nuisance says nothing about species.
        image = photograph(population.bird(index), np.random.default_rng([seed, 2, index]))
        save_photograph(image, folder / population.image_id[index])

    # Two threads take two thirds of the time of one; with more they wait for each other.
    with (
        console.progress("Drawing birds", len(population), unit="photographs") as bar,
        ThreadPoolExecutor(max_workers=2) as threads,
    ):
        for _ in threads.map(take, range(len(population))):
            bar.advance()


def run_chain(folder: Path, images: int, run: Callable[[Sequence[str]], None]) -> None:
    """Print each command as a person would type it, and run it.

    Args:
        folder: the demo's folder, with what ``draw`` wrote.
        images: how many photographs there are.
        run: runs ``simtool`` with arguments.
    """
    program = _program()
    for step in chain(folder, images):
        for line in ("", f"# {step.purpose}", f"$ {program} {shlex.join(step.arguments)}"):
            console.note(line)
        run(step.arguments)


def _program() -> str:
    """How a person here calls this program: ``simtool`` where the shell finds it, else by its path."""
    import shutil

    beside = Path(sys.executable).parent / "simtool"
    found = shutil.which("simtool")
    if not beside.exists():
        return "simtool" if found else f"{shlex.quote(sys.executable)} -m simtool"
    if found and Path(found).samefile(beside):
        return "simtool"
    # The shorter of the two ways to spell the path.
    return shlex.quote(min(os.path.relpath(beside), str(beside), key=len))


def closing(folder: Path, seconds: float) -> str:
    """What a person can look at after the demo, and where to go from there."""
    program = _program()

    def at(name: str) -> str:
        return shlex.quote(str(folder / name))

    return "\n".join(
        (
            "",
            f"The whole chain took {seconds:.0f} s. The judgments are simulated; the birds are drawn.",
            "",
            f"  {at('report.html')}    the report as a page",
            f"  {at('report.png')}     the figure",
            f"  {at('images')}         the photographs",
            f"  {at(_SCRIPT)}        the commands, to run again and to adapt",
            f"  {program} show {at('pca')}",
            f"  {program} show {at('outcomes.parquet')}",
            "",
            "With real photographs and judgments (1.2 GB to download):",
            f"  {program} fetch-cub cub",
            f"  {program} fetch-judgments birds16",
        )
    )
