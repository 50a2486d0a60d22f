# Two commands on a fresh machine: `make report` and `make test`. Python 3.11+ with venv is all they need.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input
export PIP_REQUIRE_VIRTUALENV := 1

.PHONY: help report test lab bench check clean pins environment
help:
	@echo "make report   the sample organisation's reports for its latest complete month"
	@echo "make test     every test"
	@echo "make lab      JupyterLab on the notebooks"
	@echo "make bench    the benchmarks and the long simulations"
	@echo "make check    lint, types, notebook hygiene"
	@echo "make pins     resolve requirements*.txt anew (needs uv)"

# The pins are complete, so nothing is resolved here; pip compiles to byte code as it installs.
.venv/.ready: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install --require-hashes --no-deps -r requirements.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	$(BIN)/python -c "from svclib.run.warm import install_kernelspec; install_kernelspec()"
	touch $@

.venv/.ready-test: requirements-test.txt .venv/.ready
	$(PIP) install --require-hashes --no-deps -r requirements-test.txt
	touch $@

report: .venv/.ready
	$(BIN)/svclib run --params params --out reports

# One file a worker at a time, so that what a file prepares is prepared once; notebooks run on the warm kernel.
test: .venv/.ready-test
	$(BIN)/python -m pytest -n 2 --dist loadfile --nbval-lax --nbval-kernel-name svclib svclib tests notebooks

lab: .venv/.ready
	$(BIN)/svclib lab

bench: .venv/.ready-test
	$(BIN)/python -m benchmarks

check: .venv/.ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Pins hold versions and hashes, never an address.
UV_COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --no-header --extra build
pins:
	$(UV_COMPILE) pyproject.toml -o requirements.txt
	$(UV_COMPILE) --extra test --extra cluster --extra postgres --extra spark --extra changepoints \
		--constraint requirements.txt pyproject.toml -o requirements-test.txt

environment:
	$(BIN)/python .ci/environment.py

clean:
	rm -rf .venv reports snapshots data
