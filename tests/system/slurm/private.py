"""A private SLURM with several nodes on one machine. It runs as any user and keeps all files in one folder."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import cast

__all__ = ["ENDED", "LARGE", "PROGRAMS", "SMALL", "Kind", "Slurm", "private_slurm", "programs"]

#: The required programs, from the Debian packages munge, slurmctld, slurmd and slurm-client.
PROGRAMS = ("munged", "munge", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel", "sinfo")
#: The final states of a job.
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "DEADLINE")
#: The longest path of a folder in which a Unix socket can be created.
_LONGEST = 85

# Polling is faster than on a real site. Processors, memory and GPUs are simulated and not enforced.
_CONFIGURATION = Template("""\
ClusterName=private
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=$user
SlurmdUser=$user
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket=$folder/run/munge.sock,cred_expire=5
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0,bf_interval=1
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd.%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.%n.log
ReturnToService=2
SlurmdParameters=config_overrides
GresTypes=gpu,shard
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=2
MinJobAge=3600
OverTimeLimit=0
InactiveLimit=0
SlurmctldTimeout=60
SlurmdTimeout=10
MailProg=/bin/true
NodeName=DEFAULT SocketsPerBoard=1 ThreadsPerCore=1
$nodes
PartitionName=DEFAULT Nodes=$alike DefaultTime=00:10:00 MaxTime=7-00:00:00 DefMemPerCPU=500 State=UP
PartitionName=main Default=YES PriorityTier=1 GraceTime=20
PartitionName=urgent PriorityTier=10 PreemptMode=OFF
PartitionName=mixed Nodes=ALL
""")


@dataclass(frozen=True)
class Kind:
    """A kind of node. Its resources are only simulated.

    Attributes:
        cores: of the processor.
        memory: in MB.
        gpus: each of them has two shards.
    """

    cores: int
    memory: int
    gpus: int

    def __str__(self) -> str:
        """The kind as options of ``NodeName``."""
        generic = f" Gres=gpu:{self.gpus},shard:{2 * self.gpus}" if self.gpus else ""
        return f"CPUs={self.cores} CoresPerSocket={self.cores} RealMemory={self.memory}{generic}"


LARGE = Kind(cores=16, memory=256_000, gpus=4)
SMALL = Kind(cores=4, memory=16_000, gpus=0)


def programs() -> dict[str, str]:
    """The paths of the programs of SLURM that are installed; SIMTOOL_SLURM names the folder of another SLURM."""
    return {name: found for name in PROGRAMS if (found := shutil.which(name, path=_path()))}


def _path() -> str:
    """The folders of programs, as a value of PATH."""
    other = os.environ.get("SIMTOOL_SLURM")
    own = [f"{other}/bin", f"{other}/sbin"] if other else []
    return os.pathsep.join((*own, os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


@dataclass
class Slurm:
    """A running private SLURM.

    Attributes:
        folder: its files.
        nodes: the names of its nodes.
        environment: with which its commands are called.
        daemons: what runs, by name.
    """

    folder: Path
    nodes: tuple[str, ...]
    environment: dict[str, str]
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def run(
        self, *command: str | Path, cwd: Path | None = None, check: bool = True, more: Mapping[str, str] | None = None
    ) -> str:
        """Run a command of SLURM (or any other command) with ``more`` in its environment; return its output."""
        words, environment = [str(word) for word in command], {**self.environment, **(more or {})}
        done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)
        assert not check or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def submit(self, *arguments: str | Path, cwd: Path, more: Mapping[str, str] | None = None) -> str:
        """Submit a job and return its id."""
        return self.run("sbatch", "--parsable", *arguments, cwd=cwd, more=more)

    def show(self, job: str) -> dict[str, str]:
        """The output of ``scontrol show job`` for a job, or for the first task of an array."""
        return self.shown(job)[0]

    def shown(self, job: str) -> list[dict[str, str]]:
        """The same for every task of an array."""
        lines = self.run("scontrol", "show", "job", "--oneliner", job).splitlines()
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]

    def state(self, job: str) -> str:
        """The common state of all tasks of a job; all states if they differ."""
        return "+".join(sorted({entry["JobState"] for entry in self.shown(job)}))

    def has_ended(self, job: str, states: Sequence[str] = ENDED) -> bool:
        """Return whether every task of a job is in one of the states."""
        return all(state in states for state in self.state(job).split("+"))

    def wait(self, job: str, states: Sequence[str] = ENDED, seconds: float = 300) -> str:
        """Wait until every task of a job is in one of the states, and return the current states."""
        self.until(lambda: self.has_ended(job, states), seconds, f"job {job}")
        return self.state(job)

    def until(self, reached: Callable[[], object], seconds: float = 120, what: str = "the condition") -> None:
        """Wait until a condition is true."""
        end = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > end:
                shown = "\n".join(self.run(command, "--all", check=False) for command in ("squeue", "sinfo"))
                raise TimeoutError(f"{what} was not reached in {seconds} s\n{shown}")
            time.sleep(0.1)

    def restart(self, daemon: str) -> None:
        """End ``slurmctld`` or the daemon of a node, for example ``slurmd.n1``, and start it again. Jobs continue."""
        old = self.daemons.pop(daemon)
        words = cast("list[str]", old.args)
        old.terminate()
        old.wait()
        self._start(daemon, daemon.partition(".")[0], *words[1:])
        self.until(lambda: self._answers("scontrol", "ping"), 20, daemon)

    def preempt(self, node: str) -> None:
        """Run an urgent job that needs a whole node."""
        options = ("--partition=urgent", f"--nodelist={node}", "--exclusive", "--output=/dev/null", "--wrap=true")
        job = self.submit(*options, cwd=self.folder)
        assert self.wait(job) == "COMPLETED"

    def start_node(self, node: str) -> None:
        """Start the daemon of a node again, and wait until the node can run jobs."""
        before = self._node(node)["SlurmdStartTime"]
        self._start(f"slurmd.{node}", "slurmd", "-D", "-N", node)
        try:
            self.until(lambda: self._node(node)["SlurmdStartTime"] != before, 60, f"the daemon of {node}")
            # Wait until the daemon answers; otherwise SLURM assigns jobs to a node that is down.
            self.run("scontrol", "update", f"nodename={node}", "state=resume", check=False)
            # A planned node counts as idle.
            self.until(lambda: self._node(node)["State"] in ("IDLE", "IDLE+PLANNED"), 60, f"{node} idle")
        except TimeoutError as error:
            logs = [(self.folder / "log" / f"{name}.log").read_text() for name in ("slurmctld", f"slurmd.{node}")]
            raise TimeoutError("\n".join((str(error), str(self._node(node)), *(log[-2000:] for log in logs)))) from None

    def _node(self, node: str) -> dict[str, str]:
        """The output of ``scontrol show node`` for a node."""
        words = self.run("scontrol", "show", "node", "--oneliner", node).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def kill_node(self, node: str) -> None:
        """End a node and all its processes, as a power cut does."""
        # End the daemons first, so that they cannot report the end of a task. They are known by their log, since the
        # daemons of steps hide their environment from /proc in SLURM 24.11.
        log = self.folder / "log" / f"slurmd.{node}.log"
        for process in _processes_that_write(log):
            os.kill(process, signal.SIGKILL)
        self._kill_all_with(f"SLURMD_NODENAME={node}")
        self.daemons.pop(f"slurmd.{node}").wait()

    def kill_task(self, job: str, rank: int) -> None:
        """Kill one task of the only step of a job."""
        self._kill_all_with(f"SLURM_JOB_ID={job}", "SLURM_STEP_ID=0", f"SLURM_PROCID={rank}")

    def _start(self, name: str, program: str, *arguments: str) -> None:
        with (self.folder / "log" / f"{name}.out").open("ab") as log:
            self.daemons[name] = subprocess.Popen(
                [programs()[program], *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )

    def start(self) -> None:
        """Start the daemons one after the other; each must answer before the next starts."""
        munge, run = self.folder / "munge", self.folder / "run"
        key = munge / "key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        # --force: otherwise munged refuses a socket in a folder without access for other users (pytest's folder).
        files = {"key-file": key, "socket": run / "munge.sock", "pid-file": run / "munged.pid"}
        files |= {"log-file": self.folder / "log" / "munged.log", "seed-file": munge / "seed"}
        options = (f"--{option}={file}" for option, file in files.items())
        self._start("munged", "munged", "--foreground", "--force", *options)
        self.until(lambda: self._answers("munge", "-S", str(run / "munge.sock"), "-n"), 10, "munged")
        self._start("slurmctld", "slurmctld", "-D")
        self.until(lambda: self._answers("scontrol", "ping"), 20, "slurmctld")
        for node in self.nodes:
            self._start(f"slurmd.{node}", "slurmd", "-D", "-N", node)
        idle = ("sinfo", "-h", "-N", "-p", "mixed", "-t", "idle", "-o", "%N")
        self.until(lambda: len(self.run(*idle).split()) == len(self.nodes), 30, "idle nodes")

    def cancel_all(self) -> None:
        """Cancel every job, and wait for a short time until none is left."""
        if jobs := self.run("squeue", "-h", "-o", "%A", check=False).split():
            self.run("scancel", "--full", *set(jobs), check=False)
            end = time.monotonic() + 10
            while self.run("squeue", "-h", check=False) and time.monotonic() < end:
                time.sleep(0.1)

    def stop(self) -> None:
        """Cancel the jobs first, so that none outlives its node; then end the daemons in reverse order."""
        self.cancel_all()
        for daemon in reversed(self.daemons.values()):
            daemon.terminate()
            try:
                daemon.wait(5)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self._kill_all_with()

    def _kill_all_with(self, *settings: str) -> None:
        """End the processes of this SLURM with these settings in their environment."""
        for process in _processes_with(f"SLURM_CONF={self.environment['SLURM_CONF']}", *settings):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def _answers(self, *command: str) -> bool:
        done = subprocess.run(command, env=self.environment, capture_output=True, timeout=10)
        return done.returncode == 0


def _processes_that_write(file: Path) -> list[int]:
    """The processes that have a file open."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(link.is_symlink() and link.readlink() == file for link in (entry / "fd").iterdir()):
                found.append(int(entry.name))
    return found


def _processes_with(*settings: str) -> list[int]:
    """The processes with all of these settings in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if all(setting.encode() in environment for setting in settings):
            found.append(int(entry.name))
    return found


@contextmanager
def private_slurm(folder: Path, kinds: Sequence[Kind]) -> Iterator[Slurm]:
    """A private SLURM while the body runs.

    Args:
        folder: an empty one for its files.
        kinds: of the nodes n1, n2, ... The partition ``mixed`` has all nodes, the other partitions those of the first
            kind.
    """
    assert len(str(folder)) <= _LONGEST, f"{folder}: too long a name for a socket below it"
    nodes = {f"n{number}": kind for number, kind in enumerate(kinds, start=1)}
    for name in ("munge", "state", "log", "run", *(f"spool/{node}" for node in nodes)):
        (folder / name).mkdir(parents=True)
    (folder / "munge").chmod(0o700)
    _configure(folder, nodes)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM", "SBATCH", "SRUN"))}
    # The GPUs are no real ones, so trainings must not ask for them, which the scripts do.
    own = {"PATH": _path(), "SLURM_CONF": str(folder / "slurm.conf"), "SBATCH_GRES": "none"}
    slurm = Slurm(folder, tuple(nodes), {**environment, **own})
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()


def _configure(folder: Path, nodes: Mapping[str, Kind]) -> None:
    host, user = socket.gethostname().split(".")[0], subprocess.check_output(["id", "-un"], text=True).strip()
    ports = _free_ports(1 + len(nodes))
    lines = (
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} {kind}"
        for (name, kind), port in zip(nodes.items(), ports[1:], strict=True)
    )
    first = next(iter(nodes.values()))
    alike = ",".join(name for name, kind in nodes.items() if kind == first)
    content = _CONFIGURATION.substitute(
        folder=folder, host=host, user=user, port=ports[0], nodes="\n".join(lines), alike=alike
    )
    (folder / "slurm.conf").write_text(content)
    # This setting is not used, but without it slurmd requires control groups and systemd.
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    # For a GPU, slurmd requires only a character device whose name ends in a digit. It is never opened.
    gpus = "".join(
        f"NodeName={name} Name=gpu File=/dev/tty[0-{kind.gpus - 1}]\nNodeName={name} Name=shard Count={2 * kind.gpus}\n"
        for name, kind in nodes.items()
        if kind.gpus
    )
    (folder / "gres.conf").write_text(gpus)


def _free_ports(count: int) -> list[int]:
    """Free ports that are not given to other connections while a daemon is down."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports: list[int] = []
    while len(ports) < count:
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port := 10_000 + secrets.randbelow(first - 10_000)))
            ports += {port} - set(ports)
    return ports
