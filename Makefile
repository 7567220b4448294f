# Two commands matter: `make run` opens the app, `make test` runs the tests.
# Both set up everything they need in .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup run demo test test-long crash check format docs bench bench-peers emulate wheel screenshots clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "crm-tui needs Python 3.11 or newer; set PYTHON=/path/to/python3" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "python3 cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

run: setup
	@$(BIN)/crm-tui

demo: setup
	@$(BIN)/crm-tui demo

# Two processes more than there are cores: they wait as long as they work.
PROCESSES ?= $(shell $(PYTHON) -c 'import os; print(2 + (os.cpu_count() or 1))')

test: setup
	$(BIN)/python -m pytest --numprocesses $(PROCESSES)

test-long: setup
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --long

# A quarter of an hour: the sender of a campaign is killed 200 times, and who sends and polls through
# a provider with everything going wrong 50 times.
crash: setup
	$(BIN)/python -m pytest tests/crash/test_sending_killed.py --kills 200 --timeout 3600
	$(BIN)/python -m pytest tests/world/test_drive.py -k killed --kills 50 --timeout 3600

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

docs: setup
	$(BIN)/python docs/keys/make.py
	$(BIN)/python docs/providers/make.py

bench: setup
	$(BIN)/python -m benchmarks

# What the start is compared with, each in an environment of its own under ~/.cache.
# (posting 2.11 crashes with a tree-sitter newer than the one its Textual was made for.)
PEERS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/crm-tui-bench/peers
bench-peers:
	$(PYTHON) -m venv $(PEERS)/harlequin && $(PEERS)/harlequin/bin/pip install --quiet harlequin
	$(PYTHON) -m venv $(PEERS)/posting && $(PEERS)/posting/bin/pip install --quiet posting 'tree-sitter==0.25.2'

# Servers of Twilio and Resend that others wrote, which some tests run against where they are there.
# (The newest version by npm's own word is another program.)
CRM_TUI_EMULATE ?= $(HOME)/.cache/crm-tui-tests/emulate
emulate:
	npm install --no-save --no-audit --no-fund --prefix $(CRM_TUI_EMULATE) emulate@0.12.2 node@22

screenshots: setup
	$(BIN)/python docs/screenshots/make.py

wheel: setup
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
