# Every target works as root and as a user with sudo, from any path, and installs what it needs first.
# Words for ansible-playbook go into ANSIBLE_ARGS: make cluster ANSIBLE_ARGS='-e pagila_load_scale=10 --diff'

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup runtime cluster status verify destroy drill lab lab-status lab-destroy vms \
	containers containers-status containers-destroy test test-vms test-containers sweep bench bench-backup bench-drills bench-vms \
	format clean test-all test-ends \
	test-unit test-integration test-molecule lint sanity docs types galaxy

CHECK = @.venv/bin/python tools/check.py
CONTAINERS = @PGFLEET_INVENTORY=inventory/containers PGFLEET_NETNS_NAME=pgfleet-nspawn PGFLEET_MITOGEN=0 tools/lab.sh

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

setup: ## Install what plays, tests and tools need (.venv, .cache, apt)
	@tools/setup.sh tests

runtime:
	@tools/setup.sh runtime

cluster: runtime ## Make the local cluster: one primary, three standbys, Pagila
	@tools/play.sh site.yml $(ANSIBLE_ARGS)

status: runtime ## Show the cluster as a table; OUTPUT=json prints one JSON document
ifeq ($(OUTPUT),json)
	@tools/play.sh --document playbooks/status.yml -e output=json $(ANSIBLE_ARGS)
else
	@tools/play.sh playbooks/status.yml $(ANSIBLE_ARGS)
endif

verify: runtime ## Prove it: reads everywhere, no writes on standbys, rows arrive
	@tools/play.sh playbooks/verify.yml $(ANSIBLE_ARGS)

destroy: runtime ## Remove what this cluster owns (CONFIRM=yes)
	@tools/play.sh playbooks/destroy.yml -e confirm=$(or $(CONFIRM),no) $(ANSIBLE_ARGS)

drill: ## Cause a fault under load and measure it (DRILL=switchover, or all; CONFIRM=yes where data is replaced)
	@tools/setup.sh drills
	@tools/play.sh playbooks/drill.yml -e drill=$(DRILL) -e confirm=$(or $(CONFIRM),no) $(ANSIBLE_ARGS)

vms:
	@tools/setup.sh vms

lab: vms ## Make four virtual machines and the cluster on them (PGFLEET_NETNS=1: in a network namespace)
	@tools/lab.sh up $(ANSIBLE_ARGS)

lab-status: vms ## Show the cluster in the lab
	@tools/lab.sh status $(ANSIBLE_ARGS)

lab-destroy: vms ## Remove the lab's machines
	@tools/lab.sh destroy $(ANSIBLE_ARGS)

containers: runtime ## Make four system containers and the cluster on them (PGFLEET_NETNS=1: in a network namespace)
	$(CONTAINERS) up $(ANSIBLE_ARGS)

containers-status: runtime ## Show the cluster on containers
	$(CONTAINERS) status $(ANSIBLE_ARGS)

containers-destroy: runtime ## Remove the containers
	$(CONTAINERS) destroy $(ANSIBLE_ARGS)

test: setup ## Run every test and check; ends with a table
	$(CHECK)

test-all: setup ## The same without turns: also the tests that otherwise run in one of a few commits, and test-ends
	@PGFLEET_TURNS=all .venv/bin/python tools/check.py test ends

test-unit: setup ## Pure code, in tables (PYTEST_ARGS='-k slot')
	$(CHECK) unit

test-integration: setup ## Modules and roles against real servers
	$(CHECK) modules playbooks

test-molecule: setup ## The whole local cluster: check, converge, again, verify, destroy
	$(CHECK) molecule

sweep: setup ## Kill site.yml and switchover.yml at every one of their tasks; takes an hour or two
	@PGFLEET_SWEEP=1 PGFLEET_TURNS=all .venv/bin/pytest -s tests/integration/operations/test_interrupted.py $(PYTEST_ARGS)

test-ends: setup ## The lowest ansible-core, and the newest on Python 3.13: a cluster of two from site to destroy
	$(CHECK) ends

test-vms: setup ## The cluster on virtual machines: the scenarios kvm_vm and default (PGFLEET_NETNS=1)
	$(CHECK) vms

test-containers: setup ## The cluster on system containers: the scenario containers (PGFLEET_NETNS=1)
	$(CHECK) containers

lint: setup ## ansible-lint, ruff, yamllint, changelog
	$(CHECK) lint style changelog

sanity: setup ## ansible-test sanity
	$(CHECK) sanity

docs: setup ## antsibull-docs
	$(CHECK) docs

types: setup ## mypy
	$(CHECK) types

galaxy: setup ## Build the collection, install it elsewhere, run it from there
	$(CHECK) galaxy

format: setup ## Let ruff format and repair the Python files, and write docs/parameters.md
	@.venv/bin/ruff check --fix --quiet .
	@.venv/bin/ruff format .
	@.venv/bin/python tools/parameters.py

bench: setup ## Measure against a bare shell script; writes build/bench.json
	@PYTHONPATH=.cache .venv/bin/python -m ansible_collections.pgfleet.cluster.tests.bench $(BENCH_ARGS)

bench-backup: setup ## Measure backups and what protects them; writes build/backup.json
	@PYTHONPATH=.cache .venv/bin/python -m ansible_collections.pgfleet.cluster.tests.bench.backup $(BENCH_ARGS)

bench-drills: setup ## Measure every drill (RUNS=20); writes build/drills.json
	@PYTHONPATH=.cache .venv/bin/python -m ansible_collections.pgfleet.cluster.tests.bench.drills --runs $(or $(RUNS),20) $(BENCH_ARGS)

bench-vms: setup ## Measure image, boot and plays on virtual machines; writes build/bench-vms.json
	@PYTHONPATH=.cache .venv/bin/python -m ansible_collections.pgfleet.cluster.tests.bench.vms $(BENCH_ARGS)

clean: ## Remove .venv, .cache, build and the caches of tools
	@rm -rf .venv .cache build .ansible .mypy_cache .pytest_cache .ruff_cache tests/output
