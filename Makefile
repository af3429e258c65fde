# Everything that a person does with this project; `make help` lists it.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

CODE := functions commands shared local
ALL  := $(CODE) tests

.DEFAULT_GOAL := help
.PHONY: help demo up test soak check static format conformance clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

demo: $(READY) ## the main job, from connecting to an idle round, seen on the terminal; ends by itself
	@$(BIN)/python -m local.demo

up: $(READY) ## the whole stack, left running for you to play with; Ctrl-C ends it
	@$(BIN)/python -m local.up

# Three workers, as each waits for answers half of its time. Files go to them in their own order: reordered by their number
# of tests, the slowest would come last.
test: $(READY) ## all tests, of those that try much a spread
	@$(BIN)/python -m local.firestore_emulator
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

soak: $(READY) ## all that `make test` tries a spread of, and long random histories; ends by itself
	@$(BIN)/python -m local.firestore_emulator
	@SOAK=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m soak

check: static test ## format, lint, types, import contracts, and all tests

static: $(READY) ## format, lint, types and import contracts only
	@$(BIN)/ruff format --check $(ALL)
	@$(BIN)/ruff check $(ALL)
	@$(BIN)/mypy $(CODE)
	@PYTHONPATH=. $(BIN)/lint-imports --no-logo

format: $(READY) ## put the code into shape
	@$(BIN)/ruff format $(ALL)
	@$(BIN)/ruff check --fix $(ALL)

conformance: $(READY) ## the contract suite of the simulated Google, against the real one (needs credentials)
	@$(BIN)/python -m pytest tests/contract --google=real -s -k "google and not adapter"

clean: ## remove what was installed and what the tools left
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis .import_linter_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.txt requirements-dev.txt
	@command -v $(PYTHON) >/dev/null || { \
	  echo "$(PYTHON) was not found. Name one that is there: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version)." \
	       "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing into $(VENV): about a minute, once."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --only-binary :all: -r requirements-dev.txt
	@touch $@
