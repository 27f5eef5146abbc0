"""The study of ``jobscripts/`` for workflow engines: its settings, and the resources that its job scripts request."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Self

__all__ = ["SettingsError", "Study", "Vectors", "megabytes", "minutes", "option"]

#: The settings that rules need; the job scripts read the others themselves.
_NAMES = ("STUDY", "IMAGES", "STIMULI", "TRIALS", "GLOW", "RESNET", "DEVICE", "PCA", "SHARDS", "DISTANCES", "SEGMENTED")
_MORE = {"SEGMENT_DISTANCES": "", "FETCH": "here", "MOST_RESTARTS": "100", "CONTAINER": ""}
_PRINT = r"""
declare -A OPTIONS=()
source "$0/common.sh"
for name in "$@"; do printf '%s=%s\0' "$name" "${!name-}"; done
printf 'EMBED=%s\0' "${EMBED[@]}"
for stage in "${!OPTIONS[@]}"; do printf 'OPTIONS[%s]=%s\0' "$stage" "${OPTIONS[$stage]}"; done
for name in $(compgen -e SBATCH_ || true); do printf '%s=%s\0' "$name" "${!name}"; done
"""
#: Models that a stage of the study makes. ``embed`` reads them from folders of these names.
_MADE = ("glow", "resnet", "pca")
#: Options of sbatch that Snakemake's executor sets itself.
_LEFT_OUT = {"job-name", "output", "open-mode", "array", "ntasks", "ntasks-per-node", "cpus-per-task"}
#: Options of sbatch that are resources of Snakemake's executor under another name.
_RENAMED = {"partition": "slurm_partition", "account": "slurm_account", "constraint": "constraint", "qos": "qos"}
#: The variables of sbatch that replace options of a job script.
_VARIABLES = {"mem-per-cpu": "SBATCH_MEM_PER_CPU", "gres": "SBATCH_GRES", "time": "SBATCH_TIMELIMIT"} | {
    name: f"SBATCH_{name.upper()}" for name in _RENAMED
}


class SettingsError(Exception):
    """A setting of the study or of the site cannot be used."""


@dataclass(frozen=True)
class Vectors:
    """A line of ``EMBED``: a model, and the options of ``embed`` for it."""

    line: str

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that it writes."""
        return tuple(word for before, word in pairwise(self.line.split()) if before == "--out")

    @property
    def name(self) -> str:
        """The name of its job, as study.sh gives it."""
        return f"embed-{Path(self.tables[0]).name}"

    @property
    def needs(self) -> tuple[str, ...]:
        """The file of the model, if a stage of the study makes it."""
        model = self.line.split()[0]
        return (f"{model}/model.json",) if model in _MADE else ()

    def parts(self, count: int, part: str | None = None) -> list[str]:
        """The files of all parts, or of one part that is written as five digits."""
        numbers = [f"{number:05d}" for number in range(count)] if part is None else [part]
        return [f"{table}/part-{number}-of-{count:05d}.parquet" for table in self.tables for number in numbers]


@dataclass(frozen=True)
class Study:
    """The settings of a study.

    Attributes:
        jobscripts: the folder of the job scripts and of their settings.
        settings: the values by name.
        vectors: the lines of ``EMBED``.
        options: options of sbatch for single stages, from site.env.
        environment: the variables of sbatch that site.env or the environment sets.
    """

    jobscripts: Path
    settings: Mapping[str, str]
    vectors: tuple[Vectors, ...]
    options: Mapping[str, str]
    environment: Mapping[str, str]

    @classmethod
    def read(cls, jobscripts: Path) -> Self:
        """Read the settings as the job scripts read them.

        Raises:
            SettingsError: bash cannot read them.
        """
        command = ["bash", "-c", _PRINT, str(jobscripts), *_NAMES, *_MORE]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SettingsError(done.stderr.strip())
        pairs = [entry.split("=", 1) for entry in done.stdout.split("\0")[:-1]]
        found = {name: value for name, value in pairs if value or name not in _MORE}
        options = {name[len("OPTIONS[") : -1]: value for name, value in pairs if name.startswith("OPTIONS[")}
        vectors = tuple(Vectors(value) for name, value in pairs if name == "EMBED")
        exported = {name: value for name, value in pairs if name.startswith("SBATCH_")}
        return cls(jobscripts, _MORE | found, vectors, options, exported)

    def __getitem__(self, name: str) -> str:
        """A setting."""
        return self.settings[name]

    @property
    def shards(self) -> int:
        """The number of parts of each table of vectors."""
        return int(self["SHARDS"])

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The tables of ``score``: with ``SEGMENTED``, also one by segments."""
        return ("outcomes.parquet", "outcomes-by-segment.parquet") if self["SEGMENTED"] else ("outcomes.parquet",)

    def uses(self, model: str) -> bool:
        """Whether a table of vectors needs this model."""
        return any(f"{model}/model.json" in vectors.needs for vectors in self.vectors)

    def asked(self, stage: str) -> dict[str, str]:
        """The options of sbatch for a stage: its job script's, replaced by variables of sbatch and by ``OPTIONS``."""
        lines = (self.jobscripts / f"{stage}.sh").read_text().splitlines()
        asked = dict(option(line.split()[1], f"{stage}.sh") for line in lines if line.startswith("#SBATCH"))
        asked |= {name: self.environment[key] for name, key in _VARIABLES.items() if key in self.environment}
        asked |= self.stated(stage)
        for name in ("ntasks", "ntasks-per-node"):
            if asked.get(name, "1") != "1":
                raise SettingsError(f"{stage}: --{name}={asked[name]}: with an engine, a job has one task on each node")
        return asked

    def stated(self, stage: str) -> dict[str, str]:
        """The options of sbatch in ``OPTIONS`` for a stage."""
        return dict(option(word, f"OPTIONS[{stage}]") for word in self.options.get(stage, "").split())

    def threads(self, stage: str) -> int:
        """The cores of a stage."""
        return int(self.asked(stage)["cpus-per-task"])

    def resources(self, stage: str) -> dict[str, str | int]:
        """What a stage needs, as resources of snakemake-executor-plugin-slurm.

        Raises:
            SettingsError: an option has no equivalent.
        """
        resources: dict[str, str | int] = {}
        extra = []
        for name, value in self.asked(stage).items():
            if name == "time":
                resources["runtime"] = minutes(value)
            elif name == "mem-per-cpu":
                resources["mem_mb_per_cpu"] = megabytes(value)
            elif name == "mem":
                resources["mem_mb"] = megabytes(value)
            elif name == "gres":
                if value != "none":
                    resources |= {"gres": value, "gpu_jobs": 1}
            elif name == "nodes":
                if value != "1":  # the job script starts a task on each node, as an MPI program does
                    resources |= {"nodes": int(value), "tasks": int(value), "mpi": "srun"}
            elif name in _RENAMED:
                resources[_RENAMED[name]] = value
            elif name not in _LEFT_OUT:
                extra.append(f"--{name}={value}" if value else f"--{name}")
        if extra:
            resources["slurm_extra"] = " ".join(extra)
        return resources


def option(word: str, where: str) -> tuple[str, str]:
    """Name and value of an option of sbatch; ``where`` tells its place, for the error.

    Raises:
        SettingsError: it is written in another way.
    """
    match = re.fullmatch(r"--([a-z-]+)(?:=(.*))?", word)
    if match is None:
        raise SettingsError(f"{where}: {word}: with an engine, write options of sbatch as --name=value")
    return match[1], match[2] or ""


def minutes(time: str) -> int:
    """A time limit of SLURM in minutes, rounded up: ``30``, ``30:00``, ``24:00:00``, ``2-12``, ``2-12:00:00``."""
    days, dash, rest = time.rpartition("-")
    fields = [int(field) for field in rest.split(":")]
    if dash or len(fields) == 3:
        hours, minute, second = [*fields, 0, 0][:3]
    else:
        hours, (minute, second) = 0, [*fields, 0][:2]
    return int(days or 0) * 1440 + hours * 60 + minute + (second > 0)


def megabytes(memory: str) -> int:
    """An amount of memory of SLURM in mebibytes: ``3800``, ``4G``."""
    match = re.fullmatch(r"(\d+)([KMGT]?)", memory)
    if match is None:
        raise SettingsError(f"{memory} is not an amount of memory, such as 3800 or 4G")
    return (int(match[1]) << 10 * "KMGT".index(match[2] or "M")) >> 10
