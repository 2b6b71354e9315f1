# Everything a developer runs. `make` alone lists it.
PYTHON ?= python3
BIN := .venv/bin
LOCK_FLAGS := --generate-hashes --allow-unsafe --no-strip-extras --extra dev --extra docs \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
DURATION ?= 10m
# Folder by folder: what the tests of one share runs while they do, and no longer.
SPREAD := -n 2 --dist loadfile --no-loadscope-reorder
# Tests of the chaos suite mostly wait: more of them than cores run side by side.
CHAOS_WORKERS ?= 4
COVERED := contracts/*,workflows/*,logstream/*,engines/docker/*

.DEFAULT_GOAL := help
.PHONY: help setup demo down test-setup test deploy-test chaos soak lint fmt coverage bench histories images image secrets seccomp client lock docs site clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Prepare this checkout: venv, dependencies, Docker Engine, runner image
	@$(PYTHON) scripts/setup.py

demo: setup ## Start everything and run an example
	@$(BIN)/cronium demo

down: ## Stop what `make demo` started
	@$(BIN)/cronium down

test-setup: ## Prepare this checkout for the tests as well
	@$(PYTHON) scripts/setup.py --tests

test: test-setup ## Run all tests but those of the deployment
	@$(BIN)/python -m pytest $(SPREAD) --ignore tests/deploy tests

deploy-test: test-setup ## Build the image and try the compose file, the guard and clusters
	@$(BIN)/python -m pytest tests/deploy

chaos: test-setup ## Kill, cut and fill everything, in the long form
	@# What is held against a promised time comes first, with nothing beside it.
	@CRONIUM_CHAOS=long $(BIN)/python -m pytest -m alone --timeout 900 tests/chaos
	@CRONIUM_CHAOS=long $(BIN)/python -m pytest -n $(CHAOS_WORKERS) --dist loadfile --no-loadscope-reorder --timeout 1800 --durations 20 -m 'not alone' tests/chaos

soak: setup ## Kill parts for DURATION while events run (WRITE=1 puts the numbers into docs/reliability.md)
	@$(BIN)/python -m tests.chaos.soak --duration $(DURATION) $(if $(WRITE),--write)

lint: ## Check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fmt: ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

coverage: test-setup ## Run all tests and hold the core to 90 % coverage
	$(BIN)/python -m pytest $(SPREAD) --ignore tests/deploy --cov --cov-report=term tests
	$(BIN)/coverage report --include='$(COVERED)' --fail-under=90

bench: setup ## Measure
	@$(BIN)/python -m bench; code=$$?; \
	  $(BIN)/python -m bench.graphs --write || code=$$?; \
	  $(BIN)/python -m bench.servers --write || code=$$?; exit $$code

docs: ## Write anew what pages take from code: settings, table of helpers
	@mkdir -p build
	{ printf '# Configuration\n\n'; cat docs/configuration.head; \
	  $(BIN)/python -m worker.settings; } > build/configuration.md
	mv build/configuration.md docs/configuration.md
	$(BIN)/python -m tests.compat.table

site: setup ## Build the documentation as a site, into build/site
	@$(BIN)/python -m scripts.pages

histories: ## Record the workflow paths that have no history yet (NAMES=… anew)
	$(BIN)/python -m tests.replay.record $(NAMES)

images: ## Build the runner image if its inputs changed (FORCE=1 in any case)
	@$(PYTHON) images/build.py $(if $(FORCE),--force)

image: setup ## Build the images of executor and Temporal's development server
	@$(BIN)/python images/executor.py $(IMAGE_FLAGS)

secrets: ## Make the passwords that the prod profile reads as files
	@sh deploy/secrets.sh

seccomp: ## Make the seccomp profile from its readable list
	$(PYTHON) scripts/make_seccomp.py

client: ## Make the TypeScript client's types and validators from the contracts
	$(BIN)/python -m scripts.make_contracts
	npm run --silent --prefix clients/typescript generate

lock: ## Resolve the dependencies anew
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet --disable-pip-version-check pip-tools
	CUSTOM_COMPILE_COMMAND='make lock' build/lock/bin/pip-compile --quiet $(LOCK_FLAGS) \
	  --output-file requirements.lock pyproject.toml

clean: ## Remove what tools left behind (keeps .venv and images)
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.* \
	  build dist
