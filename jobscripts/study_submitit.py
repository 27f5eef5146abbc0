#!/usr/bin/env python
"""Run the study from Python with submitit: the stages of study.sh, as calls of simtool.stages.

    python jobscripts/study_submitit.py [--cluster slurm|local|debug] [--dry-run] [options of sbatch, for every job]

study.env and site.env define the study, and the job scripts define the resources of each stage. With slurm, each job
starts after the jobs that it needs. With local, the jobs run on this machine, one after the other; with debug, they run
in this process. You can run it again at any time: complete stages are skipped, queued stages stay, failed stages are
submitted.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

# The signal before a time limit: simtool saves a training when it arrives. The variable must be set before the import.
os.environ["SUBMITIT_PREEMPT_SIGNAL"] = "USR1"

import submitit
from submitit.helpers import DelayedSubmission

from simtool import console
from simtool.cli import call_of
from simtool.errors import SimtoolError
from simtool.images.shards import Shard
from simtool.stages.invocation import Call
from simtool.tables.files import part_name
from simtool.training.outcome import Preempted

SCRIPTS = Path(__file__).resolve().parent
#: The variables of study.env and site.env that this program uses.
SETTINGS = (
    *("STUDY", "IMAGES", "STIMULI", "TRIALS", "GLOW", "RESNET", "DEVICE", "PCA", "SHARDS", "EMBED"),
    *("DISTANCES", "SEGMENTED", "SEGMENT_DISTANCES", "FETCH", "OPTIONS", "MOST_RESTARTS"),
)
#: Print variables as texts that end with a zero byte: name, key and value of each element.
PRINT = r"""
declare -A OPTIONS=()
source "$1/common.sh" >&2
for name in "${@:2}" "${!SBATCH_@}"; do
  declare -n values=$name
  for key in "${!values[@]}"; do printf '%s\0' "$name" "$key" "${values[$key]}"; done
done
"""
#: Options of the job scripts that submitit states itself.
OF_SUBMITIT = {"job-name", "output", "open-mode", "array", "signal", "time"}


def run(calls: Sequence[Call]) -> None:
    """Make the calls of a job. Their results are files."""
    for call in calls:
        call()


class Training:
    """A job that trains. It saves before its time limit, or if another job preempts it; then it is requeued.

    submitit requeues a job when USR1 arrives. While simtool trains, it handles the signals itself: it completes the
    step, saves everything and raises Preempted. Then submitit gets the signal.
    """

    def __call__(self, calls: Sequence[Call]) -> None:
        """Train, or resume the training."""
        try:
            run(calls)
        except Preempted as saved:
            console.note(str(saved))
            if may_run_again():
                signal.raise_signal(signal.SIGUSR1)
            raise

    def checkpoint(self, calls: Sequence[Call]) -> DelayedSubmission:
        """The work of the requeued job: the same calls, which resume the training."""
        return DelayedSubmission(self, calls)


def may_run_again() -> bool:
    """Whether this job may be requeued. A job of SLURM that was canceled is not RUNNING."""
    job = submitit.JobEnvironment()
    if job.cluster != "slurm":
        return job.cluster == "local"
    command = ("squeue", "-h", "-j", job.job_id, "-o", "%T")
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() == "RUNNING"


@dataclass(frozen=True)
class Part:
    """A job, or a task of an array of jobs: its calls, and the files that they write."""

    calls: tuple[Call, ...]
    files: tuple[Path, ...]

    def is_complete(self) -> bool:
        """Whether all files exist."""
        return all(file.exists() for file in self.files)


@dataclass(frozen=True)
class Stage:
    """A stage of the study.

    Attributes:
        name: of its job.
        script: the job script that states its resources.
        needs: the stages whose files it reads.
        parts: one job, or the tasks of an array.
        action: makes the calls of a part.
        setup: commands of bash, after common.sh.
        here: whether it runs in this process.
    """

    name: str
    script: str
    needs: tuple[str, ...]
    parts: tuple[Part, ...]
    action: Callable[[Sequence[Call]], None] = run
    setup: tuple[str, ...] = ()
    here: bool = False


class Study:
    """The settings of the study, as bash reads them from study.env and site.env."""

    def __init__(self) -> None:
        command = ("bash", "-c", PRINT, "study", str(SCRIPTS), *SETTINGS)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr.rstrip())
        self._settings: dict[str, dict[str, str]] = {}
        texts = iter(done.stdout.split("\0")[:-1])
        for name, key, value in zip(texts, texts, texts, strict=True):
            self._settings.setdefault(name, {})[key] = value
        self.folder = Path(self["STUDY"])
        # As study.sh does: for the jobs, and for sbatch.
        os.environ.update({name: self[name] for name in self._settings if name.startswith("SBATCH_")})
        os.environ["STUDY"] = str(self.folder)

    def __getitem__(self, name: str) -> str:
        return self._settings.get(name, {}).get("0", "")

    def site_options(self, script: str) -> dict[str, str | bool]:
        """The options of sbatch that site.env has for a stage."""
        return sbatch_options(self._settings.get("OPTIONS", {}).get(script, "").split())

    def stages(self) -> Iterator[Stage]:
        """All stages, in their order."""
        yield self._fetch("fetch-cub", "cub", self["IMAGES"])
        yield self._fetch("fetch-judgments", "birds16", self["TRIALS"])
        embeds = [call_of(["embed", self["STIMULI"], "--model", *each.split()]) for each in self._lines("EMBED")]
        models = {str(call.arguments["model"]) for call in embeds}
        for model, options in (("glow", self["GLOW"]), ("resnet", self["RESNET"])):
            if model in models:
                yield self._train(model, options.split())
        if "pca" in models:
            call = call_of(["fit-pca", self["IMAGES"], "--out", "pca", *self["PCA"].split()])
            yield Stage("fit-pca", "fit-pca", ("fetch-cub",), (Part((call,), (Path("pca/model.json"),)),))
        embedded = [self._embed(call) for call in embeds]
        yield from embedded
        yield self._score([table for call in embeds for table in call.arguments["out"]], embedded)
        yield self._report()

    def _lines(self, name: str) -> Iterable[str]:
        return self._settings.get(name, {}).values()

    def _fetch(self, name: str, out: str, file: str) -> Stage:
        part = Part((call_of([name, out]),), (Path(file),))
        return Stage(name, name, (), (part,), here=self["FETCH"] != "job")

    def _train(self, model: str, options: Sequence[str]) -> Stage:
        name, out = f"train-{model}", self.folder / model
        call = call_of([name, self["IMAGES"], "--device", self["DEVICE"], "--out", str(out), *options])
        part = Part((call,), (out / "model.json",))
        local = 'stage_in "$(dirname "$IMAGES")"'  # copies the images to the local disk of the node
        return Stage(name, name, ("fetch-cub",), (part,), Training(), (local,))

    def _embed(self, call: Call) -> Stage:
        tables, count = call.arguments["out"], int(self["SHARDS"])
        made_by = {"glow": "train-glow", "resnet": "train-resnet", "pca": "fit-pca"}.get(str(call.arguments["model"]))
        parts = (
            Part(
                (replace(call, arguments={**call.arguments, "shard": Shard(index, count)}),),
                tuple(table / part_name(index, count) for table in tables),
            )
            for index in range(count)
        )
        needs = ("fetch-judgments", *([made_by] if made_by else []))
        return Stage(f"embed-{tables[0].name}", "embed", needs, tuple(parts))

    def _score(self, tables: Sequence[Path], embedded: Sequence[Stage]) -> Stage:
        judged = ("--trials", self["TRIALS"], "--images", self["STIMULI"])
        all_tables, segmented = " ".join(map(str, tables)), self["SEGMENTED"]
        outputs = {
            "outcomes.parquet": (all_tables, self["DISTANCES"]),
            "outcomes-by-segment.parquet": (segmented, self["SEGMENT_DISTANCES"]),
        }
        calls = (
            call_of(["score", *tables.split(), *judged, *distances.split(), "--out", out])
            for out, (tables, distances) in outputs.items()
        )
        part = Part(tuple(calls), tuple(map(Path, outputs)))
        return Stage("score", "score", ("fetch-judgments", *(stage.name for stage in embedded)), (part,))

    def _report(self) -> Stage:
        files = {kind: f"report.{kind}" for kind in ("html", "csv", "json")}
        options = [word for kind, file in files.items() for word in (f"--{kind}", file)]
        outcomes = ("outcomes.parquet", "outcomes-by-segment.parquet")
        call = call_of(["report", *outcomes, "--figure", "report.png", *options])
        return Stage("report", "report", ("score",), (Part((call,), tuple(map(Path, files.values()))),))


@dataclass
class Jobs:
    """Submits the stages that are not complete.

    Attributes:
        study: of the stages.
        cluster: slurm, local or debug.
        options: of sbatch, for every job.
        dry_run: whether to print what would be submitted, and submit nothing.
    """

    study: Study
    cluster: str
    options: Mapping[str, str | bool]
    dry_run: bool
    #: The job ids of the stages that are not complete.
    _due: dict[str, str] = field(default_factory=dict)

    def submit(self, stage: Stage) -> None:
        """Submit a stage, unless it is complete or in the queue."""
        after = [name for name in stage.needs if name in self._due]
        # If a stage that it needs runs again, so do all parts.
        parts = [part for part in stage.parts if after or not part.is_complete()]
        if not parts:
            say(stage.name, "-", "finished")
        elif job := self._queue.get(stage.name):
            self._due[stage.name] = job
            say(stage.name, job, "in the queue already")
        elif self.dry_run:
            self._due[stage.name] = "-"
            say(stage.name, "-", f"{len(parts)} of {len(stage.parts)} parts", *after)
        elif stage.here:
            say(stage.name, "here", "")
            stage.action([call for part in parts for call in part.calls])
        else:
            self._start(stage, [part.calls for part in parts], after)

    def _start(self, stage: Stage, parts: Sequence[tuple[Call, ...]], after: Sequence[str]) -> None:
        """Submit a job or an array; on this machine, one job after the other, each to its end."""
        executor = self._executor(stage, [self._due[name] for name in after])
        if self.cluster == "slurm":
            with self._environment(stage):
                job, *_ = executor.map_array(stage.action, parts)
            self._due[stage.name] = job.job_id.partition("_")[0]
            say(stage.name, self._due[stage.name], "", *after)
            return
        self._due[stage.name] = "-"
        for calls in parts:
            job = executor.submit(stage.action, calls)
            say(stage.name, job.job_id, "")
            job.result()

    def _executor(self, stage: Stage, after: Sequence[str]) -> submitit.AutoExecutor:
        restarts = int(self.study["MOST_RESTARTS"] or 100)
        executor = submitit.AutoExecutor(
            self.study.folder / "logs", cluster=self.cluster, slurm_max_num_timeout=restarts
        )
        script = (SCRIPTS / f"{stage.script}.sh").read_text("utf-8").splitlines()
        stated = sbatch_options(line.removeprefix("#SBATCH ") for line in script if line.startswith("#SBATCH "))
        options = {**stated, **self._chosen(stage)}
        more = {name: value for name, value in options.items() if name not in OF_SUBMITIT}
        more["chdir"] = str(self.study.folder)
        if after:
            more |= {"dependency": ":".join(["afterok", *after]), "kill-on-invalid-dep": "yes"}
        executor.update_parameters(
            name=stage.name,
            timeout_min=minutes(str(options["time"])),
            slurm_signal_delay_s=int(str(options.get("signal", "@90")).rpartition("@")[2]),
            slurm_setup=[f"source {shlex.quote(str(SCRIPTS / 'common.sh'))}", *stage.setup],
            slurm_additional_parameters=more,
            slurm_stderr_to_stdout=True,
        )
        return executor

    def _chosen(self, stage: Stage) -> dict[str, str | bool]:
        """The options of sbatch that replace those of the job script."""
        return {**self.study.site_options(stage.script), **self.options}

    @contextmanager
    def _environment(self, stage: Stage) -> Iterator[None]:
        """Without the variables of sbatch that the options of a stage replace; sbatch prefers them to its script."""
        before = dict(os.environ)
        for name in self._chosen(stage):
            os.environ.pop(f"SBATCH_{name.upper().replace('-', '_')}", None)
        try:
            yield
        finally:
            os.environ.update(before)

    @property
    def _queue(self) -> dict[str, str]:
        """The job ids in the queue by the name of the stage."""
        if self.cluster != "slurm":
            return {}
        command = ("squeue", "--me", "-h", "-o", "%j|%F|%Z")
        shown = subprocess.run(command, capture_output=True, text=True, check=not self.dry_run).stdout
        jobs = (line.split("|", 2) for line in shown.splitlines())
        return {name: job for name, job, folder in jobs if folder == str(self.study.folder)}


def sbatch_options(words: Iterable[str]) -> dict[str, str | bool]:
    """Options of sbatch by name: ``--gres=gpu:1 --exclusive`` is ``{"gres": "gpu:1", "exclusive": True}``."""
    options: dict[str, str | bool] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name.startswith("--"):
            sys.exit(f"{word}: write an option of sbatch as --NAME=VALUE or --NAME")
        options[name[2:]] = value if equals else True
    return options


def minutes(limit: str) -> int:
    """A time limit of sbatch in minutes: ``90``, ``90:00``, ``1:30:00``, ``1-12`` or ``1-12:30``."""
    days, dash, clock = limit.rpartition("-")
    numbers = [int(number) for number in clock.split(":")]
    if not dash and len(numbers) < 3:
        numbers = [0, *numbers]
    hours, whole, seconds = (*numbers, 0, 0)[:3]
    return (int(days or 0) * 24 + hours) * 60 + whole + (seconds > 0)


def say(name: str, job: str, note: str, *after: str) -> None:
    """Print a line about a stage."""
    words = [word for word in (note, "after" if after else "", *after) if word]
    console.result_text(f"{name:<28} {job:<10} {' '.join(words)}".rstrip())


def main() -> None:
    """Submit the study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cluster", choices=("slurm", "local", "debug"), default="slurm", help="where the jobs run")
    parser.add_argument("--dry-run", action="store_true", help="print the stages, and submit nothing")
    chosen, options = parser.parse_known_args()
    study = Study()
    os.chdir(study.folder)  # as in the job scripts, paths are relative to the folder of the study
    jobs = Jobs(study, chosen.cluster, sbatch_options(options), chosen.dry_run)
    for stage in list(study.stages()):  # a wrong option in study.env is found before the first job
        jobs.submit(stage)


if __name__ == "__main__":
    try:
        main()
    except SimtoolError as failure:
        sys.exit(f"error: {failure}")
