# Everything runs from a fresh clone with python3 (venv, pip) and make; the first target sets up .venv.

VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed
# A file's tests stay together: they share models that take seconds to make.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help demo test boards lint check-all setup clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

demo: $(STAMP)  ## Train on handwritten digits, convert, verify, measure; writes ./demo (5 min the first time)
	@$(BIN)/edgevision demo --out demo

test: $(STAMP)  ## The fast tier: every test that is not marked slow
	@$(PYTEST) -m "not slow" --durations=40 --durations-min=5

boards: $(STAMP)  ## As a Raspberry Pi 4, a Pi 5 and a Jetson, under emulation (Debian; a minute or two)
	@$(BIN)/python -m tests.arm64

lint: $(STAMP)  ## ruff, format, mypy strict, import order
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check-all: $(STAMP)  ## Both tiers, every board and lint, about an hour of two cores
	@$(MAKE) --no-print-directory lint
	@$(PYTEST) -m "not slow"
	@$(PYTEST) -m slow --dist worksteal --durations=15
	@$(BIN)/python -m tests.arm64 --full

setup: $(STAMP)  ## Make .venv with edgevision (editable), all extras and the developers' tools

# PYTHON=... chooses another interpreter. TensorFlow decides which versions will do.
$(BIN)/uv:
	@set -e; \
	fits() { command -v "$$1" >/dev/null 2>&1 && "$$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }; \
	for python in $${PYTHON:-python3 python3.12 python3.11 python3.13}; do \
	  if fits "$$python"; then found=$$python; break; fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
	  echo "make: converting and training need Python 3.11, 3.12 or 3.13; tried $${PYTHON:-python3 ($$(python3 --version 2>&1)), python3.12, python3.11, python3.13}." >&2; \
	  echo "make: install one of them, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; \
	  exit 1; \
	fi; \
	echo "setting up $(VENV) with $$("$$found" --version)" >&2; \
	"$$found" -m venv --clear $(VENV) || { rm -rf $(VENV); \
	  echo "make: $$found has no venv module; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.5,<1'

# setup.cfg names every dependency: a newer one installs again, an older one costs nothing.
$(STAMP): setup.cfg pyproject.toml | $(BIN)/uv
	@echo "installing TensorFlow, the engines and the tools: minutes the first time, seconds when setup.cfg changes" >&2
	@$(BIN)/uv pip install $$([ -t 2 ] || echo --quiet) --python $(BIN)/python -e '.[all,dev]'
	@touch $@

clean:  ## Remove .venv, demo output and what tools left behind
	rm -rf $(VENV) demo build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
