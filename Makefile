# The tasks of this project. `make run` and `make test` need Python 3.11 or newer and make, nothing else.

.DEFAULT_GOAL := help
.PHONY: help run test check lint audit lock format docs screenshots bench drill clean token
SHELL := /bin/sh

# `make run PYTHON=/opt/python3.12/bin/python3` chooses another interpreter for .venv.
PYTHON ?=
# `make run ARGS="--port 3333"`, `make test ARGS="-k duplicate"`
ARGS ?=

VENV := .venv
PY := $(VENV)/bin/python

help:  ## Say what can be made.
	@echo 'make run      start on paper; ARGS="--port 3333" is passed on'
	@echo 'make test     run the tests; ARGS="-k duplicate" is passed on'
	@echo 'make check    format, lint, types and tests, changing nothing'
	@echo 'make lint     the same without the tests and the audit'
	@echo 'make audit    ask for known holes in the packages of requirements.lock'
	@echo 'make lock     write requirements.lock anew: every package with version and hash'
	@echo 'make format   format, and mend what can be mended'
	@echo 'make docs     build the pages as a site in site/; a dead link makes it fail'
	@echo 'make screenshots  take a picture of every view of the page; needs Chromium'
	@echo 'make drill    the long runs against a simulated, lying venue'
	@echo 'make bench    measure throughput, latency, memory and growth against their targets'
	@echo 'make clean    remove .venv and caches; never .env, the state or the log'

run: token
	@exec $(PY) webhook_server.py $(ARGS)

# A worker per core; one that has finished takes tests from another. `make test ARGS="-n 0 --pdb"` runs in one process.
WORKERS = -n auto --dist worksteal

test: $(VENV)/dev.stamp
	@$(PY) -m pytest -q $(WORKERS) $(ARGS)

check: lint audit
	@$(PY) -m pytest -q $(WORKERS) $(ARGS)

lint: $(VENV)/dev.stamp
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy

# It says so of each package that the registry in use knows nothing about.
audit: $(VENV)/dev.stamp
	@$(PY) -m pip_audit -r requirements.lock --disable-pip --progress-spinner off

lock: $(VENV)/dev.stamp
	@PIP_CONFIG_FILE=/dev/null $(PY) -m uv pip compile pyproject.toml --universal --python-version 3.11 \
	    --generate-hashes --upgrade --quiet --no-header -o requirements.lock
	@echo 'requirements.lock is written.'

format: $(VENV)/dev.stamp
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

docs: $(VENV)/docs.stamp
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build
	@echo 'The pages are built: open site/index.html'

screenshots: $(VENV)/dev.stamp
	@$(PY) -m tests.support.screenshots screenshots
	@echo 'The pictures of the page are in screenshots/'

drill: $(VENV)/dev.stamp
	@$(PY) -m pytest -q -s -m drill $(ARGS)

bench: $(VENV)/run.stamp
	@$(PY) -m bench

clean:
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis site
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the token of the history and the controls -----------------------------------------------------
# Written once; the file is nobody else's business, so it is 0600 from its first byte.

token: $(VENV)/run.stamp
	@umask 077; \
	if grep -q "^ADMIN_TOKEN=[\"']*[^\"'[:space:]]" .env 2>/dev/null; then exit 0; fi; \
	if [ ! -f .env ]; then \
	    if [ -f .env.example ]; then cat .env.example > .env; else : > .env; fi; \
	fi; \
	chmod 600 .env; \
	TOKEN="$$($(PY) -c 'import secrets; print(secrets.token_urlsafe(24))')" awk ' \
	    !done && /^(# *)?ADMIN_TOKEN=["'\'' \t]*$$/ { print "ADMIN_TOKEN=" ENVIRON["TOKEN"]; done = 1; next } \
	    { print } \
	    END { if (!done) print "ADMIN_TOKEN=" ENVIRON["TOKEN"] }' .env > .env.new && \
	cat .env.new > .env && rm .env.new && \
	echo 'Wrote an ADMIN_TOKEN to .env: the history and the controls ask for it.'

# --- the environment -------------------------------------------------------------------------------
# Installed again only when the requirements changed; what pip says is kept in .venv/install.log.

install = \
	echo "Installing $(1) into $(VENV) ..."; \
	if ! $(PY) -m pip install --disable-pip-version-check --no-input -r $(1) > $(VENV)/install.log 2>&1; then \
	    echo "The packages in $(1) could not be installed:"; \
	    grep -i error $(VENV)/install.log | sed -E 's,[a-z]+://[^ ]*,...,g; s,host=[^ ]*,host=...,g' | tail -n 5; \
	    echo "Check the network and run the same command again; all of it is in $(VENV)/install.log."; \
	    exit 1; \
	fi; \
	touch $@

$(VENV)/run.stamp: requirements.txt | $(PY)
	@$(call install,requirements.txt)

$(VENV)/dev.stamp: requirements.txt requirements-dev.txt | $(PY)
	@$(call install,requirements-dev.txt)
	@touch $(VENV)/run.stamp

$(VENV)/docs.stamp: requirements-docs.txt | $(PY)
	@$(call install,requirements-docs.txt)

$(PY):
	@rm -f $(VENV)/run.stamp $(VENV)/dev.stamp $(VENV)/docs.stamp; \
	found=; \
	for name in $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3 python); do \
	    "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    found="$$name"; \
	    if "$$name" -c 'import ensurepip, venv' 2>/dev/null; then break; fi; \
	    found="no venv: $$name"; \
	done; \
	case "$$found" in \
	'') echo 'Python 3.11 or newer is needed and was not found.'; \
	    echo 'Install it: "apt install python3 python3-venv" (Debian 12, Ubuntu 24.04 or newer), "brew install python",'; \
	    echo 'or from python.org; or say where it is: make run PYTHON=/path/to/python3'; \
	    exit 1;; \
	'no venv: '*) echo "$${found#no venv: } has no venv module. Install it (Debian, Ubuntu: apt install python3-venv) and run this again."; \
	    exit 1;; \
	esac; \
	"$$found" -m venv --clear $(VENV)
