# Two commands for newcomers: `make up` tries Larder out, `make test` runs all tests.
# Each installs what is missing, then runs one cargo command.

.DEFAULT_GOAL := help
.PHONY: help up test check sqlx secrets needs-rust needs-postgres

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' Makefile

up: needs-rust needs-postgres ## Run everything in one process: database, sandbox, enqueuer, worker
	cargo build --release -p larder
	@cargo run --quiet --release -p larder -- up

test: needs-rust needs-postgres ## Run all tests, with a Postgres of their own
	cargo run --quiet -p larder -- with-postgres --fast -- cargo test --workspace

check: needs-rust ## Check formatting, lints and documentation
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

sqlx: needs-rust needs-postgres ## Renew .sqlx after a change to a query or a migration
	scripts/renew-sqlx

secrets: ## Make the secrets that docker-compose.yml needs, in ./secrets
	scripts/make-secrets

needs-rust:
	@scripts/need-rust

needs-postgres:
	@scripts/install-postgres
