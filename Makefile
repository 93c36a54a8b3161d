# What people and CI run, by the same names. `make` alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
export PATH := $(TARGET)/tools/bin:$(PATH):$(HOME)/.cargo/bin
export DENIZEN_BIN := $(TARGET)/debug/denizen

SCRIPTS := scripts/setup .ci/run

.PHONY: help
help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## Serves on this machine; make run ARGS='--help' passes arguments on
	@scripts/setup run
	cargo run -- serve $(ARGS)

.PHONY: test
test: ## All tests: on SQLite, on a PostgreSQL of their own, and in a real browser
	@scripts/setup test
	cargo test --workspace
	cd playground && npm run --silent test:browser

# `cargo test --no-run` stands where `cargo build` might: it builds the same binary, but with the features that the
# tests' own tools switch on, so that nothing is compiled a second time for `make test`.
.PHONY: e2e
e2e: ## The browser's tests, and the suite with a router, a neighbour, client libraries and a front end
	@scripts/setup e2e
	cargo test --workspace --no-run
	cd playground && npm run --silent test:browser
	cd tests/e2e && npm test --silent

.PHONY: check
check: ## Everything that can be said without running the product: format, lints, licences, types, and the schema's promises
	@scripts/setup check
	shellcheck $(SCRIPTS)
	cargo fmt --all --check
	cargo deny --locked --log-level error check bans licenses sources
	cd playground && npm run --silent check
	cd examples/web && npm run --silent check
	cd tests/schema && npm run --silent check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo test --workspace --no-run
	$(DENIZEN_BIN) schema | diff -u schema.graphql - \
		|| { echo 'schema.graphql does not say what the code says: make schema' >&2; exit 1; }

.PHONY: schema
schema: ## Writes schema.graphql, the API as the code has it
	@scripts/setup run
	cargo build
	$(DENIZEN_BIN) schema > $(TARGET)/schema.graphql
	mv $(TARGET)/schema.graphql schema.graphql

.PHONY: permissions
permissions: ## Writes docs/permissions.md and what routers are told of it, from answers and guards
	@scripts/setup test
	DENIZEN_UPDATE=1 cargo test --test it -- guards authz_matrix

.PHONY: fmt
fmt: ## Formats the Rust sources
	cargo fmt --all

.PHONY: playground
playground: ## Builds the playground, if its sources changed
	@scripts/setup run

.PHONY: bench
bench: ## How fast: beside the practical limit and Apollo, in ratios; half an hour, on a machine that does nothing else
	@scripts/setup bench
	node benches/run.mjs

.PHONY: bench-quick
bench-quick: ## The same in two minutes once all is built, and less exact
	@scripts/setup bench
	node benches/run.mjs --quick

.PHONY: docker
docker: ## Builds the container image denizen:latest
	docker build --tag denizen \
		--build-arg VERSION="$$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)" \
		--build-arg REVISION="$$(git rev-parse HEAD 2>/dev/null || echo unknown)" .

.PHONY: faults
faults: ## Breaks requests off (10,000 on each database) and disks (twenty rounds), and looks for what is lost; a quarter of an hour
	@scripts/setup test
	DENIZEN_TEST_BROKEN_OFF=10000 DENIZEN_TEST_DISK_ROUNDS=20 cargo test --test it -- broken_off disk_faults full_disk

.PHONY: fuzz
fuzz: ## Looks for documents that the scan before the parser misjudges; make fuzz SECONDS=3600 for an hour
	@scripts/setup fuzz
	mkdir -p fuzz/corpus/scan
	cargo +nightly fuzz run --target-dir $(TARGET)/fuzz scan fuzz/corpus/scan fuzz/seeds/scan playground/operations -- \
		-max_len=70000 -dict=fuzz/graphql.dict -timeout=20 -max_total_time=$(or $(SECONDS),60)

.PHONY: audit
audit: ## Asks for known vulnerabilities in what we depend on; needs the network
	@scripts/setup check
	cargo deny --locked check advisories
	cd playground && npm audit --omit=dev
	cd examples/web && npm audit --omit=dev
	cd examples/neighbour && npm audit --omit=dev
	cd deploy/supergraph && npm audit --omit=dev

.PHONY: clean
clean: ## Removes what was built, but neither your data nor the tools in target/tools
	if [ -d $(TARGET) ]; then find $(TARGET) -mindepth 1 -maxdepth 1 ! -name tools -exec rm -rf {} +; fi
	rm -rf {playground,examples/web}/dist {playground,examples/web,examples/neighbour,deploy/supergraph,tests/e2e,tests/schema,benches/peers/apollo}/node_modules
