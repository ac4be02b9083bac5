# The one list of commands. Each target sets up what it needs in .venv, and leaves the system's Python as it is.
# Options: ARGS="..." is passed on to the command; PYTHON=3.12 takes that version of Python (in .venv-3.12).

SYSTEM_PYTHON ?= python3
PYTHON :=
ARGS :=
PHOENIX :=

# -S: the way into an environment that is there already needs the standard library only, and is faster so.
ENVIRONMENT := $(SYSTEM_PYTHON) -S -m scripts.environment
IN := $(ENVIRONMENT) $(if $(PYTHON),--python $(PYTHON))

# All tests run in as many processes as there are processors; a choice of them, or on one processor, in one (-n 0: one).
SPREAD := -n auto --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench docs gateway-matrix lab site e2e-phoenix e2e-aws release lock clean

help: ## list the targets
	@sed -n 's/^# \(Options:.*\)/\1/p' $(firstword $(MAKEFILE_LIST))
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
	  while IFS='|' read -r target text; do printf '%-18s %s\n' "$$target" "$$text"; done

demo: ## the reference agent with and without routing, priced (simulated models; ARGS="--help" lists the options)
	@$(IN) demo python -m examples.customer_support.demo $(ARGS)

test: ## every test, with the skips held against tests/allowed_skips.toml (ARGS="tests/core -k price")
	@$(IN) test python -m pytest $(SPREAD) $(ARGS)

lint: ## formatting, style, types, the rooms' import rules, stray hosts and paths
	@$(IN) lint ruff format --check --quiet . || { echo "make format mends this"; exit 1; }
	@$(IN) lint ruff check --quiet .
	@$(IN) lint mypy
	@$(IN) lint lint-imports --no-logo
	@$(IN) lint python -m scripts.check_text

format: ## format the code and mend what ruff can mend
	@$(IN) lint ruff check --quiet --fix-only .
	@$(IN) lint ruff format .

bench: ## every benchmark in benchmarks/, medians (ARGS="decide" runs those with that word in their name)
	@$(IN) test python -m benchmarks $(ARGS)

docs: ## write the generated pages anew, then run every example of README and docs
	@$(IN) test python -m scripts.generate_docs
	@$(IN) test python -m pytest tests/docs $(ARGS)

gateway-matrix: ## run every client against the gateway, and write down what came of it (docs/gateway-matrix.*)
	@UPDATE_GATEWAY_MATRIX=1 $(IN) test python -m pytest -n 0 tests/doors/gateway/matrix $(ARGS)
	@$(IN) test python -m scripts.generate_docs

lab: ## run the notebooks and store their outputs (ARGS="04", ARGS="--check"; LIVE=1 runs them on Bedrock, billed)
	@$(IN) test python -m labs.run $(ARGS)

site: ## the documentation site into build/site; warnings are errors
	@$(IN) docs-site python -m scripts.site

e2e-phoenix: ## traces in Arize Phoenix, held against the ledger (PHOENIX=path/to/bin/phoenix)
	@if [ -z "$(PHOENIX)" ] && ! command -v phoenix >/dev/null; then printf '%s\n' \
	  "" \
	  "*** SKIPPED: Arize Phoenix is not installed, so nothing was compared with it. ***" \
	  "Install it in an environment of its own (855 MB), and name its command:" \
	  "  python3 -m venv \$$HOME/phoenix && \$$HOME/phoenix/bin/pip install arize-phoenix" \
	  "  make e2e-phoenix PHOENIX=\$$HOME/phoenix/bin/phoenix" \
	  ""; \
	else PHOENIX="$(PHOENIX)" $(IN) test python -m pytest -s tests/e2e $(ARGS); fi

e2e-aws: ## deploy to AWS, ask the five prompts, compare, remove (needs credentials, costs some cents; ARGS=--container)
	@$(IN) demo python -m scripts.e2e_aws $(ARGS)

release: ## wheel, source archive, SBOMs and SHA-256 sums into dist, reproducibly (ARGS=--allow-changes to try)
	@$(IN) release python -m scripts.release $(ARGS)

lock: ## renew requirements/*.txt from pyproject.toml (ARGS="--upgrade" where uv.lock is there)
	@$(ENVIRONMENT) --uv lock $(ARGS)
	@for group in uv demo test lint docs-site release; do \
	  $(ENVIRONMENT) --uv export --frozen --format requirements-txt --no-emit-project --only-group $$group \
	    --output-file requirements/$$group.txt || exit 1; \
	done
	@$(ENVIRONMENT) --uv export --frozen --format requirements-txt --no-emit-project --no-default-groups \
	  --output-file requirements/core.txt
	@$(ENVIRONMENT) --uv export --frozen --format requirements-txt --no-emit-project --no-default-groups --all-extras \
	  --output-file requirements/extras.txt

clean: ## remove the environments, the tools and every cache of this checkout
	rm -rf .venv .venv-3.11 .venv-3.12 .venv-3.13 .tools build dist
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
