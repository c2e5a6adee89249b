# make reproduce   the main job: data, trainings, this machine's table in runs/report/
# make test        the tests
# make help        all targets

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
comma := ,
READY := $(VENV)/.ready

# Narrow or widen a plan: make reproduce DATA=ml_100k,douban SEEDS=0,1,2,3,4
# SCOPE: paper (its rows except the heavy ones), all (the classics too), full (everything),
# committed (also the further seeds of the committed table)
SCOPE ?=
DATA ?=
MODELS ?=
SEEDS ?=
# Trainings at once: two by default, on half of the cores each; JOBS=1 shows a progress bar
JOBS ?=
FORCE ?=
STRICT ?=
# make verify: expected time of the sample, and its seed
MINUTES ?=
SAMPLE ?=
# make dist: the tag that the version must be that of
TAG ?=
# A tag may hold what a shell would run: recipes take it from the environment.
export TAG

# The index that torch comes from, instead of pip's own: for the CPU build, where that has a larger one.
TORCH_INDEX ?=
# The release that make setup installs. The package allows others, see pyproject.toml.
TORCH := torch==2.13.0
# These differ between builds of torch, and are installed with it.
OF_TORCH := torch triton cuda-bindings cuda-pathfinder cuda-toolkit $(addprefix nvidia-,cublas cuda-cupti \
	cuda-nvrtc cuda-runtime cudnn-cu13 cufft cufile curand cusolver cusparse cusparselt-cu13 nccl-cu13 \
	nvjitlink nvshmem-cu13 nvtx)

.PHONY: help setup data reproduce table2 fig2 fig3 folds kernels around side cold_start fold_in cross_validation monti tuned combined uncertainty verify test test-slow lint report screenshot docs docs-serve docs-screenshots check promote bench lock audit dist dist-check clean
.DEFAULT_GOAL := help

help: ## show this list
	@grep -hE '^[a-z0-9_ -]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9_ -]+):[^#]*## /  make \1\t/' | expand -t 20,40

setup: $(READY) ## make the virtual environment .venv, versions and hashes from constraints.txt

# Everything but torch is verified against its hash, what builds it included; nothing is resolved.
$(READY): pyproject.toml constraints.txt build-constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make setup PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import torch' 2>/dev/null || echo "torch comes next. If the package index offers a CUDA build, that is several GB; for the CPU build interrupt and run: make setup TORCH_INDEX=https://download.pytorch.org/whl/cpu"
	$(BIN)/pip install --quiet --require-hashes --no-deps --requirement build-constraints.txt
	$(BIN)/pip install --quiet --require-hashes --no-deps --no-build-isolation --requirement constraints.txt
	$(BIN)/pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH)
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/pip check
	@touch $@

REPRODUCE = $(BIN)/glocalk reproduce \
	$(if $(DATA),'data_sets=[$(DATA)]') $(if $(MODELS),'models=[$(MODELS)]') $(if $(SEEDS),'seeds=[$(SEEDS)]') \
	$(if $(JOBS),executor.jobs=$(JOBS)) $(if $(FORCE),force=true) $(if $(STRICT),strict=true) \
	$(if $(TRAINER),trainer=$(TRAINER))

reproduce: $(READY) ## train the plan of Table 1 and write runs/report/table1.md (SCOPE= DATA= MODELS= SEEDS= JOBS= TRAINER=gpu FORCE=1 STRICT=1)
	$(REPRODUCE) $(if $(SCOPE),scope=$(SCOPE))

table2 fig2 fig3 folds kernels around side cold_start fold_in cross_validation monti tuned combined uncertainty: $(READY) ## (the same for that table or figure: DATA= SEEDS= JOBS= TRAINER=gpu)
	$(REPRODUCE) experiment=$@

verify: $(READY) ## train a sample of the committed records again and compare (MINUTES= SAMPLE= DATA= MODELS= JOBS=)
	$(BIN)/glocalk verify $(if $(MINUTES),minutes=$(MINUTES)) $(if $(SAMPLE),seed=$(SAMPLE)) \
		$(if $(DATA),'data_sets=[$(DATA)]') $(if $(MODELS),'models=[$(MODELS)]') $(if $(JOBS),jobs=$(JOBS))

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

screenshot: $(READY) ## draw the first screen of reports/index.html for the README; needs a Chromium
	$(BIN)/glocalk report screenshot

docs: $(READY) ## build the documentation as a site in build/site; a warning is an error
	$(BIN)/python -m website build/site

docs-serve: docs ## (the same, and show it at http://127.0.0.1:8001)
	$(BIN)/python -m http.server 8001 --bind 127.0.0.1 --directory build/site

docs-screenshots: docs ## draw the site's first page and a model's page, wide and narrow; needs a Chromium
	$(BIN)/python -m website.screenshots build/site build/screenshots

check: $(READY) ## check that reports/ match the committed records
	$(BIN)/glocalk report check

promote: $(READY) ## copy this machine's records from runs/ to reports/records/
	$(BIN)/glocalk report promote

bench: $(READY) ## measure speed and memory on a quiet machine, and write reports/bench.md
	$(BIN)/glocalk bench
	$(BIN)/glocalk report

lock: ## resolve constraints.txt anew; needs uv
	echo '$(TORCH)' | UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile pyproject.toml --constraint /dev/stdin --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-annotate $(addprefix --no-emit-package ,$(OF_TORCH)) --output-file constraints.txt

	echo 'twine>=7' | UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile - --universal --python-version 3.11 \
		--generate-hashes --no-annotate --output-file release-constraints.txt

dist: ## build the wheel and the sdist of the last commit into dist/, and check them (TAG=)
	$(PYTHON) -m venv --clear build/release
	build/release/bin/pip install --quiet --require-hashes --no-deps --requirement build-constraints.txt
	build/release/bin/pip install --quiet --require-hashes --no-deps --requirement release-constraints.txt
	build/release/bin/python .ci/dist.py dist "$$TAG"
	build/release/bin/twine check --strict dist/*

dist-check: ## install what dist/ holds into a clean environment and use it (PYTHON= TORCH_INDEX=)
	TORCH_INDEX=$(TORCH_INDEX) .ci/dist-check $(PYTHON)

audit: ## look for known vulnerabilities in constraints.txt; needs pipx
	pipx run --spec pip-audit==2.10.1 pip-audit --require-hashes --disable-pip --requirement constraints.txt

clean: ## remove the virtual environment and caches; runs/ and data/ stay
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} + -o -name '*.egg-info' -prune -exec rm -rf {} +
