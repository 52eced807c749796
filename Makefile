# Every task from a fresh clone. Needs Python 3.11 or newer, and make.

PYTHON ?= python3
VENV ?= .venv
DATA ?=
BACKENDS ?= tensorflow jax torch
PYTEST ?=
TFA ?= .venv-tfa
PYTHON_TFA ?= python3.11
PARTS ?=
WHEELS ?=
RESULTS ?=
DEVICES ?=
QUICK ?=

BIN := $(VENV)/bin
# Python compiles each file when it is first imported, and keeps the result: most files of
# the backends are never imported. Without the cache, each process would compile again.
export PYTHONDONTWRITEBYTECODE :=
INSTALL := $(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt

.PHONY: help demo docs test test-quick test-docs lint bench gpu constraints clean

help:
	@echo "make demo            train on handwritten digits, save, reload, draw"
	@echo "make demo DATA=FILE  the same on your images: a .npz file with x and y"
	@echo "make test            all tests, on TensorFlow, JAX and PyTorch"
	@echo "make test-quick      the tests that are not slow, on PyTorch: 2 minutes"
	@echo "make docs            build the site in docs/_build/html"
	@echo "make test-docs       open each page of the site in an installed Chromium"
	@echo "make lint            ruff, pyright and the rules for imports"
	@echo "make bench           compare time and memory with other packages, on one page"
	@echo "make bench QUICK=1   a small version of it, to see that it works"
	@echo "make gpu             test correctness and speed on a GPU: 5 minutes"
	@echo "make constraints     update the versions in constraints.txt"
	@echo "make clean           remove .venv and the results of the demo"

demo: $(VENV)/.demo
	$(BIN)/python examples/digits.py $(DATA)

# Warnings are errors. The first page is docs/_build/html/index.html.
docs: $(VENV)/.docs
	rm -rf docs/_build
	$(BIN)/python -m sphinx --jobs 2 --quiet --fail-on-warning --keep-going --nitpicky \
	    docs docs/_build/html

test-docs: docs
	$(BIN)/python -m pytest --numprocesses 2 docs/tests

test: $(VENV)/.test
	@for backend in $(BACKENDS); do \
	    echo "== $$backend"; \
	    KERAS_BACKEND=$$backend $(BIN)/python -m pytest \
	        --numprocesses 2 --dist worksteal --durations 15 --durations-min 3 \
	        $(PYTEST) || exit 1; \
	done

test-quick: BACKENDS = torch
test-quick:
	$(MAKE) test BACKENDS="$(BACKENDS)" PYTEST='-m "not slow" $(PYTEST)'

lint: $(VENV)/.test $(VENV)/.lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/pyright --pythonpath $(BIN)/python

# Select parts of it with PARTS="optimizers fit", BACKENDS=jax or DEVICES=cpu. TFA= leaves
# out TensorFlow Addons.
bench: $(VENV)/.bench $(if $(TFA),$(TFA)/.tfa)
	$(BIN)/python benchmarks $(PARTS) $(if $(QUICK),--quick) --backends $(BACKENDS) \
	    $(if $(TFA),--tfa $(TFA)/bin/python) $(if $(DEVICES),--devices $(DEVICES))

# Installs nothing and tests the backends that PYTHON has. WHEELS is a folder of wheels of
# the packages that it lacks. The page and the logs are written to the folder RESULTS.
gpu:
	$(PYTHON) benchmarks/gpu.py --backends $(BACKENDS) $(if $(QUICK),--quick) \
	    $(if $(WHEELS),--wheels $(WHEELS)) $(if $(RESULTS),--results $(RESULTS))

# TensorFlow Addons needs TensorFlow 2.15 and Python 3.11 or older.
$(TFA)/.tfa:
	$(PYTHON_TFA) -m venv $(TFA)
	$(TFA)/bin/python -m pip install --quiet \
	    tensorflow-cpu==2.15.1 tensorflow-addons==0.23.0 "numpy<2"
	touch $@

$(VENV)/.pip: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	touch $@

$(VENV)/.%: $(VENV)/.pip
	$(INSTALL) --editable . --group $*
	touch $@

# Exact versions of all packages for the tests, so that everyone installs the same ones.
constraints: $(VENV)/.bench $(VENV)/.lint $(VENV)/.docs
	$(BIN)/python -m pip freeze --exclude-editable \
	    | sed -n 's/^\([^ ]*==[^+]*\).*/\1/p' > constraints.txt

clean:
	rm -rf $(VENV) demo
