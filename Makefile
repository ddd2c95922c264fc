# Every target makes its own environment and works without a terminal. ARGS="…" is handed on.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH_VENV := .venv-bench
# What the caller's environment says of package indexes stays as it is; uv reads the system's certificates.
export UV_SYSTEM_CERTS ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test check test-system bench up down format lock docs clean

help: ## this list
	@echo "Stocktide: one stock, every channel, right now."
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-22s %s\n", $$1, $$2}'
	@echo
	@echo 'Options are handed on: make demo ARGS="--for 60s --report demo.json"'

demo: $(VENV)/.demo ## the main job on real sales: embedded Kafka, PostgreSQL, Valkey, every service
	$(BIN)/stocktide demo $(ARGS)

up: $(VENV)/.demo ## start the embedded stack and every service; stays in the foreground
	$(BIN)/stocktide up $(ARGS)

down: $(VENV)/.demo ## stop what `make up` started
	$(BIN)/stocktide down $(ARGS)

test: $(VENV)/.dev ## the whole test suite against real servers (embedded)
	$(BIN)/pytest tests --ignore=tests/system $(ARGS)

check: $(VENV)/.dev ## format, lint, types, import rules; unit, contract and architecture tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/unit tests/contracts tests/architecture $(ARGS)

test-system: $(VENV)/.dev ## tests that need more than Python; fetches what they need
	$(BIN)/pytest tests/system $(ARGS)

bench: $(VENV)/.dev $(BENCH_VENV)/.bench ## speed claims with their peers: make bench ARGS="drain --events 300000"
	$(BIN)/python -m benchmarks $(ARGS)

format: $(VENV)/.dev ## rewrite the code in the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.dev ## generate what docs/ holds of generated pages
	$(BIN)/python -m shared.contracts.docs
	$(BIN)/python -m shared.telemetry.docs
	$(BIN)/python -m deploy.grafana.definitions

lock: $(VENV)/.uv ## resolve the locks anew
	for name in run demo dev bench; do sh requirements/compile.sh $$name || exit 1; done

clean: ## remove environments and caches; data in .stocktide/ stays
	rm -rf $(VENV) $(BENCH_VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(VENV)/.uv: requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Stocktide needs Python 3.11 or newer; this is %d.%d. Name another one: make PYTHON=/path/to/python3.12" % sys.version_info[:2])'
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "This Python cannot make environments (no venv/ensurepip). Name another one: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(VENV)/.demo: $(VENV)/.uv requirements/demo.txt pyproject.toml
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements/demo.txt
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.uv requirements/dev.txt pyproject.toml
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements/dev.txt
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(BENCH_VENV)/.bench: $(VENV)/.uv requirements/bench.txt
	$(PYTHON) -m venv --without-pip $(BENCH_VENV)
	VIRTUAL_ENV=$(BENCH_VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements/bench.txt
	@touch $@
