# Everything a newcomer needs: `make demo` shows the program at work, `make test` proves it. See README.md.
CONFIGURATION ?= release
SWIFT ?= swift
SOURCES := Package.swift Sources Tests Benchmarks

.PHONY: help setup build test test-long mutants demo bench bench-lake bench-ingest bench-memory bench-contracts format lint clean

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## Install what is missing: libpq, libzmq, libzstd, PostgreSQL, the Python witness
	@Scripts/setup.sh

build: setup ## Build the four programs into .build/$(CONFIGURATION)
	@$(SWIFT) build -c $(CONFIGURATION)

test: setup ## Set up, build and run all tests
	@Scripts/test.sh $(CONFIGURATION)

test-long: setup ## Two hundred random stories of a migration beside live ingestion, and two hundred of two migrations, with everything being killed
	@INTERLEAVING_RUNS=$${INTERLEAVING_RUNS:-200} Scripts/test.sh $(CONFIGURATION) --filter InterleavingTests

mutants: setup ## Break each rule once (Tests/Mutants) and expect a test to notice
	@Scripts/mutants.sh $(CONFIGURATION)

demo: setup ## A migration from start to end on a private PostgreSQL and a simulated network
	@$(SWIFT) build -c $(CONFIGURATION)
	@Scripts/demo.sh .build/$(CONFIGURATION)

bench: setup ## Measure: ledgers/s and CPU per process
	@$(SWIFT) build -c release
	@Benchmarks/run.sh .build/release

bench-lake: setup ## Measure: migrations from data lakes, in a folder and over HTTP
	@$(SWIFT) build -c release
	@Benchmarks/lake.sh .build/release

bench-ingest: setup ## Measure: how live ingestion catches up, by the number of tracked contracts
	@$(SWIFT) build -c release
	@Benchmarks/ingest-contracts.sh .build/release

bench-memory: setup ## Measure: what each process keeps in memory, whatever the batches and the ledgers
	@$(SWIFT) build -c release
	@Benchmarks/memory.sh .build/release

bench-contracts: setup ## Measure: a migration with a million tracked contracts
	@$(SWIFT) build -c release
	@Benchmarks/contracts.sh .build/release

format: ## Format all Swift sources in place
	@$(SWIFT) format --in-place --parallel --recursive $(SOURCES)

lint: ## What `make format` would change, and what it cannot mend
	@$(SWIFT) format lint --strict --parallel --recursive $(SOURCES)

clean: ## Remove everything that was built
	@rm -rf .build .build-mutants
