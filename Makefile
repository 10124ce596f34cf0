# Everything runs from a virtual environment inside the clone, which is made on first use. PYTHON=... picks the interpreter.

PARTS := unit integration browser awx molecule lint sanity docs docsite build package matrix
HERE := ansible_collections.rayfleet.anyscale
CHECK := .venv/bin/python -m $(HERE).tests.tools.check
CLEAN := .venv/bin/python -m $(HERE).tools.environment

.PHONY: help demo test setup $(PARTS) soak bench release pins clean

help:
	@echo "make demo     audit a fleet of clouds in a sandbox, converge it, audit it again, and show what happened"
	@echo "make test     all of the parts below, then a summary; logs are in .cache/logs"
	@echo "make PART     one of: $(PARTS)"
	@echo "make soak     the long versions of the tests (an hour or two); writes their figures into the documentation"
	@echo "make bench    measure against amazon.aws, the AWS CLI and boto3 (an hour or two); OPTIONS=--quick tries it out"
	@echo "make release  check that the clone can be released, run all tests, build the tarball, and say what is left to do"
	@echo "make setup    the virtual environment (.venv) with all that the tests need"
	@echo "make pins     pin the newest releases of the requirements (needs uv)"
	@echo "make clean    remove .venv and .cache"

demo:
	@tests/tools/setup.sh demo
	@$(CLEAN) python -m $(HERE).demo.demo

test: setup
	@$(CHECK) $(PARTS)

$(PARTS): setup
	@$(CHECK) $@

# The faults are many and do not mind company; what is about time and processes has the machine for itself.
FAULTS := tests/reliability/test_faults.py tests/reliability/test_faults_other_operations.py

soak: setup
	@rm -rf .cache/soak
	@$(CLEAN) pytest -q -m "soak or not soak" -n 2 --dist loadfile $(FAULTS)
	@$(CLEAN) pytest -q -m soak $(FAULTS:%=--ignore=%)
	@$(CLEAN) python -m $(HERE).docs.tools.soak_figures_table

bench:
	@tests/tools/setup.sh bench .cache/bench
	@tests/tools/setup.sh awscli .cache/awscli
	@.cache/bench/bin/python -m $(HERE).benchmarks $(OPTIONS)

setup:
	@tests/tools/setup.sh test

release: setup
	@$(CLEAN) python -m $(HERE).tools.release ready
	@$(CHECK) --whole $(PARTS)
	@$(CLEAN) python -m $(HERE).tools.release build

pins:
	@tests/tools/pin.sh

clean:
	rm -rf .venv .cache .ansible .hypothesis .ruff_cache .pytest_cache .mypy_cache
