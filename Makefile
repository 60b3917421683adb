# make demo | test | test-gpu-code | test-ecosystem | soak | coverage | lint | losses | recipes | bench | gpu | clean; each makes .venv when it is missing or out of date.
#
#   make demo TORCH_INDEX=URL    takes PyTorch from an index of CPU-only wheels (the default one may bring gigabytes of CUDA)
#   make test PYTHON=python3.12  builds .venv with that Python
#   make test JOBS=4            runs the tests in so many processes at a time
#   make bench CORPUS=FILE BENCH_NAME=wiki BENCH_OPTIONS="--model cbow" also measures the programs WORD2VEC_C=PATH and
#   PWORD2VEC=PATH and the libraries that TENSORFLOW=PYTHON and PADDLE=PYTHON have; fasttext needs a C++ compiler
#   make gpu CORPUS=FILE SETS="questions-words.txt" measures on a real text; REHEARSE=1 needs no GPU; GPU_PYTHON=PYTHON takes
#   a Python that has all instead of .venv
#   make recipes CORPUS=FILE BENCH_NAME=wiki SETS="questions-words.txt ws353.txt" trains the recipes with three seeds each,
#   RECIPES_OPTIONS="--peer gensim" others beside them (python tests/bench/run.py accuracy --help)

PYTHON ?= python3
JOBS ?= 2
TORCH_INDEX ?=
CORPUS ?= data/demo.txt.xz
GPU_CORPUS := $(if $(filter-out file,$(origin CORPUS)),$(CORPUS))
GPU_PYTHON ?=
REHEARSE ?=
BENCH_NAME ?= $(firstword $(subst ., ,$(notdir $(CORPUS))))
BENCH_OPTIONS ?=
SETS ?=
RECIPES_OPTIONS ?=
WORD2VEC_C ?=
PWORD2VEC ?=
TENSORFLOW ?=
PADDLE ?=

LOADER_TESTS := tests/fuzz tests/vectors tests/corpus tests/evaluation tests/settings/test_build.py tests/settings/test_saved_configurations.py tests/runs/test_checkpoint.py \
	tests/runs/test_resume.py tests/runs/test_resume_refusals.py tests/runs/test_forged_checkpoints.py \
	tests/words/test_start.py tests/runs/test_output.py tests/runs/test_overwrite.py tests/lm/test_saved.py tests/lm/test_vocabulary.py \
	tests/comparison tests/cli/test_faults.py tests/cli/test_faults_of_language_models.py tests/cli/test_faults_of_files.py

VENV := .venv
BIN := $(VENV)/bin
PINS := .ci/constraints.txt
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(PINS)
BENCH := $(BIN)/python tests/bench/run.py
BENCH_PEERS := --peer gensim --peer fasttext $(if $(WORD2VEC_C),--peer word2vec.c=$(WORD2VEC_C)) $(if $(PWORD2VEC),--peer pword2vec=$(PWORD2VEC))
BENCH_LIBRARIES := $(if $(TENSORFLOW),--tensorflow $(TENSORFLOW)) $(if $(PADDLE),--paddle $(PADDLE))

.DEFAULT_GOAL := help
.PHONY: help demo test test-gpu-code test-ecosystem soak coverage lint losses recipes bench gpu clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.installed  ## train on the demo corpus, evaluate, query; results in runs/demo
	@mkdir -p runs
	$(BIN)/w2v train --config configs/demo.yaml --output runs/demo --overwrite
	$(BIN)/w2v eval runs/demo
	$(BIN)/w2v nearest runs/demo france -k 5
	$(BIN)/w2v nearest runs/demo king - man + woman -k 3
	@echo 'The vectors are in runs/demo. Ask for more: $(BIN)/w2v nearest runs/demo paris'

test: lint  ## lint, then all tests: some ten minutes on two cores
	@echo 'The tests take some ten minutes on two quiet cores, longer on busy ones; they leave your home and caches alone.'
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal

test-gpu-code: $(VENV)/.installed-gpu-test  ## the GPU code without a GPU: Triton's interpreter and compiler, two minutes
	@if $(BIN)/python -c 'import triton' 2>/dev/null; \
	then TRITON_INTERPRET=1 $(BIN)/python -m pytest tests/gpu -m 'triton and not soak' --numprocesses $(JOBS) --dist worksteal; \
	else echo 'There is no Triton for this platform: the GPU code is not tested here.'; fi

test-ecosystem: $(VENV)/.installed-ecosystem  ## tests with the tools that open what w2v writes: spaCy, gensim, duckdb …
	$(BIN)/python -m pytest tests/ecosystem -m ecosystem

soak: $(VENV)/.installed-gpu-test  ## the long versions of tests: an hour or more, gigabytes in TMPDIR
	$(BIN)/python -m pytest -m 'soak and not triton and not gpu' --durations=0
	W2V_EXAMPLES=40 $(BIN)/python -m pytest -m 'hypothesis and not soak and not ecosystem and not triton and not gpu' --numprocesses $(JOBS)
	@if $(BIN)/python -c 'import triton' 2>/dev/null; \
	then TRITON_INTERPRET=1 $(BIN)/python -m pytest tests/gpu -m 'triton and soak' --numprocesses $(JOBS) --durations=0; fi

coverage: $(VENV)/.installed-dev  ## branch coverage of the loaders
	$(BIN)/python -m coverage run -m pytest -q $(LOADER_TESTS)
	$(BIN)/python -m coverage report --fail-under=95

lint: $(VENV)/.installed-dev  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

losses: $(VENV)/.installed  ## train every loss with both models on the demo corpus, in half an hour; table in tests/bench/results.md
	$(BIN)/python tests/bench/run.py recipes --write tests/bench/results.md

recipes: $(VENV)/.installed-bench  ## what seconds buy: the recipes for word vectors on CORPUS=FILE and SETS; tables as of bench
	mkdir -p runs/bench
	$(BENCH) accuracy $(CORPUS) $(addprefix --set ,$(SETS)) $(RECIPES_OPTIONS) --plot runs/bench/recipes-$(BENCH_NAME).svg \
		--output runs/bench/recipes-$(BENCH_NAME).json > runs/bench/recipes-$(BENCH_NAME).tsv
	$(BENCH) results runs/bench/recipes-$(BENCH_NAME).json

bench: $(VENV)/.installed-bench  ## w2v against other systems on CORPUS=FILE; tables in runs/bench and tests/bench/results.md
	mkdir -p runs/bench
	$(BENCH) training $(CORPUS) $(BENCH_PEERS) $(BENCH_OPTIONS) --output runs/bench/$(BENCH_NAME).json > runs/bench/$(BENCH_NAME).tsv
	$(BENCH) losses $(BENCH_LIBRARIES) --output runs/bench/losses.json > runs/bench/losses.tsv
	$(BENCH) results runs/bench/$(BENCH_NAME).json runs/bench/losses.json

gpu: $(if $(GPU_PYTHON),,$(VENV)/.installed-$(if $(REHEARSE),gpu-test,dev))  ## what a GPU with CUDA does, in eight minutes: tests, speed, accuracy; figures in gpu.json
	$(if $(GPU_PYTHON),$(GPU_PYTHON),$(BIN)/python) tests/bench/run.py gpu $(GPU_CORPUS) $(addprefix --set ,$(SETS)) $(if $(REHEARSE),--rehearse)

clean:  ## remove the environment, caches and the demo's results
	rm -rf $(VENV) build dist *.egg-info runs/demo gpu.json .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("w2v needs Python 3.10 or newer; name one with make PYTHON=...") if sys.version_info < (3, 10) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml $(PINS) | $(BIN)/python
ifneq ($(TORCH_INDEX),)
	$(INSTALL) --extra-index-url $(TORCH_INDEX) torch
endif
	$(INSTALL) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(INSTALL) --editable '.[dev]'
	@touch $@

$(VENV)/.installed-gpu-test: $(VENV)/.installed-dev
	$(INSTALL) --editable '.[gpu-test]'
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	$(INSTALL) --editable '.[bench]'
	@touch $@

$(VENV)/.installed-ecosystem: $(VENV)/.installed-dev
	$(INSTALL) --editable '.[ecosystem]'
	@touch $@
