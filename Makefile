# Everything a clean clone needs: Python >= 3.11, pip and make.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo "$$python"; break; fi; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo up test test-long lint format vectors venv clean help

help: ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: .venv/.runtime ## a whole exchange on this machine, and a scenario that proves itself
	@$(BIN)/tearline demo $(ARGS)

up: .venv/.runtime ## hub, gateways and adapters of EXCHANGE=exchange.toml
	@$(BIN)/tearline up $(or $(EXCHANGE),exchange.toml) $(ARGS)

test: .venv/.dev ## the tests, ten minutes at most
	@$(BIN)/pytest -q -n 2 --dist loadfile -m "not long" $(ARGS)

test-long: .venv/.dev ## kills under load, proofs at length, fuzzing, the cluster: eighteen minutes at most
	@$(BIN)/pytest -q -m long $(ARGS)

lint: .venv/.dev ## ruff, mypy --strict, the import contracts of the rooms
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: .venv/.dev ## ruff rewrites
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

vectors: .venv/.dev ## the published test vectors are what the code makes
	@$(BIN)/python tests/vectors/generate.py --check

venv: .venv/.dev ## the virtual environment with everything for development

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed" >&2; exit 1; }
	@$(PYTHON) -m venv .venv

.venv/.runtime: pyproject.toml | .venv/bin/python
	@echo "installing into .venv ..." >&2
	@$(PIP) install -e .
	@touch $@

.venv/.dev: pyproject.toml | .venv/bin/python
	@echo "installing into .venv (with the development tools) ..." >&2
	@$(PIP) install -e '.[dev,officer,bench]'
	@touch $@ .venv/.runtime

clean: ## forget the virtual environment and every run
	@rm -rf .venv run build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
