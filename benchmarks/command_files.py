"""Make an input file of benchmarks/commands.py from a seed: ``command_files.py PATH FILE DATA TRIALS PAIRS``.

FILE is a key of MAKERS. The program runs in a separate process, so that its memory does not count as the memory of a
command. The tables are written by pyarrow alone: every version of simtool reads them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from benchmarks.score import make_cards
else:
    from score import make_cards

__all__ = ["MAKERS"]

#: Images and dimensions by kind of data. A sixth of the mixed trials are 8-rank-2, the trials of "odd" are 3-odd-1, and
#: all others are 2-choose-1. The labelled data are the mixed data, with the classes and groups of images in outcomes.
SHAPES = {"mixed": (11_788, 2048), "labelled": (11_788, 2048), "things": (1854, 768), "odd": (1854, 768)}
MIXED = ("mixed", "labelled")
#: Images of a class, and of a group of classes.
CLASS, GROUP = 59, 5 * 59
#: Type, selected positions and comparisons of the trials that make_cards names.
KINDS = {"two": ("2-choose-1", [0], 1), "eight": ("8-rank-2", [0, 1], 13), "odd": ("3-odd-1", [2], 2)}
PARTICIPANTS = 100
#: Rows of a table in memory at a time.
ROWS = 1 << 17
#: Toy photographs, and their width and height.
PHOTOGRAPHS, FORMAT = 208, (500, 375)
#: The accuracies of the first and the last pair of model and distance.
WORST, BEST = 0.55, 0.75


def image_ids(data: str) -> pa.Array:
    """Image ids as long as those of CUB (mixed) or of THINGS."""
    if data not in MIXED:
        return pa.array([f"object_{image:04d}/object_{image:04d}_01b.jpg" for image in range(SHAPES[data][0])])
    return pa.array(
        [
            f"{image // CLASS:03d}.Some_kind_of_bird/Some_kind_of_bird_{image:05d}_{7 * image}.jpg"
            for image in range(SHAPES[data][0])
        ]
    )


def judgments(data: str, trials: int) -> Iterator[tuple[int, pa.Table]]:
    """The columns of trials, in pieces, and the number of comparisons of each trial of a piece."""
    ids = image_ids(data)
    ranked = trials // 6 if data in MIXED else 0
    people = np.random.default_rng(2).integers(0, PARTICIPANTS, trials)
    done = 0
    sizes = (0, 0, trials) if data == "odd" else (trials - ranked, ranked, 0)
    for name, cards in make_cards(SHAPES[data][0], *sizes).items():
        kind, selected, comparisons = KINDS[name]
        for start in range(0, len(cards), ROWS):
            some = cards[start : start + ROWS]
            shown = some if name == "odd" else some[:, 1:]
            count, length = shown.shape
            query = ids.take(pa.array(some[:, 0])) if name != "odd" else pa.nulls(count, pa.string())
            participants = [f"participant-{person:03d}" for person in range(PARTICIPANTS)]
            columns = {
                "trial_id": pa.array(np.arange(done, done + count)),
                "trial_type": pa.array([kind]).take(pa.array(np.zeros(count, np.int8))),
                "query": query,
                "references": lists(ids.take(pa.array(shown.ravel())), length),
                "selected": lists(pa.array(np.tile(np.array(selected, np.int8), count)), len(selected)),
                "participant": pa.array(participants).take(pa.array(people[done : done + count])),
            }
            if data == "labelled":
                columns |= classes(some[:, 0], shown, "class", "classes", CLASS)
                columns |= classes(some[:, 0], shown, "group", "groups", GROUP)
            yield comparisons, pa.table(columns)
            done += count


def classes(query: np.ndarray, shown: np.ndarray, one: str, many: str, size: int) -> dict[str, pa.Array]:
    """The columns that ``score --images`` adds: the names of the classes, of ``size`` images each."""
    names = pa.array([f"{one} {at:03d}" for at in range(SHAPES["labelled"][0] // size + 1)])

    def named(images: np.ndarray) -> pa.Array:
        return names.take(pa.array(images // size))

    return {f"query_{one}": named(query), f"reference_{many}": lists(named(shown.ravel()), shown.shape[1])}


def lists(values: pa.Array, length: int) -> pa.ListArray:
    """Lists of equal length."""
    return pa.ListArray.from_arrays(pa.array(np.arange(0, len(values) + 1, length, dtype=np.int32)), values)


def write(path: Path, kind: str, version: int, tables: Iterator[pa.Table], **stated: Any) -> None:
    """Write the pieces of a table of the contract."""
    first = next(tables)
    metadata = {"table": kind, "version": version, "created_by": "benchmark", **stated}
    schema = first.schema.with_metadata({"simtool": json.dumps(metadata)})
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        for table in (first, *tables):
            writer.write_table(table.cast(schema))


def make_trials(path: Path, data: str, trials: int, _pairs: int) -> None:
    write(path, "trials", 1, (table for _, table in judgments(data, trials)))


def make_outcomes(path: Path, data: str, trials: int, pairs: int) -> None:
    """Outcomes of pairs of models and distances, with a planted accuracy each."""
    rng, accuracies = np.random.default_rng(3), np.linspace(WORST, BEST, pairs)
    labels = [(f"model-{pair // 2:02d}", ("mse", "cosine")[pair % 2]) for pair in range(pairs)]
    names = [f"credit: {model}, {distance}" for model, distance in labels]

    def tables() -> Iterator[pa.Table]:
        for comparisons, judged in judgments(data, trials):
            table = judged
            for name, accuracy in zip(names, accuracies, strict=True):
                right = rng.random(len(table) * comparisons, np.float32) < accuracy
                table = table.append_column(name, lists(pa.array(right.astype(np.float32)), comparisons))
            yield table

    stated = [{"column": name, "model": pair[0], "distance": pair[1]} for name, pair in zip(names, labels, strict=True)]
    write(path, "outcomes", 2, tables(), credit=stated)


def make_csv(path: Path, data: str, trials: int, _pairs: int) -> None:
    """2-choose-1 or 3-odd-1 judgments as a CSV."""
    (cards,) = make_cards(SHAPES[data][0], *((0, 0, trials) if data == "odd" else (trials, 0))).values()
    ids = image_ids(data)
    choices = (("query", "reference_1", "reference_2"), "selected_1", "reference_1")
    odd = (("image_1", "image_2", "image_3"), "odd_one", "image_3")
    names, answer, selected = odd if data == "odd" else choices
    columns = {name: ids.take(pa.array(cards[:, place])) for place, name in enumerate(names)}
    columns[answer] = columns[selected]
    people = np.random.default_rng(2).integers(0, PARTICIPANTS, trials)
    columns["participant"] = pa.array([f"participant-{person:03d}" for person in people])
    pa.csv.write_csv(pa.table(columns), path, pa.csv.WriteOptions(quoting_style="none"))


def make_vectors(path: Path, data: str, _trials: int, _pairs: int) -> None:
    """A table of embeddings: Gaussian vectors."""
    count, dimension = SHAPES[data]
    values = pa.array(np.random.default_rng(0).standard_normal((count, dimension), np.float32).ravel())
    vectors = pa.FixedSizeListArray.from_arrays(values, dimension)
    stated = {"name": data, "dimension": dimension}
    write(path, "embeddings", 1, iter([pa.table({"image_id": image_ids(data), "embedding": vectors})]), **stated)


def make_images(path: Path, _data: str, _trials: int, _pairs: int) -> None:
    """Toy photographs in a folder for each species, ``PATH/photographs``, and their table, ``PATH/images.parquet``."""
    from simtool.toy.photograph import photograph
    from simtool.toy.population import draw_population

    population = draw_population(0, images_per_species=PHOTOGRAPHS // 16)

    def take(index: int) -> None:
        image = photograph(population.bird(index), np.random.default_rng([0, 2, index])).resize(FORMAT)
        file = path / "photographs" / population.image_id[index]
        file.parent.mkdir(parents=True, exist_ok=True)
        image.save(file, "JPEG", quality=90)

    with ThreadPoolExecutor(max_workers=2) as threads:
        list(threads.map(take, range(len(population))))
    ids = population.image_id
    table = pa.table({"image_id": pa.array(ids), "path": pa.array([f"photographs/{name}" for name in ids])})
    write(path / "images.parquet", "images", 1, iter([table]))


MAKERS: dict[str, Callable[[Path, str, int, int], None]] = {
    "vectors.parquet": make_vectors,
    "trials.parquet": make_trials,
    "outcomes.parquet": make_outcomes,
    "judgments.csv": make_csv,
    "images": make_images,
}


if __name__ == "__main__":
    MAKERS[sys.argv[2]](Path(sys.argv[1]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
