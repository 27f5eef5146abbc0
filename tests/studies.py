"""Small generated studies of judgments, and writers for every format."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from hypothesis import strategies as st
from PIL import Image

from simtool.tables.trials import Trials

__all__ = [
    "IMAGES",
    "Judgment",
    "catch",
    "expected",
    "judgments",
    "local_id",
    "plain",
    "sequence",
    "timestep",
    "write_csv",
    "write_hdf5",
    "write_hdf5_catalog",
    "write_photographs",
    "write_sequences",
    "write_stimuli",
    "zipped",
]

#: 40 images of 4 species in 2 families, in the order of their numbers, which differs from the order of their names.
IMAGES = tuple(
    f"Bird/Family_{number % 2}/Species_{number % 4}/bird_{(number * 7) % 40:04d}.jpg" for number in range(40)
)


@dataclass(frozen=True)
class Judgment:
    """A trial, images by their position in IMAGES, selections by position among the references."""

    query: int
    references: tuple[int, ...]
    selected: tuple[int, ...]
    ranked: bool = True
    participant: str = "p"
    session: int = 1
    weight: float = 1.0
    response_ms: int = 1000

    def answers_first(self) -> Judgment:
        """The same judgment as psiz stores it: the selected references come first."""
        others = [image for place, image in enumerate(self.references) if place not in self.selected]
        chosen = [self.references[place] for place in self.selected]
        return replace(self, references=(*chosen, *others), selected=tuple(range(len(chosen))))

    @property
    def kind(self) -> str:
        manner = "rank" if self.ranked and len(self.selected) > 1 else "choose"
        return f"{len(self.references)}-{manner}-{len(self.selected)}"


def catch(query: int = 3, others: Sequence[int] = (7, 8, 9)) -> Judgment:
    """A catch trial: the query is its own first reference."""
    return Judgment(query, (query, *others), (0,))


@st.composite
def judgments(draw: st.DrawFn, ranked: bool | None = None, most: int = 12) -> list[Judgment]:
    """Studies of one to twelve judgments of mixed types."""
    study = []
    for _ in range(draw(st.integers(1, most))):
        n_reference = draw(st.integers(2, 9))
        shown = draw(st.permutations(range(len(IMAGES)))).copy()[: n_reference + 1]
        n_select = draw(st.integers(1, n_reference - 1))
        study.append(
            Judgment(
                query=shown[0],
                references=tuple(shown[1:]),
                selected=tuple(draw(st.permutations(range(n_reference)))[:n_select]),
                ranked=draw(st.booleans()) if ranked is None else ranked,
                participant=draw(st.sampled_from(["ann", "bob", "Zoë"])),
                session=draw(st.integers(1, 5)),
                weight=draw(st.sampled_from([0.25, 0.5, 1.0])),
                response_ms=draw(st.integers(0, 10**6)),
            )
        )
    return study


def plain(trials: Trials) -> list[dict[str, Any]]:
    """Trials as rows of plain values with image ids, to compare two sources."""
    return [
        {
            "trial_id": int(trials.trial_id[row]),
            "kind": str(trials.types[trials.type_index[row]]),
            "query": trials.images[trials.query[row]],
            "references": [trials.images[place] for place in trials.references[row] if place >= 0],
            "selected": [int(place) for place in trials.selected[row] if place >= 0],
            "participant": trials.participant[row],
            "session": trials.session[row],
            "weight": None if np.isnan(trials.weight[row]) else float(trials.weight[row]),
            "response_ms": None if np.isnan(trials.response_ms[row]) else float(trials.response_ms[row]),
        }
        for row in range(len(trials))
    ]


def expected(study: Sequence[Judgment], **details: Any) -> list[dict[str, Any]]:
    """The expected result of :func:`plain`; ``details`` overrides columns that a format does not have."""
    return [
        {
            "trial_id": row,
            "kind": judgment.kind,
            "query": IMAGES[judgment.query],
            "references": [IMAGES[image] for image in judgment.references],
            "selected": list(judgment.selected),
            "participant": judgment.participant,
            "session": str(judgment.session),
            "weight": judgment.weight,
            "response_ms": float(judgment.response_ms),
            **details,
        }
        for row, judgment in enumerate(study)
    ]


def write_hdf5(path: Path, study: Sequence[Judgment], modern: bool, **replaced: Any) -> Path:
    """Write psiz observations: of psiz 0.6 (numbers from 1, padding 0) or of 2018 (from 0, padding -1).

    ``replaced`` gives datasets another content; None leaves one out.
    """
    stored = [judgment.answers_first() for judgment in study]
    width = 1 + max(len(judgment.references) for judgment in stored)
    stimulus_set = np.full((len(stored), width), -1, np.int32)
    for row, judgment in enumerate(stored):
        stimulus_set[row, : 1 + len(judgment.references)] = [judgment.query, *judgment.references]
    datasets: dict[str, Any] = {
        "stimulus_set": stimulus_set + (1 if modern else 0),
        "n_select": np.array([len(judgment.selected) for judgment in stored], np.int32),
        "is_ranked": np.array([judgment.ranked for judgment in stored]),
    }
    if modern:
        datasets |= {
            "class_name": "RankObservations",
            "mask_zero": True,
            "groups": np.zeros((len(stored), 1), np.int32),
            "agent_id": np.zeros(len(stored), np.int32),
            "session_id": np.array([judgment.session for judgment in stored], np.int32),
            "weight": np.array([judgment.weight for judgment in stored]),
            "rt_ms": np.array([judgment.response_ms for judgment in stored], float),
        }
    else:
        datasets |= {"trial_type": "Observations", "group_id": np.zeros(len(stored), np.int32)}
    with h5py.File(path, "w") as file:
        for name, content in (datasets | replaced).items():
            if content is not None:
                file.create_dataset(name, data=content)
    return path


def write_hdf5_catalog(path: Path, first: int = 1, images: Sequence[str] = IMAGES) -> Path:
    """Write a psiz catalog, its numbers counted from ``first``."""
    with h5py.File(path, "w") as file:
        file.create_dataset("stimulus_id", data=np.arange(len(images)) + first)
        file.create_dataset("stimulus_filepath", data=np.array(images, dtype="S"))
        file.create_dataset("class_id", data=np.zeros(len(images), int))
    return path


def local_id(image: int) -> str:
    """The number of an image (from 1) in seven digits of base 36."""
    digits, number = "", image + 1
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + digits
    return digits.rjust(7, "0")


def write_stimuli(path: Path) -> Path:
    """Write a ``stimuli.txt`` as psiz-datasets does: paths begin with the name of the set."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["local_id|filepath|taxonomic_family|common_name"]
    for number, name in enumerate(IMAGES):
        _, family, species, file = name.split("/")
        lines.append(f"{local_id(number)}|/birds_16/{family}/{species}/{file}|{family}|{species.replace('_', ' ')}")
    path.write_text("\n".join(lines) + "\n")
    return path


def timestep(judgment: Judgment, **replaced: Any) -> dict[str, Any]:
    """A judgment as psiz-datasets writes it."""

    def interaction(kind: str, image: int) -> dict[str, str]:
        return {"time_begin": "2016-07-27T22:51:50", "kind": kind, "detail": f"PZ001{local_id(image)}"}

    interactions = [interaction("content:query", judgment.query)]
    interactions += [interaction(f"content:reference_{i}", image) for i, image in enumerate(judgment.references)]
    interactions += [
        interaction(f"behavior:rank_{j}", judgment.references[place]) for j, place in enumerate(judgment.selected)
    ]
    interactions.append({"kind": "behavior:submit_response", "detail": "NA"})
    kind = f"rank:{len(judgment.references)}rank{len(judgment.selected)}"
    return {"kind": kind, "response_time_ms": judgment.response_ms, "interactions": interactions, **replaced}


def sequence(steps: Sequence[dict[str, Any]], participant: str = "ann", session: int = 1, grade: int = 100) -> str:
    """A document of one sequence."""
    content = {"sequence_id": session, "anonymous_id": participant, "grade": grade, "sequence": list(steps)}
    return json.dumps({"version": "1.0", "data": [content]})


def write_sequences(folder: Path, study: Sequence[Judgment]) -> Path:
    """Write a study as documents of one judgment each, with their ``stimuli.txt``."""
    (folder / "train_seqs").mkdir(parents=True)
    write_stimuli(folder / "stimuli.txt")
    for row, judgment in enumerate(study):
        document = sequence([timestep(judgment)], judgment.participant, row, int(judgment.weight * 100))
        (folder / "train_seqs" / f"seq_{row:03d}.json").write_text(document)
    return folder


def write_csv(path: Path, study: Sequence[Judgment], separator: str = ",") -> Path:
    """Write a study as a CSV of triplets, images by id, shorter trials with empty cells."""
    n_reference = max(len(judgment.references) for judgment in study)
    n_select = max(len(judgment.selected) for judgment in study)
    names = [*(f"reference_{i + 1}" for i in range(n_reference)), *(f"selected_{j + 1}" for j in range(n_select))]
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerow(["query", *names, "participant", "session", "weight", "response_ms", "ranked"])
        for judgment in study:
            references = [IMAGES[image] for image in judgment.references]
            selected = [references[place] for place in judgment.selected]
            cells = [*_filled(references, n_reference), *_filled(selected, n_select)]
            details = [judgment.participant, judgment.session, judgment.weight, judgment.response_ms]
            writer.writerow([IMAGES[judgment.query], *cells, *details, str(judgment.ranked).lower()])
    return path


def _filled(values: Sequence[str], length: int) -> list[str]:
    return [*values, *[""] * (length - len(values))]


def write(path: Path, content: bytes) -> Path:
    """Write a file, and return its path."""
    path.write_bytes(content)
    return path


def write_photographs(folder: Path) -> Path:
    """Write the images, each in a different color, as ``Bird/family/species/file``."""
    for number, name in enumerate(IMAGES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8 + number, 6), (number * 5, 100, 200)).save(folder / name)
    return folder


def zipped(folder: Path, below: str = "") -> bytes:
    """A zip of all the files of a folder."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, below + file.relative_to(folder).as_posix())
    return content.getvalue()
