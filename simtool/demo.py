"""The demo: all stages on generated toy birds.

The demo draws photographs of birds and simulates judgments. Then it runs subcommands, as a person would type them.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simtool import console
from simtool.errors import SimtoolError, listed

if TYPE_CHECKING:
    from simtool.tables.provenance import Provenance
    from simtool.toy.population import Population

__all__ = ["DemoError", "Size", "Step", "chain", "draw", "prepare_folder", "run", "run_chain", "script"]

#: The name of the known attributes in reports. No model predicts better.
KNOWN = "true attributes (known)"

_SCRIPT = "demo.sh"
_TITLE = "# simtool demo: simulated observers judge generated toy birds"
#: The commands of the demo, each below its purpose. ``@NAME`` is a file or folder of the demo.
_CHAIN = """\
# List the images. Their folders give class and group.
index-images @images --out @images.parquet
# Import the judgments of the simulated observers.
import-trials @judgments.csv --out @trials.parquet --images @images.parquet --observers simulated
# Embed each image as its pixels.
embed @images.parquet --model pixels --out @pixels.parquet
# Embed each image as the mean and the standard deviation of the colors of its middle.
embed @images.parquet --model colour --window 0.5 --out @colour.parquet
# Fit {components} principal components, once.
fit-pca @images.parquet --out @pca --components {components}
# Embed each image as its first {few} components.
embed @images.parquet --model @pca --components {few} --out @pca-{few}.parquet
# Embed each image as its first {components} components.
embed @images.parquet --model @pca --components {components} --out @pca-{components}.parquet
# Train a small residual network to tell the species apart.
train-resnet @images.parquet --out @resnet --preset tiny {validation} --restart
# Embed each image in two layers of the network.
embed @images.parquet --model @resnet --layer final --out @resnet-final.parquet
  --layer penultimate --out @resnet-penultimate.parquet
# Train a small Glow, which does not know the species.
train-glow @images.parquet --out @glow --preset tiny {validation} --restart
# Embed each image in three layers of Glow.
embed @images.parquet --model @glow --layer latent --out @glow-latent.parquet
  --layer posterior --out @glow-posterior.parquet --layer pooled --out @glow-pooled.parquet
# Predict every judgment from every table, by two distances.
score @pixels.parquet @colour.parquet @pca-{few}.parquet @pca-{components}.parquet @resnet-final.parquet
  @resnet-penultimate.parquet @glow-latent.parquet @glow-posterior.parquet @glow-pooled.parquet @true-attributes.parquet
  --trials @trials.parquet --images @images.parquet --distance mse --distance cosine --out @outcomes.parquet
# Predict every judgment from the cosine of the color of each pixel, averaged over pixels.
score @pixels.parquet --trials @trials.parquet --images @images.parquet
  --distance cosine/segments --out @outcomes-by-pixel.parquet
# Report how often each model predicts the choice of the observers.
report @outcomes.parquet @outcomes-by-pixel.parquet --figure @report.png --csv @report.csv --json @report.json
  --html @report.html --images @images.parquet --models @resnet --models @glow
"""


class DemoError(SimtoolError):
    """The demo cannot use the folder."""


@dataclass(frozen=True)
class Size:
    """The size of the demo: numbers of photographs of each of 16 species and of simulated observers, and the seed."""

    seed: int = 0
    images_per_species: int = 12
    observers: int = 60

    @property
    def images(self) -> int:
        """The number of photographs."""
        return 16 * self.images_per_species


@dataclass(frozen=True)
class Step:
    """One command of the chain: its purpose in one line, and the arguments of ``simtool``."""

    purpose: str
    arguments: tuple[str, ...]


def chain(folder: Path, images: int) -> list[Step]:
    """Return the commands of the demo, in order. A PCA has at most one component fewer than there are images."""
    components = min(100, images - 1)
    # The validation split is a fifth of each species, which needs five photographs.
    validation = "" if images >= 16 * 5 else "--validation none"
    text = _CHAIN.format(components=components, few=min(10, components), validation=validation)
    steps = []
    for block in text.removeprefix("# ").split("\n# "):
        purpose, _, command = block.partition("\n")
        words = (str(folder / word[1:]) if word.startswith("@") else word for word in command.split())
        steps.append(Step(purpose, tuple(words)))
    return steps


def prepare_folder(folder: Path, size: Size) -> None:
    """Make the folder of the demo, or clear the folder of an earlier demo; refuse a folder with other files."""
    if folder.exists() and not folder.is_dir():
        raise DemoError(f"{folder}: a file, not a folder; name another folder for the demo")
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
    """Remove the photographs of an earlier demo, which the table of known attributes lists."""
    from simtool.tables.embeddings import open_embeddings

    images, known = folder / "images", folder / "true-attributes.parquet"
    drawn = {images / name for name in open_embeddings(known).image_id} if known.exists() else set()
    found = list(images.rglob("*"))
    foreign = sorted(str(path.relative_to(folder)) for path in found if not path.is_dir() and path not in drawn)
    if foreign:
        raise DemoError(f"{images}: the demo did not draw {listed(foreign)}; move what you want to keep elsewhere")
    # Files before folders, and the deepest folders first.
    for path in sorted(found, key=lambda path: (path.is_dir(), -len(path.parts))):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()


def script(size: Size) -> str:
    """The commands of the demo as a shell script that runs from any folder."""
    lines = [
        "#!/bin/sh",
        _TITLE,
        f"# ({size.images} images, {size.observers} observers, seed {size.seed}).",
        "# These are the commands of the demo. Run them again, or adapt them to other data.",
        "set -e",
        'cd "$(dirname "$0")"',
        f"command -v simtool >/dev/null || PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH",
    ]
    for step in chain(Path(), size.images):
        lines += ["", f"# {step.purpose}", shlex.join(("simtool", *step.arguments))]
    return "\n".join(lines) + "\n"


def run(folder: Path, size: Size, command: Callable[[Sequence[str]], None]) -> None:
    """Run the demo; ``command`` runs ``simtool`` with arguments. A folder with other files is refused."""
    started = time.perf_counter()
    prepare_folder(folder, size)
    console.note(f"Toy birds and simulated observers, in {folder}/")
    draw(folder, size)
    run_chain(folder, size.images, command)
    for line in closing(folder, time.perf_counter() - started).splitlines():
        console.note(line)


def draw(folder: Path, size: Size) -> None:
    """Draw birds and simulate judgments of them: ``images/``, ``judgments.csv`` and ``true-attributes.parquet``."""
    from simtool.stages.run import stage
    from simtool.toy.observers import simulate_judgments, write_judgments
    from simtool.toy.population import draw_population

    known, images, table = folder / "true-attributes.parquet", folder / "images", folder / "judgments.csv"
    with stage("drawing", reads=(), writes=()) as run:
        population = draw_population(size.seed, images_per_species=size.images_per_species)
        # This table comes first. It lists the photographs, so that an interrupted demo can be cleared.
        _write_known(known, population, run.provenance())
        run.wrote(known, f"the known attributes of {len(population)} birds, as embeddings")
        _take_photographs(images, population, size.seed)
        families = ", ".join(population.family_names)
        run.wrote(images, f"{len(population)} images of {len(population.species_names)} species ({families})")
        judgments = simulate_judgments(population, size.observers, size.seed)
        write_judgments(table, judgments, population.image_id)
        run.wrote(table, f"{len(judgments):,} judgments of {size.observers} simulated observers")


def _write_known(path: Path, population: Population, provenance: Provenance) -> None:
    from simtool.tables.embeddings import Segment, write_embeddings
    from simtool.toy.observers import ATTENTION, known_attributes

    known = known_attributes(population)
    segments = tuple(Segment(name, length) for name, length in known.blocks)
    write_embeddings(path, population.image_id, known.weighted(ATTENTION), provenance, name=KNOWN, segments=segments)


def _take_photographs(folder: Path, population: Population, seed: int) -> None:
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    from simtool.toy.photograph import photograph

    def take(index: int) -> None:
        # Each photograph has its own random generator, so that its nuisance tells nothing about the species.
        image = photograph(population.bird(index), np.random.default_rng([seed, 2, index]))
        path = folder / population.image_id[index]
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, "JPEG", quality=90)

    # Two threads take two thirds of the time of one thread. More threads wait for each other.
    with (
        console.progress("Drawing birds", len(population), unit="images") as bar,
        ThreadPoolExecutor(max_workers=2) as threads,
    ):
        for _ in threads.map(take, range(len(population))):
            bar.advance()


def run_chain(folder: Path, images: int, run: Callable[[Sequence[str]], None]) -> None:
    """Print each command as a person would type it, and run it; :func:`draw` has filled the folder."""
    program = _program()
    for step in chain(folder, images):
        for line in ("", f"# {step.purpose}", f"$ {program} {shlex.join(step.arguments)}"):
            console.note(line)
        run(step.arguments)


def _program() -> str:
    """The name of this program in a shell: ``simtool`` if the shell finds it, else its path."""
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
    """The text after the demo: its files, and the next commands."""
    program = _program()

    def at(name: str) -> str:
        return shlex.quote(str(folder / name))

    return f"""
The demo took {seconds:.0f} s. The judgments are simulated; the birds are drawn.

  {at("report.html")}    the report as an HTML page
  {at("report.png")}     the figure
  {at("images")}         the images
  {at(_SCRIPT)}        the commands, to run again or to adapt
  {program} show {at("pca")}
  {program} show {at("outcomes.parquet")}

With real photographs and judgments (1.2 GB to download):
  {program} fetch-cub cub
  {program} fetch-judgments birds16"""
