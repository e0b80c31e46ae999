# What people and CI call. Needs make, Python 3.11 or newer and pip; everything else is installed into .venv.
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do $$p $(NEW_ENOUGH) 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# One thread a process: small models on few cores are slower with more, and numbers stay the same on every machine.
TEST_ENV := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1 MPLBACKEND=Agg

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow bench check format docs clean

help: ## Say what can be made.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

setup: $(INSTALLED) ## Make .venv and install spul with what the tests need, in the tested versions.

# torch goes first and alone, so that no other build of it is resolved. Debian may lack ensurepip: then the pip that is
# there puts one into the new environment.
$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" && $(PYTHON) $(NEW_ENOUGH) || \
	  { echo "expected Python 3.11 or newer, got '$(PYTHON)'. Install it, or name it: make PYTHON=/path/to/it" >&2; exit 2; }
	@test -x $(BIN)/python && $(BIN)/python -m pip --version > /dev/null 2>&1 || \
	  $(PYTHON) -m venv --clear $(VENV) > /dev/null 2>&1 || \
	  { $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }
	$(BIN)/python -m pip install --quiet $$(grep '^torch==' constraints.txt)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(INSTALLED)

demo: setup ## Unlearn eight fictitious people with a soft prompt, on two cores and without network.
	$(BIN)/spul demo

# Two processes of one thread each: twice as fast as one on two cores. No more, as each holds torch and its models.
test: setup ## Run the default test suite.
	$(TEST_ENV) $(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: setup ## Run the tests that take minutes: five seeds of the demo, runs on real data, packaging.
	$(TEST_ENV) $(BIN)/python -m pytest -m 'slow and not gpu and not network'

bench: setup ## Measure speed and memory against the naive formulation; writes docs/results/performance.*.
	$(TEST_ENV) $(BIN)/python -m benchmarks

check: setup ## Lint, formatting, types, layers, docs.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(TEST_ENV) $(BIN)/python scripts/make_docs.py --check

format: setup ## Put source into shape.
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

docs: setup ## Write docs/cli.md, docs/configuration.md and docs/components.md anew.
	$(TEST_ENV) $(BIN)/python scripts/make_docs.py

clean: ## Remove what was made here, but no runs.
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
