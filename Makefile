# Everything a person does with this repository. `make` alone prints the list.
#
# One .venv serves all of it. What was installed is remembered by stamps that carry a checksum of the lock files, so an
# unchanged lock costs milliseconds, `make test` after `make run` adds the development requirements, and `make run` after
# `make test` installs nothing.

.DEFAULT_GOAL := help
.PHONY: help run test year screenshots audit lint format messages chromium lock migrate api-key bench clean
.DELETE_ON_ERROR:
.NOTPARALLEL:

VENV := .venv
BIN := $(VENV)/bin
export UV_PYTHON_DOWNLOADS := never
# A shell that keeps Python from writing bytecode would have it compiled again by each of two dozen processes.
unexport PYTHONDONTWRITEBYTECODE

# cksum rather than sha256sum: POSIX has it everywhere, and it only has to notice an edit.
checksum = $(shell cat $(1) | cksum | tr ' ' '-')
BASE := bootstrap.txt build-constraints.txt dev/venv.sh
RUN_STAMP := $(VENV)/.run-$(call checksum,$(BASE) requirements.txt)
DEV_STAMP := $(VENV)/.dev-$(call checksum,$(BASE) requirements.txt requirements-dev.txt)
AUDIT_STAMP := $(VENV)/.audit-$(call checksum,$(BASE) requirements-audit.txt)
SERVERS_STAMP := $(VENV)/.servers-$(call checksum,$(BASE) requirements-servers.txt)

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo 'PORT (8000), SANDBOX_PORT (8001) and VAR_DIR (var) in the environment move a second copy out of the way.'

run: $(RUN_STAMP) $(SERVERS_STAMP) ## Start everything: PostgreSQL, Redis, web, worker, scheduler and both sandbox gateways
	@exec $(BIN)/python -m dev.run

# As many as cores: PostgreSQL and Chromium compute beside them, and with more of them all take longer.
# PYTEST_ARGS='-n 1' has the last word. Redis knows sixteen databases, one for each.
TESTERS = $(shell cores=$$(getconf _NPROCESSORS_ONLN); test $$cores -lt 16 && echo $$cores || echo 16)

test: $(DEV_STAMP) $(SERVERS_STAMP) ## Run the whole suite on servers of its own
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

screenshots: $(DEV_STAMP) $(SERVERS_STAMP) ## Photograph every page in every state into docs/screenshots; needs `make chromium`
	@$(BIN)/python -m dev.gallery.screenshots $(SCREENSHOTS_ARGS)

audit: $(DEV_STAMP) $(SERVERS_STAMP) $(AUDIT_STAMP) ## axe, widths, zoom, layout shift, weight and Lighthouse for every page in every state
	@$(BIN)/python -m dev.gallery.audit $(AUDIT_ARGS)

lint: $(DEV_STAMP) ## Check style, types, the rooms' borders and the templates
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports
	$(BIN)/python -m djlint --check --lint --quiet templates portal/sandbox

format: $(DEV_STAMP) ## Rewrite code and templates in the house style
	$(BIN)/python -m ruff check --fix-only --quiet .
	$(BIN)/python -m ruff format .
	$(BIN)/python -m djlint --reformat --quiet templates portal/sandbox || true

year: $(RUN_STAMP) $(SERVERS_STAMP) ## Play twelve months of ten customers, print the calendar and both ledgers side by side
	@$(BIN)/python -m dev.year

chromium: ## Install Debian's Chromium for the browser tests, when it is missing and we are root
	@sh dev/chromium.sh

messages: $(RUN_STAMP) ## Collect the sentences, bring translations/ up to date, compile it, say what is not translated
	@$(BIN)/python -m dev.messages

lock: $(DEV_STAMP) ## Compile requirements*.in into hash-pinned requirements*.txt
	@sh dev/lock.sh

migrate: $(RUN_STAMP) ## Bring the database of DATABASE_URL (or of the running `make run`) to the newest schema
	@$(BIN)/python -m dev.inside db upgrade

api-key: $(RUN_STAMP) ## Make a key for the product's API of the running `make run`: make api-key NAME=newsletter
	@$(BIN)/python -m dev.inside create-api-key -- "$(NAME)"

bench: $(RUN_STAMP) $(SERVERS_STAMP) ## Time the product's API on a million usage records; BENCH_ARGS=--statistics: the desk, BENCH_ARGS=--pages: a customer
	@$(BIN)/python -m dev.bench $(BENCH_ARGS)

clean: ## Remove .venv, caches and the data of `make run`
	@sh dev/clean.sh

$(RUN_STAMP) $(DEV_STAMP) $(SERVERS_STAMP) $(AUDIT_STAMP):
	@sh dev/venv.sh $@
