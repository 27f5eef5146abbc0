"""Kill every command at random moments, and run every command twice at the same time. No file is lost or incomplete.

To test all commands: ``SIMTOOL_KILLS=8 SIMTOOL_PAIRS=1 pytest tests/system/test_every_command.py``.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest

from simtool.system.lock import LockedError
from tests.system.world import COMMANDS, World, contents

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.xdist_group("world")]

#: Number of kills and pairs per command. Without the variables: one each, for commands that need no network.
KILLS, PAIRS = (int(os.environ.get(f"SIMTOOL_{what}", "0")) for what in ("KILLS", "PAIRS"))
QUICK = ("index-images", "import-trials", "fetch-cub", "fetch-judgments")
SEED = int(os.environ.get("SIMTOOL_KILLS_SEED", random.SystemRandom().randrange(10**6)))
PATIENCE = 600


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World.made_in(tmp_path_factory.mktemp("world"))


@pytest.mark.parametrize("name", COMMANDS if KILLS else QUICK)
def test_a_command_that_is_killed_leaves_what_was_there_and_the_next_run_makes_the_rest(
    world: World, name: str
) -> None:
    chance, out = random.Random(f"{SEED} {name}"), world.place()
    sys.stdout.write(f"SIMTOOL_KILLS_SEED={SEED}\n")  # shown if the test fails
    expected, inputs = contents(world.make(name)), world.inputs()
    for kill in range(KILLS or 1):
        kept = _put_older_files(out, name) if kill % 2 else {}
        with world.start(name, out) as process:
            time.sleep(chance.uniform(0, world.seconds[name]))
            process.send_signal(SIGTERM if kill % 3 == 2 else SIGKILL)
            process.communicate(timeout=PATIENCE)
        for file, content in kept.items():
            assert file.read_bytes() == content or contents(file) == contents(world.make(name) / file.name)
        assert world.inputs() == inputs
    with world.start(name, out) as process:
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert contents(out) == expected


def _put_older_files(out: Path, name: str) -> dict[Path, bytes]:
    """Write older content to the paths of all outputs that are files."""
    kept = {out / output: b"from an earlier run" for output in COMMANDS[name].writes if "." in output}
    for file, content in kept.items():
        file.write_bytes(content)
    return kept


@pytest.mark.parametrize("name", COMMANDS if PAIRS else QUICK)
def test_of_two_at_once_each_ends_well_or_says_who_was_first(world: World, name: str) -> None:
    expected, inputs = contents(world.make(name)), world.inputs()
    for _ in range(PAIRS or 1):
        out = world.place()
        with world.start(name, out) as first, world.start(name, out) as second:
            ends = [(process.communicate(timeout=PATIENCE)[1], process.returncode) for process in (first, second)]
        assert {0} <= {code for _, code in ends} <= {0, LockedError.exit_code}, ends
        for said, code in ends:
            assert code == 0 or "is in use by" in said, said
        assert contents(out) == expected
    assert world.inputs() == inputs
