#!/usr/bin/env bash
# pytest 9.2.0 with pytest-xdist 3.8.0, Python 3.11: --dist loadgroup ignores the groups of tests, without a message.
#
# With --dist loadgroup, all tests with the mark xdist_group("one") should run on the same worker. pytest-xdist adds the
# name of the group to the private attribute _nodeid of a test, and divides the tests by their nodeid. In pytest 9.2.0,
# nodeid is computed from another attribute, so the name of the group never reaches the workers' controller. Tests that
# must not run at the same time (they share a server, a port or a folder) do so. pytest 9.1.1 keeps the groups.
#
# Observed (workers that ran the eight tests of one group): pytest 9.1.1: gw0; pytest 9.2.0: gw0 gw1
#
# Exit code 0: as observed. Other exit codes: it has changed, or the packages cannot be installed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
mkdir "$place/tests"
cat >"$place/tests/test_group.py" <<'PY'
import os
import time

import pytest


@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(8))
def test_one(number):
    time.sleep(0.2)
    with open(os.environ["SEEN"], "a") as seen:
        print(os.environ["PYTEST_XDIST_WORKER"], file=seen)
PY
for version in 9.1.1 9.2.0; do
  "$place/venv/bin/pip" install -q --disable-pip-version-check "pytest==$version" pytest-xdist==3.8.0
  SEEN=$place/seen-$version "$place/venv/bin/python" -m pytest -q -n 2 --dist loadgroup "$place/tests" >/dev/null
  printf 'pytest %s: %s\n' "$version" "$(sort -u "$place/seen-$version" | tr '\n' ' ')"
done
[ "$(sort -u "$place/seen-9.1.1" | wc -l)" = 1 ] && [ "$(sort -u "$place/seen-9.2.0" | wc -l)" = 2 ]
