# Everything from a fresh clone: needs Python 3.11 or newer, and make.

PYTHON ?= python3
VENV ?= .venv
DATA ?=
BACKENDS ?= tensorflow jax torch
PYTEST ?=

BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: help demo test lint constraints clean

help:
	@echo "make demo            train on handwritten digits, save, reload, draw"
	@echo "make demo DATA=FILE  the same on your images: a .npz file with x and y"
	@echo "make test            all tests, on TensorFlow, JAX and PyTorch"
	@echo "make lint            ruff and pyright"

demo: $(VENV)/.demo
	$(BIN)/python examples/digits.py $(DATA)

test: $(VENV)/.test
	@for backend in $(BACKENDS); do \
	    echo "== $$backend"; \
	    KERAS_BACKEND=$$backend $(BIN)/python -m pytest --numprocesses 2 $(PYTEST) \
	        || exit 1; \
	done

lint: $(VENV)/.test $(VENV)/.lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python

$(VENV)/.pip: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	touch $@

$(VENV)/.%: $(VENV)/.pip
	$(INSTALL) --editable . --group $*
	touch $@

# Exact versions of what `make test` installs, for everyone to get the same.
constraints: $(VENV)/.test $(VENV)/.lint
	$(BIN)/python -m pip freeze --exclude-editable \
	    | sed -n 's/^\([^ ]*==[^+]*\).*/\1/p' > constraints.txt

clean:
	rm -rf $(VENV) demo
