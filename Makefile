# Everything runs from a virtual environment inside the clone, which is made on first use. PYTHON=... picks the interpreter.
# What the checks do is in noxfile.py.

CHECKS := unit judge linters modules playbooks plugins core reliability guide sanity pylint docs changelog build \
          in_worker browser awx eda molecule package docsite
HERE := ansible_collections.rayfleet.anyscale
CLEAN := .venv/bin/python -m $(HERE).tools.environment
NOX := .venv/bin/nox
LOGS := .cache/logs
SUMMARY := .venv/bin/python -m $(HERE).tools.summary --since $(shell date +%s)

.PHONY: help demo sandbox test test-all setup lint $(CHECKS) soak bench release pins clean

help:
	@echo "make demo       audit a fleet of clouds in a sandbox, converge it, audit it again, and show what happened"
	@echo "make sandbox    AWS and Anyscale to practise with in your own shell; OPTIONS='--clouds 500' for a large fleet"
	@echo "make test       the tests for every change, then a summary; logs are in $(LOGS)"
	@echo "make test-all   all tests, none of which may be skipped, and their branch coverage (half an hour)"
	@echo "make CHECK      one of: lint $(CHECKS)"
	@echo "                OPTIONS=... are pytest's, such as: make unit OPTIONS='-k policy'"
	@echo "make soak       the long versions of the tests (an hour or two); writes their figures into the documentation"
	@echo "make bench      measure against amazon.aws, the AWS CLI and boto3 (45 minutes); OPTIONS=--quick tries it out"
	@echo "make release    check that the clone can be released, run all tests, build the tarball, and say what is left to do"
	@echo "make setup      the virtual environment (.venv) with all that the tests need"
	@echo "make pins       pin the newest releases of the requirements"
	@echo "make clean      remove .venv and .cache"

demo:
	@tools/setup.sh demo
	@$(CLEAN) python -m $(HERE).demo.demo

sandbox:
	@tools/setup.sh demo
	@$(CLEAN) python -m $(HERE).tests.sandbox $(OPTIONS)

test: setup
	@rm -rf $(LOGS) && mkdir -p $(LOGS)
	@$(NOX) -t test --parallel 2 --report $(LOGS)/report.json; status=$$?; \
	$(SUMMARY) $(LOGS)/report.json && exit $$status

test-all: setup
	@rm -rf $(LOGS) .cache/coverage && mkdir -p $(LOGS)
	@WHOLE=1 $(NOX) -t all --parallel 2 --report $(LOGS)/report.json; status=$$?; \
	$(NOX) -s coverage --report $(LOGS)/coverage.json; \
	$(SUMMARY) --whole $(LOGS)/report.json $(LOGS)/coverage.json && exit $$status

lint: setup
	@$(NOX) -t lint

$(CHECKS) soak bench: setup
	@$(NOX) -s $@ -- $(OPTIONS)

setup:
	@tools/setup.sh test

release: setup
	@$(CLEAN) python -m $(HERE).tools.release ready
	@$(MAKE) test-all
	@$(CLEAN) python -m $(HERE).tools.release build

pins: setup
	@$(NOX) -s pins

clean:
	rm -rf .venv .cache .ansible .hypothesis .ruff_cache .pytest_cache .mypy_cache
