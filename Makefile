# Two commands do everything on a fresh machine with Python 3.11+ and make:
#   make demo   installs into .venv and runs the whole chain on the embedded base model
#   make test   the same, then every check: ruff, mypy --strict, import-linter, pytest, notebooks

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests that run at a time; those of one file share its servers, one after the other.
WORKERS ?= 2
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test check bench clean

demo: $(VENV)/.local
	$(BIN)/wxtuning demo

# A home folder of its own, so that the demo really runs, whatever this machine has finished before.
test: $(VENV)/.test
	WXTUNING_HOME=$$(mktemp -d) $(BIN)/wxtuning demo
	$(MAKE) --no-print-directory check

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n $(WORKERS) --dist loadfile

bench: $(VENV)/.test
	$(BIN)/python -m tests.benchmarks

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "wxtuning needs Python 3.11 or newer; run: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.local: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[local]'
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[test]'
	touch $@ $(VENV)/.local
