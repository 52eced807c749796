# Everything from a fresh clone: needs Python 3.11 or newer, and make.

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
# What is used is compiled when it is, of the backends the smaller part, and kept:
# without that each process would compile it anew.
export PYTHONDONTWRITEBYTECODE :=
INSTALL := $(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt

.PHONY: help demo docs test test-quick test-docs lint bench gpu constraints clean

help:
	@echo "make demo            train on handwritten digits, save, reload, draw"
	@echo "make demo DATA=FILE  the same on your images: a .npz file with x and y"
	@echo "make test            all tests, on TensorFlow, JAX and PyTorch"
	@echo "make test-quick      in 2 minutes: the tests that are not slow, on PyTorch"
	@echo "make docs            the site, in docs/_build/html"
	@echo "make test-docs       opens each of its pages in Chromium, which must be there"
	@echo "make lint            ruff, pyright, and which file may import which"
	@echo "make bench           time and memory beside other packages, on one page"
	@echo "make bench QUICK=1   the same in small, to see it work"
	@echo "make gpu             on a GPU, in five minutes: what is right, and how fast"

demo: $(VENV)/.demo
	$(BIN)/python examples/digits.py $(DATA)

# Warnings are errors. The first page is docs/_build/html/index.html.
docs: $(VENV)/.docs
	rm -rf docs/_build
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --nitpicky \
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

# What to leave out: PARTS="optimizers fit", BACKENDS=jax, DEVICES=cpu, TFA= for no
# TensorFlow Addons.
bench: $(VENV)/.test $(if $(TFA),$(TFA)/.tfa)
	$(BIN)/python benchmarks $(PARTS) $(if $(QUICK),--quick) --backends $(BACKENDS) \
	    $(if $(TFA),--tfa $(TFA)/bin/python) $(if $(DEVICES),--devices $(DEVICES))

# With the Python that is there, whose backends are those that are measured: nothing is
# installed. WHEELS is a folder of what it lacks, RESULTS that of the page and the logs.
gpu:
	$(PYTHON) benchmarks/gpu.py --backends $(BACKENDS) $(if $(QUICK),--quick) \
	    $(if $(WHEELS),--wheels $(WHEELS)) $(if $(RESULTS),--results $(RESULTS))

# TensorFlow Addons ended with TensorFlow 2.15 and Python 3.11.
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

# Exact versions of what `make test` installs, for everyone to get the same.
constraints: $(VENV)/.test $(VENV)/.lint $(VENV)/.docs
	$(BIN)/python -m pip freeze --exclude-editable \
	    | sed -n 's/^\([^ ]*==[^+]*\).*/\1/p' > constraints.txt

clean:
	rm -rf $(VENV) demo
