# Every target sets up what it needs: Python ≥ 3.11 is all that has to be there (make PYTHON=/path/to/python3 picks one).
# ARGS hands words on: make unit ARGS="-k token", make lock ARGS=--upgrade.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
MAKE_PY := PYTHON="$(PYTHON)" make/python -m make
PYTHON ?=
ARGS ?=

.PHONY: help demo test unit lint bench clean actions lock

help:
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-7s  %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: ## a real pipeline recorded, attached and verified, then six attacks on it; needs Python only
	@$(MAKE_PY) demo $(ARGS)

test: ## everything: lint, unit, integration and end-to-end tests; builds the pinned tools once
	@$(MAKE_PY) test $(ARGS)

unit: ## the unit tests: no Go, under a minute
	@$(MAKE_PY) unit $(ARGS)

lint: ## ruff, mypy --strict, the direction of imports, and what `make actions` would change
	@$(MAKE_PY) lint

bench: ## how fast we are beside the stock tools, written to bench/RESULTS.md
	@$(MAKE_PY) bench $(ARGS)

clean: ## remove what make made in the checkout, and say where the cache is
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "The cache of environments and built tools stays: $$($(MAKE_PY) where)"; rm -rf make/__pycache__

actions: ## write again what in the actions' files and docs/actions.md follows from options and inputs
	@$(MAKE_PY) actions $(ARGS)

lock: ## compile requirements/*.txt again from pyproject.toml and requirements/*.in
	@$(MAKE_PY) lock $(ARGS)
