# A thin front over CMake and ctest: what a newcomer types. `make` alone explains the targets.
#
# Every target that builds installs what is missing first (packages.txt, Debian), and says what it does.

SHELL := /bin/sh
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
# Where `make run` keeps its orders, and where it listens.
DATA ?= build/dev-data
LISTEN ?= 127.0.0.1:8080
# Longer runs of the tests that take a size.
KILL_ROUNDS ?= 100
SIM_SEEDS ?= 5000
FUZZ_SECONDS ?= 60
CONFORMANCE_ROUNDS ?= 50000
PREFIX ?= /usr/local

SOURCES = $(shell git ls-files '*.c' '*.h')
say = @printf '==> %s\n' "$(1)"
# Configures once; CMake itself notices changed lists afterwards.
configure = test -f build$(2)/build.ninja || cmake --preset $(1)

.DEFAULT_GOAL := help
.PHONY: help build run test test-asan test-tsan bench bench-graphql sim kill-test conformance fuzz lint format format-check install-deps \
	install clean node-modules

help: ## this list
	@echo "LiteOMS: what make can do"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile
	@echo "Settings: DATA=$(DATA) LISTEN=$(LISTEN) JOBS=$(JOBS) KILL_ROUNDS SIM_SEEDS CONFORMANCE_ROUNDS FUZZ_SECONDS PREFIX"

build: ## install what is missing, build the release: build/liteoms
	@cmake/install-deps build
	$(call say,configuring the release in build/)
	@$(call configure,release,)
	$(call say,building build/liteoms with $(JOBS) jobs)
	@cmake --build build --target liteoms -j $(JOBS)

run: build ## build, then start a server with a demo tenant (LISTEN, DATA)
	$(call say,starting the server in development mode; its data: $(DATA); stop it with Ctrl-C)
	@mkdir -p $(DATA)
	@exec build/liteoms serve --dev --data $(DATA) --listen $(LISTEN)

test: test-asan test-tsan ## install what is missing, pass all tests (address and undefined, then thread sanitizer)

test-asan: node-modules
	$(call say,configuring the tests under AddressSanitizer and UBSan in build-asan/)
	@$(call configure,asan,-asan)
	$(call say,building them with $(JOBS) jobs)
	@cmake --build build-asan -j $(JOBS)
	$(call say,running every test)
	@ctest --test-dir build-asan --output-on-failure -j $(JOBS)

test-tsan: node-modules
	$(call say,configuring the tests of threads under ThreadSanitizer in build-tsan/)
	@$(call configure,tsan,-tsan)
	@cmake --build build-tsan --target liteoms_thread_tests -j $(JOBS)
	$(call say,running the tests of threads)
	@ctest --test-dir build-tsan -L threads --no-tests=error --output-on-failure

node-modules:
	@cmake/install-deps build test
	@stamp=tests/integration/node_modules/.stamp; \
	if [ ! -f $$stamp ] || [ tests/integration/package.json -nt $$stamp ]; then \
	    echo "==> installing the npm packages of tests/integration"; \
	    cd tests/integration && \
	    if [ -f package-lock.json ]; then npm ci --no-audit --no-fund; else npm install --no-audit --no-fund --no-package-lock; fi && \
	    mkdir -p node_modules && touch node_modules/.stamp; \
	fi

bench: build ## measure the release build against its floors; writes build/bench.json (bench/README.md)
	@cmake/install-deps bench
	$(call say,building the benchmarks)
	@cmake --preset release >build/bench-configure.log || { cat build/bench-configure.log; exit 1; }
	@cmake --build build --target liteoms_bench -j $(JOBS)
	@bench/run

bench-graphql: build ## compare with mercurius and graphql-yoga (npm), requests per second and core
	@cmake/install-deps bench
	@cmake --build build --target liteoms-replay -j $(JOBS)
	@cd bench/engine_compare && { [ -d node_modules ] || npm ci --no-audit --no-fund; }
	@cd bench/engine_compare && exec node run.mjs

sim: node-modules ## the simulation with SIM_SEEDS seeds
	@$(call configure,asan,-asan)
	@cmake --build build-asan -j $(JOBS)
	$(call say,simulating $(SIM_SEEDS) seeds)
	@LITEOMS_SIM_SEEDS=$(SIM_SEEDS) ctest --test-dir build-asan -L sim --no-tests=error --output-on-failure --timeout 36000

kill-test: node-modules ## kill -9 the server KILL_ROUNDS times under load and check what it kept
	@$(call configure,asan,-asan)
	@cmake --build build-asan -j $(JOBS)
	$(call say,$(KILL_ROUNDS) rounds of kill -9)
	@LITEOMS_KILL_ROUNDS=$(KILL_ROUNDS) ctest --test-dir build-asan -L kill --no-tests=error --output-on-failure --timeout 36000

conformance: node-modules ## CONFORMANCE_ROUNDS fresh documents, judged by graphql-js
	@$(call configure,asan,-asan)
	@cmake --build build-asan --target liteoms conformance_probe -j $(JOBS)
	@seed=$${LITEOMS_CONFORMANCE_SEED:-$$(date +%s)}; \
	echo "==> $(CONFORMANCE_ROUNDS) documents from seed $$seed"; \
	LITEOMS_CONFORMANCE_SEED=$$seed LITEOMS_CONFORMANCE_ROUNDS=$(CONFORMANCE_ROUNDS) \
	    ctest --test-dir build-asan -R integration_conformance --no-tests=error --output-on-failure --timeout 36000

fuzz: ## run each fuzz target for FUZZ_SECONDS
	@cmake/install-deps build develop
	@$(call configure,fuzz,-fuzz)
	@cmake --build build-fuzz --target liteoms_fuzz_targets -j $(JOBS)
	@set -e; for target in build-fuzz/tests/fuzz/fuzz_*; do \
	    if [ ! -f "$$target" ] || [ ! -x "$$target" ]; then continue; fi; \
	    name=$$(basename $$target); corpus=build-fuzz/corpus/$$name; mkdir -p $$corpus; \
	    echo "==> $$name for $(FUZZ_SECONDS) s"; \
	    seeds=; if [ -d tests/fuzz/corpus/$$name ]; then seeds=tests/fuzz/corpus/$$name; fi; \
	    "$$target" -max_total_time=$(FUZZ_SECONDS) -print_final_stats=0 -verbosity=0 -timeout=10 \
	        -artifact_prefix=build-fuzz/$$name- $$corpus $$seeds; \
	done

lint: ## clang-tidy over all sources
	@cmake/install-deps build test bench develop
	@$(call configure,dev,-dev)
	$(call say,clang-tidy)
	@git ls-files '*.c' | grep -v '^tests/fuzz/' | xargs -n 4 -P $(JOBS) clang-tidy -p build-dev --quiet

format: ## clang-format all sources in place
	@cmake/install-deps develop
	$(call say,clang-format)
	@clang-format -i $(SOURCES)

format-check: ## fail when a source is not formatted
	@cmake/install-deps develop
	@clang-format --dry-run --Werror $(SOURCES)

install-deps: ## install every package of packages.txt that is missing
	@cmake/install-deps

install: build ## copy program, man page and example configuration below PREFIX
	@cmake --install build --prefix $(PREFIX)

clean: ## remove all build folders (and the development data in them)
	rm -rf build build-asan build-tsan build-dev build-fuzz build-coverage
