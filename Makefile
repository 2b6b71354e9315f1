# Everything a developer or a newcomer types. `make` lists it.
PYTHON ?= python3
VENV := .venv/bin
COVERED := contracts/*,workflows/*,logstream/*,engines/docker/*
.DEFAULT_GOAL := help
.PHONY: help setup demo down test lint fmt bench coverage images lock docs clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## make .venv, find or install Docker, build the runner image
	@$(PYTHON) scripts/setup.py

demo: setup ## run five examples with live lines
	@$(VENV)/cronium demo

down: ## stop the local stack
	@$(VENV)/cronium down

test: setup ## run all tests
	@$(VENV)/python -m pytest -n 2 --dist loadfile tests

lint: ## check style and types
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy

fmt: ## format the code
	@$(VENV)/ruff check --fix -q .
	@$(VENV)/ruff format .

bench: setup ## measure, and write docs/performance.md
	@$(VENV)/python -m bench

coverage: setup ## run all tests and fail below 90 % of the core
	@$(VENV)/python -m pytest -n 2 --dist loadfile --cov --cov-report= tests
	@$(VENV)/coverage report --include='$(COVERED)' --fail-under=90

images: ## build the runner image when its inputs changed
	@$(PYTHON) images/build.py

lock: ## write requirements.lock anew
	@$(PYTHON) -m venv build/lock && build/lock/bin/pip install -q pip-tools
	@build/lock/bin/pip-compile --quiet --upgrade --generate-hashes --extra dev \
	  --allow-unsafe --strip-extras --no-emit-index-url --no-emit-find-links \
	  --no-emit-trusted-host -o requirements.lock pyproject.toml

docs: ## write the generated pages anew
	@{ printf '# Configuration\n\n'; cat docs/configuration.head; \
	  $(VENV)/python -m worker.settings; } > docs/configuration.md

clean: ## remove what can be made again
	@rm -rf .venv build .pytest_cache .mypy_cache .ruff_cache .coverage*
