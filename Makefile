# What one can do here: `make help`.

.DEFAULT_GOAL := help
SHELL := /bin/bash

RELEASE := .build/release
# Tests share the release build: no second compilation of everything with testable imports.
# One test at a time: some measure time against the kernel's own account, and two cores are few.
SWIFT_TEST := swift test -c release --disable-testable-imports --no-parallel
SOURCES := Package.swift Sources Tests
GENERATED := Sources/WireProtocol/Generated

.PHONY: help
help: ## Lists these targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Installs missing Debian packages, then builds the three programs into .build/release/.
	@Deploy/install-packages.sh build
	swift build -c release --explicit-target-dependency-import-check error

.PHONY: run
run: build ## From nothing to the first flame graph: aggregator, agent and a demonstration load on this host; ends by itself.
	@Deploy/first-run.sh

.PHONY: incident
incident: build ## A prepared incident to practise on: a service that is slow on some of its hosts.
	@Deploy/incident.sh

.PHONY: test
test: build ## All tests, some of them against perf, Python and a browser.
	@Deploy/install-packages.sh test
	Deploy/verify-units.sh
	$(SWIFT_TEST) $(if $(FILTER),--filter $(FILTER))

.PHONY: lint
lint: ## Formatting and shell scripts.
	@swift format lint --strict --parallel --recursive $$(git ls-files '*.swift' ':!$(GENERATED)')
	@for script in Deploy/*.sh Tests/Fuzz/run.sh .ci/run; do bash -n $$script || exit 1; done

.PHONY: format
format: ## Puts all Swift files into the committed format.
	@swift format --in-place --parallel $$(git ls-files '*.swift' ':!$(GENERATED)')

.PHONY: bench
bench: build ## Costs per sample and query, beside rivals in the same run (RIVALS=DIR holds the Perl flame graph scripts).
	@$(RELEASE)/benchmarks

.PHONY: fuzz
fuzz: ## Runs every fuzz target of Tests/Fuzz briefly (SECONDS_EACH=20).
	@Deploy/install-packages.sh build
	@Tests/Fuzz/run.sh

.PHONY: proto
proto: ## Generates the Swift code of the wire's messages anew (needs protoc; builds protoc-gen-swift once).
	swift build -c release --product protoc-gen-swift --scratch-path .build-proto
	protoc --plugin=.build-proto/release/protoc-gen-swift --swift_out=$(GENERATED) --swift_opt=Visibility=Internal \
	    --swift_opt=UseAccessLevelOnImports=true -I Sources/WireProtocol wire.proto
	@# Strict memory safety wants the word; the generator does not write it yet.
	sed -i 's/= _StorageClass.defaultInstance/= unsafe _StorageClass.defaultInstance/' $(GENERATED)/wire.pb.swift
