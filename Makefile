# Every target installs what it is missing, and says so; `make help` lists them.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: help run build dev test test-rust test-browser lint fmt prepare dev-db bench

cueline := target/release/cueline

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

prepare: ## rewrite app/store/.sqlx after changing a query or a migration
	@.ci/setup postgres
	@.ci/prepare

dev-db: ## start the developer's database and print the DATABASE_URL to export
	@.ci/setup postgres >&2
	@.ci/dev-db
