PYTHON ?= python3
BIN := .venv/bin

.PHONY: quickstart test lint bench reproduce clean

quickstart: .venv/installed
	$(BIN)/yeoun quickstart --out quickstart-model --force

test: .venv/installed-dev lint
	$(BIN)/pytest -n 2

lint: .venv/installed-dev
	$(BIN)/ruff check src tests benchmarks examples docs
	$(BIN)/ruff format --check src tests benchmarks examples docs
	$(BIN)/mypy

BENCHMARKS = accuracy small unlabelled files ablation speed rates latency precision growth onnx_parity large \
	kill_and_resume schemes indexing encoders vectors multilabel cells misses coverage compare faithfulness \
	report trust doctor tables

bench: .venv/installed-dev  # what has a result file is skipped, but for kill_and_resume and indexing
	$(BIN)/pytest benchmarks
	set -e; for each in $(BENCHMARKS); do $(BIN)/python benchmarks/$$each.py; done

reproduce: .venv/installed
	$(BIN)/python benchmarks/reproduce.py
	$(BIN)/python benchmarks/tables.py

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build quickstart-model quickstart-model.saving
