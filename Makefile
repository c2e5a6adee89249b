# make reproduce   the main job: data, trainings, this machine's table in runs/report/
# make test        the tests
# make help        all targets

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
comma := ,
READY := $(VENV)/.ready

# Narrow or widen `make reproduce`: make reproduce DATA=ml_100k,douban SEEDS=0,1,2,3,4
# SCOPE: paper (its rows except the heavy ones), all (the classics too), full (everything)
SCOPE ?=
DATA ?=
MODELS ?=
SEEDS ?=
FORCE ?=
STRICT ?=

# Where pip finds the CPU build of torch, if the package index serves a larger one.
TORCH_INDEX ?=

.PHONY: help setup data reproduce test test-slow lint report check promote bench clean
.DEFAULT_GOAL := help

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 20

setup: $(READY) ## make the virtual environment .venv, exact versions from constraints.txt

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make setup PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import torch' 2>/dev/null || echo "torch comes next. If the package index offers a CUDA build, that is several GB; for the CPU build interrupt and run: make setup TORCH_INDEX=https://download.pytorch.org/whl/cpu"
	$(BIN)/pip install --quiet --constraint constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --editable '.[dev]'
	@touch $@

reproduce: $(READY) ## train the plan and write runs/report/table1.md (SCOPE= DATA= MODELS= SEEDS= FORCE=1 STRICT=1)
	$(BIN)/glocalk reproduce \
		$(if $(SCOPE),scope=$(SCOPE)) $(if $(DATA),'data_sets=[$(DATA)]') $(if $(MODELS),'models=[$(MODELS)]') $(if $(SEEDS),'seeds=[$(SEEDS)]') \
		$(if $(FORCE),force=true) $(if $(STRICT),strict=true)

data: $(READY) ## download the data sets that are missing (DATA=)
	$(BIN)/glocalk data fetch $(subst $(comma), ,$(DATA))

test: $(READY) ## run the tests in two processes; data tests need GLOCALK_DATA_DIR or data/
	$(BIN)/python -m pytest -m "not slow" -n 2

test-slow: $(READY) ## run the tests that take minutes
	$(BIN)/python -m pytest -m slow

lint: $(READY) ## check style, types, and which package imports which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

report: $(READY) ## make reports/, the README's table and docs/costs.md from reports/records/
	$(BIN)/glocalk report

check: $(READY) ## check that reports/ match the committed records
	$(BIN)/glocalk report check

promote: $(READY) ## copy this machine's records from runs/ to reports/records/
	$(BIN)/glocalk report promote

bench: $(READY) ## measure speed and memory on a quiet machine, and write reports/bench.md
	$(BIN)/glocalk bench
	$(BIN)/glocalk report

clean: ## remove the virtual environment and caches; runs/ and data/ stay
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} + -o -name '*.egg-info' -prune -exec rm -rf {} +
