# The environment .venv is used by the demo, the tests and the commands of the README.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# with CUDA=1, also NVIDIA's libraries for GPUs (docs/gpu.md)
LOCK   := $(if $(CUDA),requirements-cuda.lock,requirements.lock)
STAMP  := $(VENV)/$(if $(CUDA),.complete-cuda,.complete)

.DEFAULT_GOAL := help
.PHONY: help setup snakemake demo test check docs site fuzz oldest lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP)  ## install simtool, its dependencies and test tools into .venv; for GPUs: make setup CUDA=1

# uses uv if it is installed (faster), pip otherwise; both install exactly the versions of the lock file
# compiling here makes every later start of TensorFlow four times as fast
$(STAMP): $(LOCK) pyproject.toml
	@echo "Setting up $(VENV) (once; about a minute and 3 GB, with CUDA=1 7 GB) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "simtool needs Python 3.11 or newer; name one with make PYTHON=...")'
	@if command -v uv >/dev/null; then \
	  uv venv -q --allow-existing --python "$$(command -v $(PYTHON))" $(VENV) && \
	  uv pip install -q --python $(BIN)/python --require-hashes --compile-bytecode -r $(LOCK) && \
	  uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e . ; \
	else \
	  $(PYTHON) -m venv $(VENV) && \
	  $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r $(LOCK) && \
	  $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@touch $(VENV)/.complete $@

SNAKEMAKE := .venv-snakemake
snakemake: $(SNAKEMAKE)/.complete  ## install Snakemake into .venv-snakemake, to run a study (docs/workflows.md)

$(SNAKEMAKE)/.complete: requirements-snakemake.lock
	@if command -v uv >/dev/null; then \
	  uv venv -q --allow-existing --python "$$(command -v $(PYTHON))" $(SNAKEMAKE) && \
	  uv pip install -q --python $(SNAKEMAKE)/bin/python --require-hashes --compile-bytecode -r $< ; \
	else \
	  $(PYTHON) -m venv $(SNAKEMAKE) && \
	  $(SNAKEMAKE)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $< ; \
	fi
	@touch $@

demo: $(STAMP)  ## run all stages on generated toy birds, and report
	@$(BIN)/simtool demo

test: $(STAMP)  ## run all tests
	@$(BIN)/python -m pytest -q -n auto --dist loadgroup --max-worker-restart 0

check: $(STAMP)  ## check lint, formatting, types and import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

docs: $(STAMP)  ## write docs/commands.md from the command line
	@$(BIN)/python -m tests.docs.commands

site: $(STAMP)  ## build the documentation as a site in dist/site
	@$(BIN)/python -m sphinx -W -q -c docs/site -d dist/site/.cache . dist/site

# repeat one input: make fuzz CASE=trials/structured/17 (with SEED=... if the seed was not 0)
SEED  ?= 0
SHARE ?= 1
fuzz: $(STAMP)  ## run 38,000 malformed inputs through all readers, and 200 through the command line
ifdef CASE
	@$(BIN)/python -m tests.fuzz --seed $(SEED) --case $(CASE)
else
	@$(BIN)/python -m tests.fuzz --seed $(SEED) --share $(SHARE)
	@$(BIN)/python -m tests.fuzz --seed $(SEED) --share $(SHARE) --commands
endif

# the oldest versions that pyproject.toml allows; without TensorFlow, which these tests do not need
OLDEST := .venv-oldest
oldest:  ## test tables, scoring, analysis, judgments and collections with the oldest versions allowed
	@$(PYTHON) -m venv $(OLDEST)
	@$(OLDEST)/bin/python -m pip install -q --disable-pip-version-check $$($(PYTHON) tests/oldest.py)
	@$(OLDEST)/bin/python -m pytest -q -p no:cacheprovider tests/tables tests/scoring tests/analysis tests/judgments tests/collections tests/archive tests/toy

lock:  ## resolve the dependencies again (needs uv)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header --upgrade -q -o requirements.lock
	cp requirements.lock requirements-cuda.lock # so that both have the same versions
	uv pip compile pyproject.toml --extra cuda --group dev --universal --python-version 3.11 --generate-hashes --no-header -q -o requirements-cuda.lock
	echo uv | uv pip compile - --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q -o containers/uv.txt
	uv pip compile --group snakemake --universal --python-version 3.11 --generate-hashes --no-header --upgrade -q -o requirements-snakemake.lock

clean:  ## remove the environments, caches and the folder of the demo
	rm -rf $(VENV) $(OLDEST) $(SNAKEMAKE) simtool-demo dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
