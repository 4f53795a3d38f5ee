# What there is to do here: `make help`. Each target first installs what it is missing, and says so.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run build dev test test-rust test-model test-browser lint fmt prepare dev-db bench model

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

run: build ## build, start with a demo project, print the address; ARGS="serve --help" for something else
	@.ci/setup postgres
	@exec target/release/cueline $(or $(ARGS),demo)

build: ## leave one binary with everything inside: target/release/cueline
	@.ci/setup wasm
	@cargo run --quiet --package site
	@SQLX_OFFLINE=true cargo build --release --package server --bin cueline

dev: ## run a debug build, and build and restart it when a source changes; ARGS as for run
	@.ci/setup wasm postgres
	@exec .ci/dev $(ARGS)

test: ## check and test everything, as continuous integration does
	@.ci/setup wasm postgres chromium playwright model
	@.ci/lint
	@.ci/test rust
	@.ci/test model
	@$(MAKE) --no-print-directory build
	@.ci/test browser
	@.ci/test summary

test-rust: ## rules, SQL and product; TEST="-p store promote" for some of them
	@.ci/setup postgres
	@.ci/test rust $(TEST)

test-model: ## a real model, real data and the gate
	@.ci/setup postgres model
	@.ci/test model

test-browser: build ## journeys in a browser; TEST=sign-in for some of them
	@.ci/setup postgres chromium playwright
	@.ci/test browser $(TEST)

lint: ## formatting, clippy, documentation, rules of the house, checked queries
	@.ci/setup wasm postgres playwright
	@.ci/lint

fmt: ## format the code
	@cargo fmt --all

prepare: ## rewrite app/store/.sqlx after changing a query or a migration
	@.ci/setup postgres
	@.ci/prepare

dev-db: ## start a database to check queries against while typing; prints the DATABASE_URL to export
	@.ci/setup postgres
	@.ci/dev-db

model: ## serve a small real language model on this machine, for a first eval
	@.ci/setup model
	@exec .ci/model

bench: build ## measure what was promised
	@.ci/setup postgres
	@SQLX_OFFLINE=true cargo bench --package server
