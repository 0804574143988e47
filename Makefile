# The two commands that matter: `make demo` shows the main job on real traffic,
# `make test` is the gate. Both install the Debian packages they need and say so.

GO    ?= go
BIN   := bin/clearspan
export CGO_ENABLED ?= 0

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
GENERATED := $(foreach d,appliance/intake/wire appliance/service/inline,$(d)/kernel_bpfel.go $(d)/kernel_bpfel.o)
LDFLAGS := -s -w -X main.version=$(VERSION)

.PHONY: help build build-pkcs11 demo demo-wire test unit race token lint generate docs drift bench profile packages packages-demo packages-bench fuzz clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

build: ## build bin/clearspan, one static binary
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./appliance/cmd/clearspan

build-pkcs11: ## build bin/clearspan with keys in PKCS #11 tokens; needs a C compiler, and the C library where it runs
	CGO_ENABLED=1 $(GO) build -tags pkcs11 -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./appliance/cmd/clearspan

demo: packages-demo build ## HTTPS and mail through clearspan, read by a recorder, in network namespaces
	$(BIN) demo

demo-wire: packages-demo build ## the same by a bump in the wire
	$(BIN) demo --wire

test: packages lint race token ## everything the gate asks for

generate: ## build the eBPF objects again (clang-14)
	$(GO) generate ./...

docs: ## write the pages of appliance/docs/reference again, from the code
	UPDATE_REFERENCE=1 $(GO) test -count=1 -run '^TestReference' ./hack/docs ./appliance/admin ./appliance/cmd/clearspan

# The committed objects must be what clang-14 makes of the sources.
drift:
	@before=$$(sha256sum $(GENERATED)); $(MAKE) -s generate; \
	[ "$$before" = "$$(sha256sum $(GENERATED))" ] || { echo "generated eBPF objects differ from their sources: commit what make generate made"; exit 1; }

lint: drift ## gofmt, vet, staticcheck, generated files
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "gofmt would change:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) build -C hack/tools -o ../../bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	bin/staticcheck ./...

race: ## all tests, with the race detector
	CGO_ENABLED=1 $(GO) test -race -timeout 14m ./...

token: ## tests of keys in a PKCS #11 token (SoftHSM)
	CGO_ENABLED=1 $(GO) vet -tags pkcs11 ./certs/...
	CGO_ENABLED=1 $(GO) test -tags pkcs11 -run Token ./certs/...

unit: ## tests that need neither root nor packages
	$(GO) test -short ./...

bench: packages-bench build ## cost and delay against other programs, with plots, then the cost of mirror ports; interleaved runs
	$(BIN) bench --results bench/results
	go run ./bench/plot "$$(ls bench/results/*Z.json | tail -n 1)"
	$(BIN) bench --emission --results bench/results

# The compiler optimizes for what this profile says is hot. The program that is
# profiled is built with the profile of before.
profile: packages-bench build ## take the CPU profile again that builds are optimized by
	@rm -rf bin/profiles
	$(BIN) bench --rounds 2 --size 128 --profiles bin/profiles --workloads bulk,requests,handshakes,x25519,resumed,names,pages \
		--only "clearspan,clearspan + mirror port,clearspan + pcapng,clearspan + HTTP parsed,clearspan with tickets"
	$(GO) tool pprof -proto bin/profiles/*.pprof > appliance/cmd/clearspan/default.pgo

fuzz: ## every fuzz target for 20 s
	hack/fuzz.sh 20s

packages: ; @hack/packages.sh test
packages-demo: ; @hack/packages.sh demo
packages-bench: ; @hack/packages.sh test bench

clean: ## remove what was built
	rm -rf bin demo-out
