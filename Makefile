# `make` lists the targets. Everything here can be done without make too: each recipe is one or two plain commands.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help bootstrap build release test test-asan test-tsan test-threadcheck chaos fuzz
.PHONY: bench benchmarks soak interop demo format lint layering clean distclean

# Where Scripts/bootstrap puts picoquic; a PKG_CONFIG_PATH of your own is searched after it.
export PKG_CONFIG_PATH := $(CURDIR)/.deps/lib/pkgconfig$(if $(PKG_CONFIG_PATH),:$(PKG_CONFIG_PATH))

swift_paths = Package.swift Sources Tests $(wildcard Examples Benchmarks FuzzTesting)

help: ## show this list
	@printf 'targets:\n'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '%-23s %s\n' "$$name" "$$text"; done

demo: ## build everything, send a file and a live track through a relay (FILE=path for a file of yours)
	@Scripts/demo

test: ## everything that must hold: layering, format, build, all tests, interop
	@Scripts/test

# ONLY='Target Target.Suite' builds and runs only these in the three below.
only = $(if $(ONLY),--only '$(ONLY)')
test-asan: ## all tests with the address sanitizer: memory, leaks, undefined behaviour of C
	@Scripts/test --variant asan $(only)

test-tsan: ## all tests with the thread sanitizer: data races
	@Scripts/test --variant tsan $(only)

test-threadcheck: ## all tests with a picoquic that aborts when it is called on two threads
	@Scripts/test --variant threadcheck $(only)

# SECONDS is a variable of bash too, which would begin to count there.
unexport SECONDS
chaos_variant_ = none
chaos_variant_address = asan
chaos_variant_thread = tsan
chaos: ## random interleavings for SECONDS=60; SANITIZE=address|thread, SEED=n to replay, KIND=memory|network|process
	$(if $(chaos_variant_$(SANITIZE)),,$(error SANITIZE is address or thread))
	Scripts/with-variant $(chaos_variant_$(SANITIZE)) swift run chaos \
		$(if $(SEED),--seed $(SEED),--seconds $(or $(SECONDS),60)) $(if $(KIND),--kind $(KIND))

fuzz: ## random input for SECONDS=60 each under the address sanitizer; TARGET=control|subgroup|fetch|datagram|properties|session
	Scripts/fuzz --seconds $(or $(SECONDS),60) $(TARGET)

bootstrap: ## fetch and build the pinned picoquic into .deps
	@Scripts/bootstrap

build: bootstrap ## debug build
	swift build --build-tests

release: bootstrap ## release build of the moq command
	swift build -c release --product moq

bench: release ## every figure that docs/performance.md has a target for, remade there in less than half an hour
	-Tests/Interop/run --install
	Scripts/bench --docs

benchmarks: ## what an object costs in allocations, references and instructions, against what was recorded
	@Scripts/benchmarks

soak: release ## a relay under mixed load for SECONDS=3600: nothing lost, memory flat; RELAY_OPTIONS goes to the relay
	Scripts/soak --seconds $(or $(SECONDS),3600)

interop: build ## only the interop run, against aiomoqt
	@Tests/Interop/run --moq .build/debug/moq

format: ## reformat the Swift sources
	swift format format --in-place --recursive --parallel $(swift_paths)

lint: layering ## layering and format, nothing changed
	swift format lint --strict --recursive --parallel $(swift_paths)

layering: ## which module may import which
	@Scripts/check-layering --self-test
	@Scripts/check-layering

clean: ## remove what swift build made
	swift package clean

distclean: ## remove everything that was built or fetched
	rm -rf .build .build-* .deps .deps-* FuzzTesting/.build FuzzTesting/Corpus Benchmarks/.build
