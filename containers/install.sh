#!/bin/sh
# Install simtool in /opt/simtool, with the packages of a lock file that it needs. Run in the folder of the project by
# the Dockerfile and by simtool.def.
#   containers/install.sh LOCK
set -eu
lock=$1
extras="--extra openvino"
case $lock in *cuda*) extras="$extras --extra cuda" ;; esac

tools=$(mktemp -d)
python3 -m venv "$tools"
"$tools/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r containers/uv.txt
install() { "$tools/bin/uv" pip install --no-cache --link-mode copy --compile-bytecode --python /opt/simtool "$@"; }

"$tools/bin/uv" venv --python python3 --no-python-downloads /opt/simtool
# shellcheck disable=SC2086 # several words
install --require-hashes --only-binary :all: --constraint "$lock" $extras -r pyproject.toml
install --no-deps --build-constraint "$lock" .
rm -rf "$tools"
