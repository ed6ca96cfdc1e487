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

bench: .venv/installed-dev
	$(BIN)/pytest benchmarks
	$(BIN)/python benchmarks/accuracy.py
	$(BIN)/python benchmarks/kill_and_resume.py
	$(BIN)/python benchmarks/tables.py

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
