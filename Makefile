# Everything a newcomer needs: `make demo` shows the program at work, `make test` proves it. See README.md.
CONFIGURATION ?= release
SWIFT ?= swift
SOURCES := Package.swift Sources Tests Benchmarks
# Where `make install` puts the programs. With PROGRAMS, a folder that has them already, it does not build.
PREFIX ?= /usr/local
DESTDIR ?=
PROGRAMS ?=
BUILT = $(or $(PROGRAMS),.build/$(CONFIGURATION))
INSTALLED := wallet-backend wallet-backend-fetcher wallet-backend-writer ledger-simulator
SHARE = $(DESTDIR)$(PREFIX)/share

.PHONY: help setup setup-build setup-demo first-build build install uninstall reference check-docs test test-long mutants demo bench bench-lake bench-ingest bench-memory \
	bench-contracts format lint clean

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: ## Install all that build, demo and tests need and that is missing
	@Scripts/setup.sh test

setup-build:
	@Scripts/setup.sh build

setup-demo:
	@Scripts/setup.sh demo

build: setup-build first-build ## Build the four programs into .build/release, after installing libpq, libzmq, libzstd where missing
	@$(SWIFT) build -c $(CONFIGURATION)

# Says that it takes time where nothing was built yet.
first-build:
	@[ -e .build/$(CONFIGURATION)/wallet-backend ] || echo "building: about 13 minutes on two cores the first time"

install: $(if $(PROGRAMS),,build) ## Install programs, manual pages and completions below PREFIX=/usr/local (DESTDIR, PROGRAMS)
	@install -d "$(DESTDIR)$(PREFIX)/bin" "$(SHARE)/man/man1" "$(SHARE)/bash-completion/completions" "$(SHARE)/zsh/site-functions" \
	    "$(SHARE)/fish/vendor_completions.d"
	@install -m 755 -s $(INSTALLED:%="$(BUILT)/%") "$(DESTDIR)$(PREFIX)/bin/"
	@manual=$$(mktemp -d) && trap 'rm -rf "$$manual"' EXIT && Scripts/reference.py "$(BUILT)" --man "$$manual" && \
	    install -m 644 "$$manual"/*.1 "$(SHARE)/man/man1/"
	@set -e; for program in $(INSTALLED); do \
	    "$(BUILT)/$$program" --generate-completion-script bash >"$(SHARE)/bash-completion/completions/$$program"; \
	    "$(BUILT)/$$program" --generate-completion-script zsh >"$(SHARE)/zsh/site-functions/_$$program"; \
	    "$(BUILT)/$$program" --generate-completion-script fish >"$(SHARE)/fish/vendor_completions.d/$$program.fish"; \
	done
	@echo "installed below $(DESTDIR)$(PREFIX): $(INSTALLED), their manual pages and completions"

uninstall: ## Remove what `make install` has put below PREFIX
	@for program in $(INSTALLED); do \
	    rm -f "$(DESTDIR)$(PREFIX)/bin/$$program" "$(SHARE)/man/man1/$$program.1" "$(SHARE)/bash-completion/completions/$$program" \
	        "$(SHARE)/zsh/site-functions/_$$program" "$(SHARE)/fish/vendor_completions.d/$$program.fish"; \
	done

reference: $(if $(PROGRAMS),,build) ## Write docs/reference.md anew, from what the programs say of their flags
	@Scripts/reference.py "$(BUILT)" >docs/reference.part && mv docs/reference.part docs/reference.md || { rm -f docs/reference.part; exit 1; }

check-docs: ## Every warning explained, every metric described, every link alive
	@Scripts/check-docs.py

test: setup first-build ## Set up, build and run all tests
	@Scripts/test.sh $(CONFIGURATION)

test-long: setup ## Two hundred random stories of a migration beside live ingestion, and two hundred of two migrations, with everything being killed
	@INTERLEAVING_RUNS=$${INTERLEAVING_RUNS:-200} Scripts/test.sh $(CONFIGURATION) --filter InterleavingTests

mutants: setup ## Break each rule once (Tests/Mutants) and expect a test to notice
	@Scripts/mutants.sh $(CONFIGURATION)

demo: setup-demo first-build ## A migration from start to end on a private PostgreSQL and a simulated network
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
