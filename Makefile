# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The commands of this checkout. Each sees to what it needs; `make` alone lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-print-directory

venv := $(CURDIR)/.venv
# helm, promtool and the rest that the lab built; a cluster of one's own brings its own.
lab_bin := /var/lib/dataplatform-monitoring-lab/bin
export PATH := $(venv)/bin:$(lab_bin):$(PATH)
# The checkout under its collection name, ahead of any installed copy.
export ANSIBLE_COLLECTIONS_PATH := $(venv)/collections
pytest := $(venv)/bin/python -m pytest
# ARGS goes to the tool behind a target: make unit ARGS="-k scrape -x"
ARGS ?=

##@ Try it
.PHONY: demo
demo: venv ## Bring up the lab, play days 1 to 3 on it and judge it; with KUBECONFIG and INVENTORY: on that cluster
	@.ci/demo

##@ Test it
.PHONY: check test unit lint sanity versions lifecycle integration molecule scenario cluster faults
check: venv ## The quick gates and the unit tests, within a minute
	@$(pytest) --stages=static,unit,changed -n 2 $(ARGS)

test: venv ## Every test, on the lab; ends with times, skips and the verdict
	@env -u KUBECONFIG LAB_PROVIDER=native $(venv)/bin/python -m lab build
	@$(venv)/bin/python -c 'from tests.evidence import browser; browser.install()' || echo "test: without a browser"
	@$(pytest) --stages=all -n 7 $(ARGS)

unit: venv ## Unit tests only
	@$(pytest) --stages=unit -n 2 $(ARGS)

lint: venv ## ruff, yamllint, licences, changelog, ansible-lint (production) over everything
	@$(pytest) --stages=static,lint $(ARGS)

sanity: venv ## ansible-test sanity, and the artifact that Galaxy would get
	@$(pytest) --stages=sanity $(ARGS)

versions: venv ## sanity and unit tests with every other ansible-core whose Python is here
	@$(pytest) --stages=versions $(ARGS)

lifecycle: venv ## The lab leaves nothing behind, also after a crash (a running lab starts anew)
	@$(pytest) --stages=lifecycle $(ARGS)

integration: venv ## Against real Prometheus and Loki processes on loopback
	@$(pytest) --stages=integration -n 4 $(ARGS)

molecule: venv ## Every Molecule scenario, on the lab
	@$(pytest) --stages=molecule $(ARGS)

SCENARIO ?= default
scenario: venv ## Molecule itself, of SCENARIO=default (on KUBECONFIG, with INVENTORY), lab or kind (wants Docker)
	@MOLECULE_GLOB='molecule/*/molecule.yml' $(venv)/bin/molecule -c molecule/config.yml test -s $(SCENARIO) $(ARGS)

cluster: venv ## What is true only of a live cluster, on the lab
	@$(pytest) --stages=cluster -n 4 $(ARGS)

faults: venv ## Break the lab on purpose and read the diagnosis
	@$(pytest) --stages=faults -n 4 $(ARGS)

##@ The lab: a one-node Kubernetes on this machine, without Docker
.PHONY: lab lab-down lab-status
lab: venv ## Bring it up with its data platform; CHARTS=DIR also plays day 1 on the upstream charts in DIR
	@.ci/lab

lab-down: venv ## Take it down; nothing is left but the cache
	@$(venv)/bin/python -m lab down

lab-status: venv ## Say what runs, and where its kubeconfig is
	@$(venv)/bin/python -m lab status

##@ Work on it
.PHONY: venv lock reference docs pictures clean help
venv: $(venv)/.stamp ## Make or refresh .venv: pinned tools, and this checkout as dataplatform.monitoring
$(venv)/.stamp: requirements-dev.txt .ci/venv
	@.ci/venv

lock: venv ## Pin anew what pyproject.toml asks for, into requirements-dev.txt
	@.ci/lock

reference: venv ## Every module, filter and role as a page, in docs/reference (not committed)
	@mkdir -p docs/reference && $(venv)/bin/antsibull-docs collection --use-current --squash-hierarchy --fail-on-error \
		--output-format simplified-rst --no-indexes --dest-dir docs/reference dataplatform.monitoring

docs: venv ## Write the generated pages of docs/ anew
	@$(venv)/bin/python .ci/docs.py

pictures: venv ## Take docs/pictures anew, of PAGE=evidence/lab/.../report.html or of the lab's newest run
	@$(venv)/bin/python .ci/pictures.py $(PAGE)

clean: ## Remove what was built and cached in this checkout; the lab and its cache stay
	@rm -rf .venv .cache .ansible .pytest_cache .ruff_cache .hypothesis tests/output *.tar.gz
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

help:
	@awk 'BEGIN {FS = ":.*## "} \
	    /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	    /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
