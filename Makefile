# The two commands that matter: `make demo` shows the main job on real traffic,
# `make test` is the gate. Both install the Debian packages they need and say so.

GO    ?= go
BIN   := bin/clearspan
export CGO_ENABLED ?= 0

VERSION := $(shell hack/release/version.sh 2>/dev/null || echo unknown)
REVISION := $(shell git rev-parse HEAD 2>/dev/null)
GENERATED := $(foreach d,appliance/intake/wire appliance/service/inline,$(d)/kernel_bpfel.go $(d)/kernel_bpfel.o)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.revision=$(REVISION)

# Runs go test, keeps its events, holds packages to their time and shows what is slow.
GATE := $(GO) run ./hack/cmd/gate
# What a failed scene recorded, its log and its audit trail stay here.
EVIDENCE := -artifacts -outputdir "$(CURDIR)/bin"
# Programs that tests run are not worth optimizing by a profile. Lint has vetted them.
TESTFLAGS := -pgo=off -vet=off

# Checks read what the tests compile, too: one build of each package serves both. By the
# profile of clearspan, all would be built once more.
CHECKING = CGO_ENABLED=$(if $(shell command -v gcc),1,0) GOFLAGS=-pgo=off

# How many packages are tested at a time: half of their time is waiting.
PACKAGES := $(shell echo $$(($$(nproc) * 3 / 2)))

# Tests that measure times run one after the other, when all others are done.
ALONE := ./appliance/e2e/alone ./appliance/intake/wire

# How many events each store of a trail keeps in make bench.
EVENTS ?= 10000000

.PHONY: release release-check help build dev build-pkcs11 build-bench build-demo demo demo-wire demo-recorder test quick test-one test-thorough format lint vet staticcheck generate docs drift bench profile packages packages-demo packages-record packages-bench captures fuzz clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

build: ## build bin/clearspan, one static binary
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./appliance/cmd/clearspan

dev: ## build bin/clearspan quickly: not optimized by the profile
	$(GO) build -pgo=off -ldflags '$(LDFLAGS)' -o $(BIN) ./appliance/cmd/clearspan

build-pkcs11: ## build bin/clearspan with keys in PKCS #11 tokens; needs a C compiler, and the C library where it runs
	CGO_ENABLED=1 $(GO) build -tags pkcs11 -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./appliance/cmd/clearspan

# By the profile of clearspan, whose packages --emission measures in its own process.
build-bench: ## build bin/clearspan-bench, which measures clearspan and other programs
	$(GO) build -trimpath -pgo appliance/cmd/clearspan/default.pgo -ldflags '-s -w' -o bin/clearspan-bench ./bench/cmd/clearspan-bench

build-demo:
	$(GO) build -trimpath -ldflags '-s -w' -o bin/demo ./hack/cmd/demo

demo: packages-demo build build-demo ## HTTPS and mail through clearspan, read by a recorder, in network namespaces
	bin/demo --clearspan $(BIN)

demo-recorder: packages-record build build-demo ## files through clearspan and past it, recorded, told of, and proven
	bin/demo --clearspan $(BIN) --recorder

demo-wire: packages-demo build build-demo ## the same by a bump in the wire
	bin/demo --clearspan $(BIN) --wire

# Staticcheck loads every package: on a machine without a cache it runs as long as
# some tests wait.
test: packages drift format vet ## everything the gate asks for; what was slow is shown at the end, events are in bin/test.jsonl
	@mkdir -p bin
	$(CHECKING) $(GO) vet -tags pkcs11 ./certs/...
	CGO_ENABLED=1 GORACE=atexit_sleep_ms=0 $(GATE) -beside 'make -s staticcheck' -- -p $(PACKAGES) -race $(TESTFLAGS) $(EVIDENCE) -timeout 30m $$($(GO) list ./... | grep -v $(patsubst ./%,-e '/%$$',$(ALONE))) \
		-- -p 1 -race $(TESTFLAGS) $(EVIDENCE) -timeout 30m $(ALONE) \
		-- -C bench/plot -race ./... \
		-- $(TESTFLAGS) -tags pkcs11 -run Token ./certs/... \
		-- $(TESTFLAGS) ./appliance/recorder/extract/pdf

quick: format ## what needs neither root nor packages, in less than a minute
	$(GO) vet ./...
	$(GATE) -events bin/quick.jsonl -slowest 5 -- -short $(TESTFLAGS) ./... -- -C bench/plot -short ./...

test-one: ## one test or scene, RUN=TestName [PKG=./appliance/e2e]; its capture, log and audit trail stay in bin/_artifacts
	@[ -n "$(RUN)" ] || { echo "usage: make test-one RUN=TestName [PKG=./appliance/e2e]"; exit 2; }
	@mkdir -p bin
	CGO_ENABLED=1 CLEARSPAN_KEEP=1 $(GO) test -race $(TESTFLAGS) $(EVIDENCE) -count 1 -v -run '^$(RUN)$$' $(or $(PKG),./appliance/e2e)

release: ## archives, packages, sums and lists of modules for amd64 and arm64, in bin/release
	@rm -rf bin/release
	hack/release/build.sh bin/release

release-check: packages ## build what is released twice, in two places, and compare; lintian
	hack/release/check.sh

test-thorough: packages-bench captures release-check ## all tests with long runs, then every fuzz target for a minute; hours
	@mkdir -p bin
	CGO_ENABLED=1 CLEARSPAN_ROUNDS=5 $(GATE) -unlimited -events bin/thorough.jsonl -- -race $(TESTFLAGS) $(EVIDENCE) -timeout 3h $$($(GO) list ./... | grep -v /e2e) \
		-- $(TESTFLAGS) $(EVIDENCE) -timeout 6h ./appliance/e2e \
		-- $(TESTFLAGS) $(EVIDENCE) -timeout 6h ./appliance/e2e/alone
	hack/fuzz.sh 1m

generate: ## build the eBPF objects again (clang-14)
	$(GO) generate ./...

docs: ## write the pages of appliance/docs/reference again, from the code
	UPDATE_REFERENCE=1 $(GO) test -count=1 -run '^TestReference' ./hack/reference ./appliance/admin ./appliance/cmd/clearspan

# The committed objects must be what clang-14 makes of the sources.
drift:
	@before=$$(sha256sum $(GENERATED)); $(MAKE) -s generate; \
	[ "$$before" = "$$(sha256sum $(GENERATED))" ] || { echo "generated eBPF objects differ from their sources: commit what make generate made"; exit 1; }

format:
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "gofmt would change:"; echo "$$out"; exit 1; fi

lint: drift format staticcheck vet ## gofmt, vet, staticcheck, generated files

vet:
	$(CHECKING) $(GO) vet ./...
	$(CHECKING) $(GO) vet -C bench/plot ./...

staticcheck:
	$(GO) build -C hack/tools -o ../../bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	$(CHECKING) bin/staticcheck ./...
	cd bench/plot && $(CHECKING) ../../bin/staticcheck ./...

bench: packages-bench build build-bench ## cost and delay against other programs, with plots, then the cost of mirror ports, then recorders, then the stores of a trail with EVENTS=N; interleaved runs
	bin/clearspan-bench --clearspan $(BIN) --results bench/results
	$(GO) run -C bench/plot . "$$(ls $(CURDIR)/bench/results/*Z.json | tail -n 1)"
	bin/clearspan-bench --emission --results bench/results
	bin/clearspan-bench --recording --clearspan $(BIN) --results bench/results
	bin/clearspan-bench --trail --events $(EVENTS)

# The compiler optimizes for what this profile says is hot. The program that is
# profiled is built with the profile of before.
profile: packages-bench build build-bench ## take the CPU profile again that builds are optimized by
	@rm -rf bin/profiles
	bin/clearspan-bench --clearspan $(BIN) --rounds 2 --size 128 --profiles bin/profiles --workloads bulk,requests,handshakes,x25519,resumed,names,pages \
		--only "clearspan,clearspan + mirror port,clearspan + pcapng,clearspan + HTTP parsed,clearspan with tickets"
	$(GO) tool pprof -proto bin/profiles/*.pprof > appliance/cmd/clearspan/default.pgo

fuzz: ## every fuzz target for 20 s
	hack/fuzz.sh 20s

packages: ; @hack/packages.sh test
packages-demo: ; @hack/packages.sh demo
captures: ; @hack/captures.sh
packages-record: ; @hack/packages.sh record
packages-bench: ; @hack/packages.sh test bench

clean: ## remove what was built
	rm -rf bin demo-out
