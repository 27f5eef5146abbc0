"""Run the study from Python with submitit: the stages of study.sh, as calls of simtool.stages.

    python -m workflow.study_submitit [--cluster slurm|local|debug] [--dry-run] [options of sbatch, for every job]

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from shutil import which

# The signal before a time limit: simtool saves a training when it arrives. The variable must be set before the import.
os.environ["SUBMITIT_PREEMPT_SIGNAL"] = "USR1"

import submitit
from submitit.helpers import DelayedSubmission

from simtool import console
from simtool.cli import call_of
from simtool.errors import SimtoolError
from simtool.images.shards import Shard
from simtool.stages.invocation import Call
from simtool.training.outcome import Preempted
from workflow.study import SettingsError, Study, Vectors, minutes, option

JOBSCRIPTS = Path(__file__).resolve().parents[1] / "jobscripts"
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


@dataclass(frozen=True)
class Plan:
    """The stages of a study."""

    study: Study

    def stages(self) -> Iterator[Stage]:
        """All stages, in their order."""
        study = self.study
        yield self._fetch("fetch-cub", "cub", study["IMAGES"])
        yield self._fetch("fetch-judgments", "birds16", study["TRIALS"])
        for model in ("glow", "resnet"):
            if study.uses(model):
                yield self._train(model)
        if study.uses("pca"):
            call = call_of(["fit-pca", study["IMAGES"], "--out", "pca", *study["PCA"].split()])
            yield Stage("fit-pca", "fit-pca", ("fetch-cub",), (Part((call,), (Path("pca/model.json"),)),))
        embedded = [self._embed(vectors) for vectors in study.vectors]
        yield from embedded
        yield self._score(embedded)
        yield self._report()

    def _fetch(self, name: str, out: str, file: str) -> Stage:
        part = Part((call_of([name, out]),), (Path(file),))
        return Stage(name, name, (), (part,), here=self.study["FETCH"] != "job")

    def _train(self, model: str) -> Stage:
        study, name = self.study, f"train-{model}"
        out = Path(study["STUDY"], model)
        options = ("--device", study["DEVICE"], "--out", str(out), *study[model.upper()].split())
        part = Part((call_of([name, study["IMAGES"], *options]),), (out / "model.json",))
        local = 'stage_in "$(dirname "$IMAGES")"'  # copies the images to the local disk of the node
        return Stage(name, name, ("fetch-cub",), (part,), Training(), (local,))

    def _embed(self, vectors: Vectors) -> Stage:
        whole, count = call_of(["embed", self.study["STIMULI"], "--model", *vectors.line.split()]), self.study.shards
        calls = (replace(whole, arguments={**whole.arguments, "shard": Shard(index, count)}) for index in range(count))
        parts = [
            Part((call,), tuple(map(Path, vectors.parts(count, f"{index:05d}")))) for index, call in enumerate(calls)
        ]
        models = {"glow": "train-glow", "resnet": "train-resnet", "pca": "fit-pca"}
        made_by = (models[str(Path(file).parent)] for file in vectors.needs)
        return Stage(vectors.name, "embed", ("fetch-judgments", *made_by), tuple(parts))

    def _score(self, embedded: Sequence[Stage]) -> Stage:
        study = self.study
        judged = ("--trials", study["TRIALS"], "--images", study["STIMULI"])
        inputs = (
            ([table for each in study.vectors for table in each.tables], study["DISTANCES"]),
            (study["SEGMENTED"].split(), study["SEGMENT_DISTANCES"]),
        )
        calls = (
            call_of(["score", *tables, *judged, *distances.split(), "--out", out])
            for out, (tables, distances) in zip(study.outcomes, inputs, strict=False)
        )
        part = Part(tuple(calls), tuple(map(Path, study.outcomes)))
        return Stage("score", "score", ("fetch-judgments", *(stage.name for stage in embedded)), (part,))

    def _report(self) -> Stage:
        files = {kind: f"report.{kind}" for kind in ("html", "csv", "json")}
        options = [word for kind, file in files.items() for word in (f"--{kind}", file)]
        call = call_of(["report", *self.study.outcomes, "--figure", "report.png", *options])
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
    options: Mapping[str, str]
    dry_run: bool
    #: The job ids of the stages that are not complete.
    _due: dict[str, str] = field(default_factory=dict, init=False)

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
            if job.exception() is not None:
                raise SettingsError(f"{stage.name} failed; its log is {job.paths.stderr}")

    def _executor(self, stage: Stage, after: Sequence[str]) -> submitit.AutoExecutor:
        executor = submitit.AutoExecutor(
            Path(self.study["STUDY"], "logs"),
            cluster=self.cluster,
            slurm_max_num_timeout=int(self.study["MOST_RESTARTS"]),
        )
        options = {**self.study.asked(stage.script), **self.options}
        more: dict[str, str | bool] = {name: value or True for name, value in options.items()}
        more = {name: value for name, value in more.items() if name not in OF_SUBMITIT} | {"chdir": self.study["STUDY"]}
        if after:
            more |= {"dependency": ":".join(["afterok", *after]), "kill-on-invalid-dep": "yes"}
        executor.update_parameters(
            name=stage.name,
            timeout_min=minutes(options["time"]),
            slurm_signal_delay_s=int(options.get("signal", "@90").rpartition("@")[2]),
            slurm_setup=[f"source {shlex.quote(str(JOBSCRIPTS / 'common.sh'))}", *stage.setup],
            slurm_additional_parameters=more,
            slurm_stderr_to_stdout=True,
        )
        return executor

    @contextmanager
    def _environment(self, stage: Stage) -> Iterator[None]:
        """Without the variables of sbatch that options replace, because sbatch prefers them to a script."""
        before = dict(os.environ)
        for name in (*self.study.stated(stage.script), *self.options):
            os.environ.pop(f"SBATCH_{name.upper().replace('-', '_')}", None)
        try:
            yield
        finally:
            os.environ.update(before)

    @cached_property
    def _queue(self) -> dict[str, str]:
        """The job ids in the queue by the name of the stage."""
        if self.cluster != "slurm" or (self.dry_run and which("squeue") is None):
            return {}
        if which("squeue") is None:
            raise SettingsError("no SLURM here: run this on a login node of the cluster, or use --cluster local")
        command = ("squeue", "--me", "-h", "-o", "%j|%F|%Z")
        shown = subprocess.run(command, capture_output=True, text=True, check=not self.dry_run).stdout
        jobs = (line.split("|", 2) for line in shown.splitlines())
        return {name: job for name, job, folder in jobs if folder == self.study["STUDY"]}


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
    study = Study.read(JOBSCRIPTS)
    if study["CONTAINER"]:
        raise SettingsError(
            "submitit starts the Python that runs this program, and no image: leave CONTAINER empty in site.env"
        )
    # For sbatch and for the jobs, as study.sh does it. Paths are relative to the folder of the study.
    os.environ |= {**study.environment, "STUDY": study["STUDY"]}
    os.chdir(study["STUDY"])
    jobs = Jobs(study, chosen.cluster, dict(option(word, "the command line") for word in options), chosen.dry_run)
    for stage in list(Plan(study).stages()):  # a wrong option in study.env is found before the first job
        jobs.submit(stage)


if __name__ == "__main__":
    try:
        main()
    except (SettingsError, SimtoolError) as failure:
        sys.exit(f"error: {failure}")
