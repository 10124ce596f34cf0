# Everything runs from a virtual environment inside the clone, which is made on first use. PYTHON=... picks the interpreter.

PARTS := unit integration browser molecule lint sanity docs build matrix
TOOLS := ansible_collections.rayfleet.anyscale.tests.tools
CHECK := .venv/bin/python -m $(TOOLS).check
CLEAN := .venv/bin/python -m $(TOOLS).environment

.PHONY: help demo test setup $(PARTS) bench pins clean

help:
	@echo "make demo     audit a fleet of clouds in a sandbox, converge it, audit it again, and show what happened"
	@echo "make test     all of the parts below, then a summary; logs are in .cache/logs"
	@echo "make PART     one of: $(PARTS)"
	@echo "make bench    measure against amazon.aws, the AWS CLI and boto3 (an hour or two); OPTIONS=--quick tries it out"
	@echo "make setup    the virtual environment (.venv) with all that the tests need"
	@echo "make pins     pin the newest releases of the requirements (needs uv)"
	@echo "make clean    remove .venv and .cache"

demo:
	@tests/tools/setup.sh demo
	@$(CLEAN) python -m $(TOOLS).demo

test: setup
	@$(CHECK) $(PARTS)

$(PARTS): setup
	@$(CHECK) $@

bench:
	@tests/tools/setup.sh bench .cache/bench
	@tests/tools/setup.sh awscli .cache/awscli
	@.cache/bench/bin/python -m ansible_collections.rayfleet.anyscale.tests.bench $(OPTIONS)

setup:
	@tests/tools/setup.sh test

pins:
	@tests/tools/pin.sh

clean:
	rm -rf .venv .cache .ansible .hypothesis .ruff_cache .pytest_cache .mypy_cache
