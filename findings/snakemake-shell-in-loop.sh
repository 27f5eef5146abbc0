#!/usr/bin/env bash
# Snakemake 9.27.1, Python 3.11: an f-string in the shell directive of a rule that is made in a loop is evaluated after the
# loop, although f-strings in the other directives of the same rule are evaluated at once.
#
# A loop makes a rule for each of two names. The name and the output of each rule hold its own name, but both commands
# hold the last one. One expects the f-string to be evaluated at once, as in name and output: both files get
# contents for "b", and the job of "a" ends without an error. Pass the value by params.
#
# Observed: a.txt holds "b", and b.txt holds "b".
#
# Exit code 0: both files hold "b". Other exit codes: it has changed, or the package cannot be installed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check snakemake==9.27.1
cd "$place"
cat > Snakefile <<'SNAKE'
rule all:
    input:
        "a.txt",
        "b.txt",


for name in ("a", "b"):

    rule:
        name:
            f"make_{name}"
        output:
            f"{name}.txt",
        shell:
            f"echo {name} > {{output}}"
SNAKE
"$place/venv/bin/snakemake" --cores 1 --quiet all
head a.txt b.txt
[ "$(cat a.txt b.txt | tr -d '\n')" = bb ]
