# `make demo` and `make test` need python3 (3.11 or newer, with venv) and make; everything else is installed here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt
OUT ?= demo-out
# How many processes run the tests.
JOBS ?= 2
# Files in the order of tests/conftest.py, which begins the long ones first. A worker that dies ends the tests at once: begun anew, xdist can wait for ever.
SPREAD := -n $(JOBS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0
# What ruff looks at.
PYTHONS := src tests benchmarks docs examples

.PHONY: help install demo check static test docs lint types imports fast unit catalogues chromium runtime clean

help:
	@echo "make demo    install, then run the whole path on generated doodles (report in $(OUT)/)"
	@echo "make check   install, then ruff, mypy --strict, import-linter and the fast tests: under a minute"
	@echo "make test    install, then all of it: every test, the examples, the site"
	@echo "make docs    the site, in site/"
	@echo "make catalogues  the texts of other languages, brought up to date with the code"
	@echo "make install only install into $(VENV)"

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "dessin needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml constraints.txt
	$(PIP) -e .
	touch $@

# LOCKED=1, as CI has it, takes only files whose hashes are known; see the head of locks/serve.txt.
$(VENV)/.installed-dev: $(VENV)/.created pyproject.toml constraints.txt $(wildcard locks/*.txt)
ifdef LOCKED
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r locks/dev.txt
	$(PIP) --no-deps --no-build-isolation -e '.[dev]'
else
	$(PIP) -e '.[dev]'
endif
	touch $@

install: $(VENV)/.installed

# A former demo in the same place is replaced; anything else there is left alone, and refused.
demo: install
	@[ ! -f $(OUT)/answer_key.json ] || rm -rf $(OUT)
	$(BIN)/dessin demo --out $(OUT)

# mypy and the tests side by side: each alone leaves a core idle.
check: $(VENV)/.installed-dev
	+$(MAKE) --no-print-directory -j2 --output-sync=target static fast

static: lint imports types

# The tests build the site, too. Side by side, as for `check`: downloads with each other, mypy with the tests. All is shown as it comes, for this takes many minutes.
test:
	+$(MAKE) --no-print-directory -j2 unit static

docs: $(VENV)/.installed-dev
	$(BIN)/python docs/site/build.py site

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check $(PYTHONS)
	$(BIN)/ruff format --check $(PYTHONS)

types: $(VENV)/.installed-dev
	$(BIN)/mypy

imports: $(VENV)/.installed-dev
	$(BIN)/lint-imports

catalogues: $(VENV)/.installed-dev
	$(BIN)/python tests/kits/catalogues.py

# Files with a heavy mark are not even read; see tests/conftest.py.
fast: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest --fast $(SPREAD)

# Screenshots of the studio are kept in test-output/. One thread a test process: two processes on two cores, each with a pool of two, would wait for each other.
unit: $(VENV)/.installed-dev chromium runtime
	OMP_NUM_THREADS=1 DESSIN_TEST_OUTPUT=$(CURDIR)/test-output $(BIN)/pytest $(SPREAD)

# Browser tests drive Debian's chromium, and look at Korean pages with Debian's fonts. Without these they say so and are skipped; in CI they fail.
chromium:
	@{ command -v chromium && fc-list :lang=ko | grep .; } >/dev/null 2>&1 || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && apt-get install -y -qq chromium fonts-noto-cjk >/dev/null; \
		else echo "No chromium or Korean font here: browser tests will be skipped. Install them with: apt-get install chromium fonts-noto-cjk"; fi; }

# Pages of models compute with ONNX Runtime for browsers, which npm fetches once into dessin's cache. Without it their browser tests say so and are skipped; in CI they fail.
runtime: $(VENV)/.installed-dev
	@$(BIN)/python -m dessin.serving.export.web.runtime || echo "Browser tests of a model's page will be skipped."

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
