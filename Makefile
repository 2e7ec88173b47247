# Every target makes its own environment from plain python3; nothing else is needed but git, make, curl and openssl.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVER_VENV := .venv-server
PORT ?= 8080
DATA ?= $(or $(CHAINLOOP_DATA),.data)
TOOLS := $(or $(CHAINLOOP_TOOLS),$(HOME)/.cache/chainloop-tools)
export PATH := $(TOOLS)/bin:$(PATH)

.PHONY: help demo serve test lint format bench crashes soak fuzz hostile tools lock clean
help: ## Show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'

# One environment, filled by the largest lock that was asked for; a changed lock is installed again.
$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "python3 is missing: install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON) is $$($(PYTHON) -V): Python 3.11 or newer is needed, try make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "$(PYTHON) has no venv module: on Debian and Ubuntu 'apt-get install python3-venv'" >&2; exit 1; }

$(VENV)/.installed-%: requirements/%.txt | $(VENV)/bin/python
	@echo "installing requirements/$*.txt into $(VENV) (hash-checked)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

# What a server needs and nothing else: libraries for tests would count as its memory.
$(SERVER_VENV)/.installed: requirements/server.txt | $(VENV)/bin/python
	@echo "installing $< into $(SERVER_VENV) (hash-checked)"
	@$(PYTHON) -m venv $(SERVER_VENV)
	@$(SERVER_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

demo: $(VENV)/.installed-demo ## Run the main job from contract to refusal (KEEP=1 leaves the server up, DEMO_DIR= keeps the files)
	@$(BIN)/python -m examples.demo

serve: $(VENV)/.installed-server ## Start the control plane (PORT=8080 DATA=.data)
	@PORT=$(PORT) CHAINLOOP_DATA=$(DATA) $(BIN)/python -m server serve

test: $(VENV)/.installed-dev ## Run all tests
	@$(BIN)/python -m pytest -n auto --dist loadgroup $(ARGS)

lint: $(VENV)/.installed-dev ## Check format, style, types (three platforms) and import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/mypy --platform win32 -p chainloop_ci
	@$(BIN)/mypy --platform darwin -p chainloop_ci
	@for platform in linux win32 darwin; do $(BIN)/mypy --platform $$platform actions/_shared/*.py jenkins/*.py jenkins/resources/chainloop/*.py || exit 1; done
	@$(BIN)/lint-imports

format: $(VENV)/.installed-dev ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.installed-dev $(SERVER_VENV)/.installed ## Print ratios of our times and memory to a baseline's of the same run
	@CHAINLOOP_BENCH_PYTHON=$(CURDIR)/$(SERVER_VENV)/bin/python $(BIN)/python -m bench $(ARGS)

ROUNDS ?= 1000
RUNS ?= 10000
crashes: $(VENV)/.installed-dev ## Kill our programs at random moments and look at what is left (ROUNDS=1000 of each, ARGS="cli --seed 7")
	@$(BIN)/python -m tests.soak --rounds $(ROUNDS) $(ARGS)

soak: $(VENV)/.installed-dev $(SERVER_VENV)/.installed ## Run what takes hours: `crashes`, then the long benchmarks (1 000 connections, 10 000 000 runs)
	@$(BIN)/python -m tests.soak --rounds $(ROUNDS)
	@$(BIN)/python -m tests.soak deliveries deliveries-postgresql --rounds $(RUNS)
	@CHAINLOOP_BENCH_PYTHON=$(CURDIR)/$(SERVER_VENV)/bin/python $(BIN)/python -m bench --long $(ARGS)

SECONDS ?= 60
fuzz: $(VENV)/.installed-dev $(VENV)/.installed-fuzz ## Fuzz every parser that reads foreign bytes (SECONDS=60 for each)
	@$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(ARGS)

hostile: $(VENV)/.installed-dev ## Play every hostile text in every input of every plugin (`make test` plays a sample)
	@CHAINLOOP_TEST_HOSTILE=all $(BIN)/python -m pytest -n auto --dist loadgroup $(wildcard tests/family/test_*hostile.py) tests/family/test_jenkins.py $(ARGS)

tools: ## Install the programs and wheels that some tests need (cue, cosign, act, actionlint) into TOOLS
	@PYTHON=$(PYTHON) CHAINLOOP_TOOLS=$(TOOLS) .ci/install-tools

lock: $(VENV)/.installed-dev ## Resolve requirements/*.txt again from pyproject.toml
	@for name in client server demo dev fuzz; do \
	  group=$$( [ $$name = client ] || echo --group $$name ); \
	  $(BIN)/uv pip compile pyproject.toml $$group --universal --python-version 3.11 --generate-hashes --upgrade \
	    --no-emit-index-url --no-annotate --no-header --quiet --output-file requirements/$$name.txt; \
	done
	@for name in build tools; do \
	  $(BIN)/uv pip compile --group $$name --universal --python-version 3.11 --generate-hashes --upgrade \
	    --no-emit-index-url --no-annotate --no-header --quiet --output-file requirements/$$name.txt; \
	done

clean: ## Remove what the other targets made
	rm -rf $(VENV) $(SERVER_VENV) .demo .data .fuzz dist build .pytest_cache .mypy_cache .ruff_cache
