# Everything runs from a virtual environment inside the clone, which is made on first use. PYTHON=... picks the interpreter.

PARTS := unit integration molecule lint sanity docs build matrix
TOOLS := ansible_collections.rayfleet.anyscale.tests.tools
CHECK := .venv/bin/python -m $(TOOLS).check
CLEAN := .venv/bin/python -m $(TOOLS).environment

.PHONY: help demo test setup $(PARTS) pins clean

help:
	@echo "make demo     converge a fleet of clouds in a sandbox, twice, and show what happened"
	@echo "make test     all of the parts below, then a summary; logs are in .cache/logs"
	@echo "make PART     one of: $(PARTS)"
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

setup:
	@tests/tools/setup.sh test

pins:
	@tests/tools/pin.sh

clean:
	rm -rf .venv .cache .ansible .hypothesis .ruff_cache .pytest_cache .mypy_cache
