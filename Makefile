# Needs make and Python >= 3.11 with its venv module; everything else comes from the locks.
PYTHON ?= python3
JOBS   ?= 2
SEEDS  ?= 1000
DEPTH  ?= 2
SECONDS_EACH ?= 60
PYTEST_ARGS ?=

BIN   := .venv/bin
STAMP := .venv/.set-up

.PHONY: setup demo test peers kit lint docs bench sim crash soak mutants clean lock
.DEFAULT_GOAL := setup

setup: $(STAMP)

# hatchling is in the dev lock, so building the project itself fetches nothing that is not hashed.
$(STAMP): pyproject.toml requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'syncd needs Python >= 3.11; name one: make setup PYTHON=python3.12' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m pip check --disable-pip-version-check
	@touch $@

demo: setup
	$(BIN)/syncd demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# -rs ends the output with every skipped test and its reason; worksteal leaves neighbours together, so that what several of them
# need (a server, a story) is started once.
test: lint
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -rs $(PYTEST_ARGS)

# The real systems that the tests run against, each in an environment of its own below .venv-peers. The first test that needs
# one installs it as well.
peers: setup
	$(BIN)/python -m syncd.kit.install

# Every question to every connector, on its stand-in or on the real server, with its card; ten minutes. `make test` asks the same.
kit: peers
	for each in connectors/*/; do $(BIN)/syncd connectors test "$$(basename $$each)" || exit 1; done

docs: setup
	$(BIN)/syncd docs

bench: setup
	$(BIN)/python bench/run.py

# Seeded histories, then every history of the small worlds: three apps with one deviation, two apps with DEPTH.
sim: setup
	$(BIN)/python -m tests.sim --seeds $(SEEDS) --jobs $(JOBS) --json docs/proof/sim.json
	$(BIN)/python -m tests.sim.exhaust --apps 2 --depth 1 --jobs $(JOBS) --json docs/proof/small.json
	$(BIN)/python -m tests.sim.exhaust --apps 3 --depth 1 --jobs $(JOBS) --json docs/proof/small.json
	test $(DEPTH) = 1 || $(BIN)/python -m tests.sim.exhaust --apps 2 --depth 2 --kinds exact --jobs $(JOBS) --json docs/proof/small.json
	$(BIN)/python -m tests.reliability

# The real process dies at every boundary, on both databases; some hours. `make test` does a part of it.
crash: setup
	$(BIN)/python -m tests.crash --all --store both --json > docs/proof/crash.json
	$(BIN)/python -m tests.reliability

# As long as you like: SECONDS_EACH for each fuzz target, then SEEDS worlds.
soak: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-soak.txt
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS_EACH)
	$(BIN)/python -m tests.sim --seeds $(SEEDS)

# The named ones, searched for in full; then mutmut's, as many as SAMPLE says, drawn by SAMPLE_SEED (SAMPLE=: all of them, for
# hours; a kill is not tried again as long as its function stays as it is).
SAMPLE ?= 1000
SAMPLE_SEED ?= 1
mutants: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-mutants.txt
	$(BIN)/python -m tests.mutants --full --sound --json docs/proof/mutants.json
	$(BIN)/python -m tests.mutants.generic --sample '$(SAMPLE)' --seed $(SAMPLE_SEED) --json docs/proof/generic.json
	$(BIN)/python -m tests.reliability

# Universal: one lock for Python 3.11-3.13 on Linux and macOS, without any index address in it.
# The tool lives in a folder of its own; an unchanged pyproject.toml keeps the pinned versions (UPGRADE=--upgrade moves them).
UPGRADE ?=
PEERS   = mailman roundup tryton
COMPILE = .lock/bin/uv pip compile --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet $(UPGRADE)

lock:
	$(PYTHON) -m venv .lock
	.lock/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
	$(COMPILE) pyproject.toml --output-file requirements.txt
	$(COMPILE) pyproject.toml --group dev --constraints requirements.txt --output-file requirements-dev.txt
	$(COMPILE) --group build --constraints requirements-dev.txt --output-file requirements-build.txt
	$(COMPILE) --group soak --constraints requirements-dev.txt --output-file requirements-soak.txt
	$(COMPILE) --group mutants --constraints requirements-dev.txt --output-file requirements-mutants.txt
	for peer in $(PEERS); do $(COMPILE) --group peer-$$peer --output-file connectors/$$peer/server.txt || exit 1; done

clean:
	rm -rf .venv .venv-peers .lock mutants .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
