# make demo   the gateway, a dev provider, an API and a page, on this machine
# make test   every test that can run here
# make test-browser   of these, the whole stack in Chromium
# make check  formatting, lint, types
# make demo-check   the demo started, logged in to by a script, and stopped
# make bench  calls per second and CPU per call beside nginx and others; docs/performance.md

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo demo-check test test-browser check bench lock clean

$(VENV)/.installed: requirements-dev.lock pyproject.toml
	@echo "Installing into $(VENV) (the first time takes a minute) ..."
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: $(VENV)/.installed
	@$(BIN)/python -m bff.demo

demo-check: $(VENV)/.installed
	@$(BIN)/python -m bff.demo --check

# In several processes, for many tests wait; then alone what measures memory or keeps a processor busy.
test: $(VENV)/.installed
	@$(BIN)/python -m pytest --numprocesses auto --ignore tests/torture; \
	status=$$?; \
	$(BIN)/python -m pytest tests/torture && exit $$status

test-browser: $(VENV)/.installed
	@$(BIN)/python -m pytest tests/browser

check: $(VENV)/.installed
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

bench: $(VENV)/.installed
	@$(BIN)/python -m bench $(ARGS)

lock: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --upgrade pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --upgrade --extra demo --group dev pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
