# The one list of commands. Each target sets up what it needs in .venv, and leaves the system's Python as it is.
# Options: ARGS="..." is passed on to the command; PYTHON=3.12 takes that version of Python (in .venv-3.12).

SYSTEM_PYTHON ?= python3
PYTHON :=
ARGS :=

# -S: the way into an environment that is there already needs the standard library only, and is faster so.
ENVIRONMENT := $(SYSTEM_PYTHON) -S -m scripts.environment
IN := $(ENVIRONMENT) $(if $(PYTHON),--python $(PYTHON))

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench docs lock clean

help: ## list the targets
	@sed -n 's/^# \(Options:.*\)/\1/p' $(firstword $(MAKEFILE_LIST))
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
	  while IFS='|' read -r target text; do printf '%-14s %s\n' "$$target" "$$text"; done

demo: ## the reference agent with and without routing, priced (simulated models; ARGS="--help" lists the options)
	@$(IN) demo python -m examples.customer_support.demo $(ARGS)

test: ## every test, with the skips held against tests/allowed_skips.toml (ARGS="tests/core -k price")
	@$(IN) test python -m pytest $(ARGS)

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

lock: ## renew requirements/*.txt from pyproject.toml (ARGS="--upgrade" where uv.lock is there)
	@$(ENVIRONMENT) --uv lock $(ARGS)
	@for group in uv demo test lint; do \
	  $(ENVIRONMENT) --uv export --frozen --format requirements-txt --no-emit-project --only-group $$group \
	    --output-file requirements/$$group.txt || exit 1; \
	done

clean: ## remove the environments, the tools and every cache of this checkout
	rm -rf .venv .venv-3.11 .venv-3.12 .venv-3.13 .tools build dist
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
