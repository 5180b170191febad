# Kilonova's commands. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv/bin
UV_COMPILE := $$(scripts/uv) pip compile -q --generate-hashes --no-header --no-annotate --universal --python-version 3.11
LAB := PYTHONPATH=lab:crds $(VENV)/python -m kilonova_lab
BENCH := PYTHONPATH=lab:crds:operator:tests:. $(VENV)/python -m bench
PYTEST := $(VENV)/python -m pytest
# Compares the whole machine before and after, so nothing else may come and go.
ALONE := tests/e2e/test_lab_traces.py
PYTHON_FILES := crds operator node_agent cli lab tests bench
export PYTHON

##@ Everyday

.PHONY: up
up: lab-setup ## Bring up a cluster, Kilonova and an example Server with its console
	PYTHONPATH=lab:crds $(VENV)/python -m kilonova_lab.deploy $(if $(CLUSTER),--cluster $(CLUSTER)) $(if $(REGISTRY),--registry $(REGISTRY))

.PHONY: down
down: setup ## Take down what `make up` brought up, without a trace
	$(LAB) down

.PHONY: shell
shell: setup ## A shell with kubectl, kubectl nova and helm of the lab
	$(LAB) shell

.PHONY: test
test: lint test-unit parity test-integration test-e2e ## All that CI runs

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*##"} \
	  /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-zA-Z0-9_-]+:.*##/ {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Checks, one by one

.PHONY: lint
lint: setup ## ruff, mypy --strict, import contracts, generated files
	$(VENV)/ruff check $(PYTHON_FILES)
	$(VENV)/ruff format --check $(PYTHON_FILES)
	$(VENV)/mypy $(PYTHON_FILES)
	PYTHONPATH=crds:operator:node_agent:cli $(VENV)/lint-imports
	PYTHONPATH=crds $(VENV)/python -m kilonova_api.crdgen --check

.PHONY: test-unit
test-unit: setup ## Tests without a server, in seconds
	$(PYTEST) -n 2 tests/unit

.PHONY: test-integration
test-integration: lab-setup ## Against a real API server, MariaDB and libvirt
	$(PYTEST) -n 4 --dist loadfile tests/integration

.PHONY: test-e2e
test-e2e: lab-setup ## On the lab's cluster, with real QEMU guests
	$(PYTEST) --timeout 900 $(ALONE)
	$(PYTEST) -n 2 --dist loadfile --timeout 900 tests/e2e $(addprefix --ignore ,$(ALONE))

.PHONY: parity
parity: setup ## Compare with the real Nova: CASES=5000 SEED=... [TOPIC=numa] [ONLY=numa:7]
	python=$$(scripts/parity-venv) && PYTHONPATH=tests:crds:operator:node_agent $(VENV)/python -m parity.run \
	  --python "$$python" --cases $(or $(CASES),5000) $(if $(SEED),--seed $(SEED)) \
	  $(if $(TOPIC),--topic $(TOPIC)) $(if $(ONLY),--only $(ONLY))

##@ Benchmarks (each prints one JSON line last)

.PHONY: bench-writes bench-boot bench-memory bench-idle bench-start bench-scheduler
bench-writes: lab-setup ## API writes by us per Server, create to gone
	$(BENCH) writes
bench-boot: lab-setup ## From apply to the guest's first instruction, and to ready
	$(BENCH) boot
bench-memory: lab-setup ## Resident memory of operator and agents
	$(BENCH) memory
bench-idle: lab-setup ## Writes by us in an idle minute
	$(BENCH) idle
bench-start: lab-setup ## A second start: nodes Ready, DNS answering, images there
	$(BENCH) start
bench-scheduler: HOSTS ?= $(if $(filter 1,$(PEER)),1000,10000)
bench-scheduler: DB ?= mariadb
bench-scheduler: AFFINITY ?= 0
# Its start_s is the scheduler's own load alone; informers and the Lease are not in it.
bench-scheduler: setup ## Decisions with durable claims: HOSTS= DB=sqlite AFFINITY=1 PEER=1
	$(if $(filter 1,$(PEER)),python=$$(scripts/parity-venv) &&) $(BENCH) scheduler --hosts $(HOSTS) --db $(DB) \
	  --affinity $(AFFINITY) $(if $(filter 1,$(PEER)),--peer "$$python")

##@ Development

.PHONY: format
format: setup ## Let ruff put the code in order
	$(VENV)/ruff check --fix-only -q $(PYTHON_FILES)
	$(VENV)/ruff format -q $(PYTHON_FILES)

.PHONY: crds
crds: setup ## Generate the CRDs from the models
	PYTHONPATH=crds $(VENV)/python -m kilonova_api.crdgen

.PHONY: lock
lock: ## Resolve and lock the Python packages anew
	$(UV_COMPILE) requirements/bootstrap.in -o requirements/bootstrap.txt
	$(UV_COMPILE) requirements/build.in -o requirements/build.txt
	$(UV_COMPILE) --extra operator --extra agent --extra cli --group dev pyproject.toml -o requirements/dev.txt
	$(UV_COMPILE) --extra operator pyproject.toml -o requirements/operator.txt
	$(UV_COMPILE) --extra agent pyproject.toml -o requirements/agent.txt
	$(UV_COMPILE) --extra cli pyproject.toml -o requirements/cli.txt
	$(UV_COMPILE) requirements/parity.in -o requirements/parity.txt

.PHONY: setup
setup: ## What every command needs: Debian packages and .venv
	@scripts/packages scripts/debian-packages.txt
	@scripts/venv

.PHONY: lab-setup
lab-setup: setup ## What the lab needs: Debian packages and programs built from Go
	@scripts/packages lab/debian-packages*.txt
	@$(LAB) build
