# make run     install into .venv and run the bundled study
# make test    install what the tests need and run them all
# make test-fast  only the tests that start no process and no server: under a minute
# make test-long  all tests, with many more examples and random schedules
# make coverage   all tests under coverage, which takes about twice as long
# make check   formatting, lint, types, generated documentation
# make screenshots  the pictures of the README, from the bundled study; needs Chromium
# make docs    regenerate the generated parts of the documentation
# make bench   the benchmarks; make bench-startup the one of commands that have nothing to do
#              (2 minutes); make bench-cloud the one of the run API (3 minutes);
#              make bench-browser the one of the browser (15 minutes, 2 GB of temporary files)

VENV   ?= .venv
BIN    := $(VENV)/bin
STUDY  ?= examples/asthma
# Test files at once: tests mostly wait for processes that they start
JOBS   ?= 5
# A file is run by one process, in the order of folders: those that wait longest come early
PARALLEL := -n $(JOBS) --dist loadfile --no-loadscope-reorder
# The first interpreter that is 3.11 or later; override with PYTHON=/path/to/python
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
DOCS   := README.md $(wildcard docs/*.md)

# Bytecode is kept: without it each process that a test starts compiles every module anew
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test test-fast test-long coverage check docs bench bench-startup bench-cloud \
	bench-browser screenshots wheel clean

run: $(VENV)/installed
	@$(BIN)/ingest run --study $(STUDY)
	@echo
	@echo "Look at the results, on http://localhost:8001:  $(BIN)/ingest serve --study $(STUDY)"
	@echo "So that \`ingest\` is found in this terminal:       . $(BIN)/activate"

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest $(PARALLEL)

test-fast: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

test-long: $(VENV)/installed-dev
	INGEST_TEST_LONG=1 $(BIN)/python -m pytest $(PARALLEL)

coverage: $(VENV)/installed-dev
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term

check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cog --check $(DOCS)

docs: $(VENV)/installed-dev
	$(BIN)/cog -r $(DOCS)

bench: $(VENV)/installed
	$(BIN)/python benchmarks/main_job.py
	$(BIN)/python benchmarks/diff.py
	$(BIN)/python benchmarks/whole_csv.py

bench-startup: $(VENV)/installed
	$(BIN)/python benchmarks/startup.py

bench-cloud: $(VENV)/installed
	$(BIN)/python benchmarks/run_api.py

screenshots: $(VENV)/installed-dev
	$(BIN)/python -m tests.chromium.screenshots

bench-browser: $(VENV)/installed
	$(BIN)/python benchmarks/browser.py $(if $(DATABASE),--database $(DATABASE))
	$(BIN)/python benchmarks/browser_load.py $(if $(DATABASE),--database $(DATABASE))

wheel: $(VENV)/installed-dev
	rm -rf dist
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) dist .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed; name one with make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed: $(VENV)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[browser]'
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
