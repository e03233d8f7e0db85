# `make` alone lists the targets. The shop runs in containers (deploy/compose) or as processes of this machine (deploy/native):
# RUNTIME=auto|compose|native; auto takes what runs here, else containers when a Docker engine answers.
# The command begins on the standard library alone; natively it makes .venv and goes on under its Python.
PYTHON ?= python3
export RUNTIME ?= auto
SHOP := $(PYTHON) deploy/souk
CHECK := $(PYTHON) tools/checks
BACKUP := $(PYTHON) tools/backup
VENV := .venv/bin
LIST := $(or $(SERVICE),all)
# A path, whatever its letters: recipes take it from the environment, where neither make nor the shell takes it apart.
override FILE := $(value FILE)
export FILE

.DEFAULT_GOAL := help
.PHONY: help env up down restart status logs reset clean demo audit deadletters outbox backup restore rotate-keys scale shell \
	airgap-images airgap-engine test e2e fuzz faults containers bench lint fmt migrations openapi events translations settings requirements

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

up: ## start the whole shop, print where it is; RUNTIME=compose|native
	@$(SHOP) up

env: ## for containers: write what is missing into .env, secrets first
	@$(SHOP) env

status: ## every process, and whether each service is ready
	@$(SHOP) status

logs: ## follow the logs; PROCESS=orders-web for one
	@$(SHOP) logs $(PROCESS)

down: ## stop everything, keep the data
	@$(SHOP) down

restart: ## stop everything and start it again, with the code as it is now
	@$(SHOP) down
	@$(SHOP) up

reset: ## stop everything and delete the data, secrets included
	@$(SHOP) reset

clean: reset ## reset, and delete the virtual environment and all caches
	@rm -rf .venv .mypy_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -prune -exec rm -rf {} + -o -name .pytest_cache -prune -exec rm -rf {} +

scale: ## in containers: more of one process; SERVICE=orders PROCESS=web N=3
	@$(SHOP) scale $(SERVICE) $(PROCESS) $(N)

shell: ## a Python shell in a service; SERVICE=orders
	@$(SHOP) run $(SERVICE)

demo: ## fill the shop through its API; FILE=first-week.csv replays an edition of Online Retail (csv, xlsx, zip, gz); ARGS=
	@$(SHOP) demo -- $(if $(value FILE),--file "$$FILE") $(ARGS)

audit: ## check that stock, orders, events and money agree over the three databases and the broker; ARGS=
	@$(SHOP) audit -- $(ARGS)

deadletters: ## what could not be handled; SERVICE=orders ARGS="show ID", "redrive ID --by ME", …
	@$(SHOP) deadletters $(LIST) -- $(ARGS)

outbox: ## what could not be published; SERVICE=orders ARGS="show POSITION", "retry POSITION --by ME", "republish --type T --since TIME", …
	@$(SHOP) outbox $(LIST) -- $(ARGS)

backup: ## write databases and secrets into one file, while the shop runs; FILE=… (default: backups/souk-TIME.tar)
	@$(BACKUP) backup $(if $(value FILE),"$$FILE")

restore: ## bring the shop up as it was at a backup, and audit it; FILE=… ARGS=--replace deletes the data that are there
	@$(BACKUP) restore $(ARGS) $(if $(value FILE),"$$FILE",$(error FILE=… names the backup))

rotate-keys: ## sign with a new key from now on; the old one still verifies; ARGS=--withdraw for a stolen key
	@$(SHOP) run users -- python manage.py rotate_signing_key $(ARGS)

airgap-images: ## stand-ins for the base images from Debian packages alone, for hosts that reach no registry
	@$(PYTHON) deploy/airgap engine
	@$(PYTHON) deploy/airgap images

airgap-engine: ## install and start a Docker engine with compose from Debian packages
	@$(PYTHON) deploy/airgap engine

test: ## every test, on servers of their own, and the end-to-end suite on a stack of its own; PARTS="orders gateway"
	@$(CHECK) test $(PARTS)

e2e: ## the end-to-end suite against the shop that is up; ARGS="-k purchase"
	@$(CHECK) e2e -- $(ARGS)

fuzz: ## odd bytes and requests to the native shop that is up, with production's limits; REQUESTS=50000 EXAMPLES=100 ARGS="--seed 7"
	@RUNTIME=native $(CHECK) fuzz -- --requests $(or $(REQUESTS),50000) --examples $(or $(EXAMPLES),100) -s $(ARGS)

faults: ## kill and cut things in the shop that is up, and check what it says after; ARGS=
	@$(CHECK) faults -- $(ARGS)

containers: ## kill, restart and start the containers that are up in every order, and look into each; ARGS="-k isolation"
	@RUNTIME=compose $(CHECK) containers -- $(ARGS)

bench: ## figures from the shop that is up (natively only); ARGS=
	@$(SHOP) bench -- $(ARGS)

lint: ## formatter, linters, types, layers, migrations, security and gateway checks; CHECKS="mypy ruff"
	@$(CHECK) lint $(CHECKS)

fmt: ## format the code and mend what can be mended
	@$(SHOP) bootstrap
	@$(VENV)/ruff check --fix-only .
	@$(VENV)/ruff format .

openapi: ## write the services' OpenAPI documents; ARGS=--check only compares
	@$(CHECK) documents openapi $(ARGS)

migrations: ## write the migrations that the models of a service ask for; SERVICE=orders NAME=order_note
	@$(CHECK) migrations $(SERVICE) $(NAME)

events: ## write the events' AsyncAPI document and schemas; ARGS=--check only compares
	@$(CHECK) documents events $(ARGS)

# uv, in an environment of its own: it is no part of what runs the shop. uv.lock names registries and stays out of git.
UV := .venv/uv/bin/uv
EXPORT := $(UV) export --quiet --frozen --no-emit-workspace --format requirements-txt --no-header

translations: ## compile the catalogues of the mails (msgfmt, of Debian's gettext)
	@for po in services/*/*/locale/*/LC_MESSAGES/*.po; do msgfmt --check-format -o "$${po%.po}.mo" "$$po" || exit 1; done

settings: ## pass on to the containers what .env.example has for every service; ARGS=--check only compares
	@cd tools && $(PYTHON) -m checks.service_settings $(ARGS)

requirements: ## lock again and export the hashed requirement files
	@test -x $(UV) || { $(PYTHON) -m venv .venv/uv && .venv/uv/bin/pip install --quiet 'uv>=0.9,<1'; }
	@$(UV) lock --upgrade
	@for service in users products orders; do \
		$(EXPORT) --package $$service --no-dev --output-file services/$$service/requirements.txt >/dev/null || exit 1; \
	done
	@$(EXPORT) --package products --extra s3 --no-dev --output-file services/products/requirements-s3.txt >/dev/null
	@$(EXPORT) --package ops --no-dev --output-file deploy/requirements.txt >/dev/null
	@$(EXPORT) --all-packages --output-file requirements.txt >/dev/null
