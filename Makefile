# The commands of this project; `make help` lists them. Everything they write stays in this folder.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Caches and temporary files stay in the checkout; TMPDIR for pytest, Airflow and the object store.
export UV_CACHE_DIR := $(CURDIR)/.cache/uv
export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
export TMPDIR := $(CURDIR)/.cache/tmp
# Use the Python and the certificates that this machine has.
export UV_PYTHON_DOWNLOADS := never
export UV_SYSTEM_CERTS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Airflow without compiled bytecode takes seconds longer at every start.
unexport PYTHONDONTWRITEBYTECODE
# Neither somebody else's Airflow nor its configuration takes part.
unexport AIRFLOW_HOME PYTHONPATH

.DEFAULT_GOAL := help
.PHONY: help demo ui test quick coverage e2e pictures check conformance bench compare estate live matrix package audit mutants docs clean constraints

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.installed ## export and verify through real Airflow, against the emulator (under 3 minutes)
	@$(BIN)/python demo/run.py

ui: $(VENV)/.installed ## the same in Airflow's UI, until Ctrl-C
	@$(BIN)/python demo/ui.py

test: $(VENV)/.installed-dev ## the whole test suite; DLI_TESTS=all tries all cases of what has thousands
	@$(BIN)/python -m pytest -n 4 --dist loadgroup

quick: $(VENV)/.installed-dev ## the tests that take moments and start no Airflow: for the loop of a developer
	@$(BIN)/python -m pytest -n 4 --dist loadgroup -m "not airflow and not slow"

coverage: $(VENV)/.installed-dev ## the same with coverage, which takes longer; at least 97 %
	@rm -f .coverage .coverage.*
	@$(BIN)/coverage run -m pytest -n 4 --dist loadgroup
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --fail-under=97

e2e: $(VENV)/.installed-dev ## Airflow's UI in a real browser; needs chromium, leaves pictures in .cache/e2e
	@sh requirements/install.sh $(BIN) -r requirements/e2e.txt
	@DLI_E2E=1 $(BIN)/python -m pytest -q tests/e2e

pictures: ## take the pictures of the docs again, by way of make e2e; check them before you commit
	@DLI_PICTURES=$(CURDIR)/docs/pictures $(MAKE) --no-print-directory e2e

check: $(VENV)/.installed-dev ## ruff, format, mypy strict, import contracts, vocabulary, length of the docs, duplicates
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --cache-dir .cache/import-linter
	@$(BIN)/python release/vocabulary.py
	@$(BIN)/python release/words.py
# Each of the DAGs that are compared is complete in itself, as its author would write it.
	@$(BIN)/symilar --duplicates=10 --ignore-comments --ignore-docstrings \
		$$(git ls-files '*.py' ':!comparison/dags') | awk '{ print } /^TOTAL/ { found = $$3 } END { exit found != "duplicates=0" }'

conformance: $(VENV)/.installed-dev ## emulator, signature and client against independent oracles; needs Node, two minutes
	@command -v npm >/dev/null || { echo "make conformance needs node and npm, for the second official signer"; exit 1; }
	@mkdir -p .cache/node && cp tests/conformance/node/package.json .cache/node
	@npm install --prefix .cache/node --cache .cache/npm --no-audit --no-fund --no-update-notifier --loglevel=error
	@DLI_CONFORMANCE=1 $(BIN)/python -m pytest -q tests/conformance

bench: $(VENV)/.installed-dev ## measure, each against its peers in one run; writes the ratios into docs/quality/benchmarks.md. CHECK=1 compares with them
	@sh requirements/install.sh $(BIN) -r requirements/bench.txt
	@AIRFLOW_HOME=$(CURDIR)/.cache/airflow $(BIN)/python benchmarks/bench.py $(if $(CHECK),--check)

compare: $(VENV)/.installed-dev ## the nightly export in four ways, while things go wrong; half an hour, writes docs/quality/comparison.md
	@$(BIN)/python comparison/compare.py $(WAYS)

estate: $(VENV)/.installed-dev ## Celery, PostgreSQL, Redis and two triggerers while each is killed; 40 minutes, writes docs/estate.md (SCENARIOS="kill-worker …", JOBS=300)
	@sh requirements/install.sh $(BIN) -r requirements/estate.txt
	@$(BIN)/python estate/estate.py $(if $(JOBS),--jobs $(JOBS)) $(SCENARIOS)

live: $(VENV)/.installed ## query your own account for what the manual leaves open; reads only by default (LIVE="--write --scratch …")
	@$(BIN)/python live/live.py $(LIVE)

matrix: $(VENV)/.installed-dev ## the wheels on every Airflow and Python that it is for; takes an hour, writes docs/quality/matrix.md
	@$(BIN)/python matrix/matrix.py $(CELLS)
	@$(BIN)/python release/badges.py

package: $(VENV)/.installed-dev ## wheels and sdists as they could be published, and the proof that they can; into dist
	@sh requirements/install.sh $(BIN) -r requirements/package.txt
	@$(BIN)/python release/package.py

audit: $(VENV)/.installed-dev ## known weaknesses: bandit, and pip-audit where its service can be reached
	@sh requirements/install.sh $(BIN) -r requirements/package.txt
	@$(BIN)/python release/audit.py

mutants: $(VENV)/.installed-dev ## change client and archive in thousands of ways: do the tests notice? Takes an hour and a quarter; MUTANTS=… again, only these
	@sh requirements/install.sh $(BIN) -r requirements/mutation.txt
	@$(BIN)/mutmut run $(MUTANTS)
	@$(BIN)/python release/mutants.py
	@$(BIN)/python release/badges.py

docs: $(VENV)/.installed-dev ## the site, into .cache/site; LINKS=1 checks the links that lead outside instead
	@sh requirements/install.sh $(BIN) -r requirements/docs.txt
	@AIRFLOW_HOME=$(CURDIR)/.cache/airflow $(BIN)/python site/build.py $(if $(LINKS),--links)

constraints: $(VENV)/.installed-dev ## resolve the pinned versions again
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url \
		pyproject.toml dli_emulator/pyproject.toml requirements/dev.txt requirements/airflow.txt \
		requirements/estate.txt -o constraints.txt

clean: ## remove everything the commands made
	rm -rf $(VENV) .cache .demo .ui .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* dist build

$(BIN)/python:
	@mkdir -p $(TMPDIR)
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info[:2] <= (3, 13) or sys.exit("Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.12 …")'
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml dli_emulator/pyproject.toml constraints.txt | $(BIN)/python
	@mkdir -p $(TMPDIR)
	@echo "Installing the provider, Airflow and the emulator"
	@sh requirements/install.sh $(BIN) -e ./dli_emulator -e '.[emulator]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml dli_emulator/pyproject.toml constraints.txt requirements/dev.txt | $(BIN)/python
	@mkdir -p $(TMPDIR)
	@echo "Installing the provider, Airflow, the emulator and the tools"
	@sh requirements/install.sh $(BIN) -e ./dli_emulator -e '.[emulator]' -r requirements/dev.txt
	@touch $@ $(VENV)/.installed
