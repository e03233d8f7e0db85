# `make` alone lists the targets. What they do is in deploy/native (standard library only, so that it runs before .venv is there).
PYTHON ?= python3
NATIVE := $(PYTHON) deploy/native
VENV := .venv/bin
OPS := $(NATIVE) run ops --

.DEFAULT_GOAL := help
.PHONY: help up down restart status logs reset clean demo audit deadletters rotate-keys \
	test e2e faults bench lint fmt openapi events requirements

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

up: ## install what is missing, start the whole shop, print where it is
	@$(NATIVE) up

status: ## every process, and whether each service is ready
	@$(NATIVE) status

logs: ## follow the logs; PROCESS=orders-web for one
	@$(NATIVE) logs $(PROCESS)

down: ## stop everything, keep the data
	@$(NATIVE) down

restart: down up ## stop everything and start it again, with the code as it is now

reset: ## stop everything and delete the data, secrets included
	@$(NATIVE) reset

clean: reset ## reset, and delete the virtual environment and all caches
	@rm -rf .venv .mypy_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -prune -exec rm -rf {} + -o -name .pytest_cache -prune -exec rm -rf {} +

demo: ## fill the shop through its API; FILE=first-week.csv replays a file in the columns of Online Retail; ARGS=
	@$(OPS) python $(CURDIR)/deploy/demo $(if $(FILE),--file "$(abspath $(FILE))") $(ARGS)

audit: ## check that stock, orders, events and money agree over the three databases and the broker; ARGS=
	@$(OPS) python $(CURDIR)/deploy/audit $(ARGS)

deadletters: ## what could not be handled; SERVICE=orders ARGS="show ID", "redrive ID --by ME", …
	@$(NATIVE) deadletters $(or $(SERVICE),all) -- $(ARGS)

rotate-keys: ## sign with a new key from now on; the old one still verifies; ARGS=--now
	@$(NATIVE) run users -- python manage.py rotate_signing_key $(ARGS)

test: ## every test, on servers of their own, and the end-to-end suite on a stack of its own; PARTS="orders gateway"
	@$(NATIVE) test $(PARTS)

e2e: ## the end-to-end suite against the shop that is up; ARGS="-k purchase"
	@$(NATIVE) e2e -- $(ARGS)

faults: ## kill and cut things in the shop that is up, and check what it says after; ARGS=
	@$(NATIVE) faults -- $(ARGS)

bench: ## figures from the shop that is up; ARGS=
	@$(OPS) python $(CURDIR)/deploy/bench $(ARGS)

lint: ## formatter, linters, types, layers, migrations, security and gateway checks; CHECKS="mypy ruff"
	@$(NATIVE) lint $(CHECKS)

fmt: ## format the code and mend what can be mended
	@$(NATIVE) bootstrap
	@$(VENV)/ruff check --fix-only .
	@$(VENV)/ruff format .

openapi: ## write the services' OpenAPI documents; ARGS=--check only compares
	@$(NATIVE) documents openapi $(ARGS)

events: ## write the events' AsyncAPI document and schemas; ARGS=--check only compares
	@$(NATIVE) documents events $(ARGS)

requirements: ## lock again and export the hashed requirement files
	@$(NATIVE) requirements
