# lastnight. `make` alone lists what there is to make.
SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COUNT   ?= 6
BENCH   ?= .
FUZZTIME ?= 10s
TOOLS   := . internal/testenv/tools.sh
UI_SOURCES := $(shell find api/openapi.yaml ui/src ui/public ui/index.html ui/package.json ui/tsconfig.json ui/vite.config.ts -type f 2>/dev/null)
node_problem := $(shell $(TOOLS) && node_problem)

.PHONY: help demo build release ui test lint fmt fuzz bench accuracy clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-8s %s\n", $$1, $$2 }'

demo: build ## Build and run on recorded real failures, replayed as last night
	@bin/lastnight demo

ifeq ($(node_problem),)
build: ui/dist/index.html go-build ## Build bin/lastnight with the UI; without Node: with API and CLI alone
else
build: go-build
	@echo 'bin/lastnight has API and CLI, but no UI: $(node_problem).'
endif

.PHONY: go-build
go-build:
	@mkdir -p bin
	go build -ldflags '-X main.version=$(VERSION)' -o bin/lastnight ./cmd/lastnight

RELEASE := bin/release
release: ui/dist/index.html ## Build static binaries for linux amd64 and arm64 into bin/release, with checksums
	@[ -f ui/dist/index.html ] || { echo 'no release without the UI: ui/dist has only the placeholder' >&2; exit 1; }
	@rm -rf $(RELEASE); mkdir -p $(RELEASE)
	@for arch in amd64 arm64; do echo "building $(VERSION) for linux/$$arch"; \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$$arch go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' \
	    -o $(RELEASE)/lastnight_$(VERSION)_linux_$$arch ./cmd/lastnight; done
	@! grep -l -e ld-linux -e ld-musl $(RELEASE)/lastnight_* || { echo 'not static' >&2; exit 1; }
	@[ "$$($(RELEASE)/lastnight_$(VERSION)_linux_$$(go env GOARCH) --version)" = 'lastnight version $(VERSION)' ] || { echo 'the binary tells another version' >&2; exit 1; }
	@cd $(RELEASE) && sha256sum lastnight_* > SHA256SUMS && cat SHA256SUMS

ui: ui/dist/index.html ## Build the UI into ui/dist (needs Node)

ui/node_modules/.package-lock.json: ui/package-lock.json
	@problem='$(node_problem)'; [ -z "$$problem" ] || { echo "$$problem" >&2; exit 1; }
	cd ui && npm ci --no-audit --no-fund
	@touch $@

ui/dist/index.html: ui/node_modules/.package-lock.json $(UI_SOURCES)
	cd ui && npm run --silent build
	@touch $@

test: ## Run everything that must pass: vet, format, race tests, lint, UI, browser
	@internal/testenv/run-tests.sh $(SUITES)

torture: ## Kill, cut and rotate for TORTURE_SECONDS (300) with TORTURE_STREAMS (200); TORTURE_SEED repeats a run
	TORTURE_SECONDS=$${TORTURE_SECONDS:-300} TORTURE_STREAMS=$${TORTURE_STREAMS:-200} \
	  go test -run TestTorture -count 1 -timeout 2h -v ./cmd/lastnight

lint: ## golangci-lint and staticcheck
	@$(TOOLS); tool=$$(find_golangci_lint); "$$tool" run ./...; tool=$$(find_staticcheck); "$$tool" ./...

fmt: ## Format all Go files
	@$(TOOLS); tool=$$(find_golangci_lint); "$$tool" fmt ./...

fuzz: ## Run each fuzz target for FUZZTIME (10s)
	@grep -rlE '^func Fuzz' --include='*_test.go' . --exclude-dir=node_modules | xargs -n1 dirname | sort -u | while read -r dir; do \
	  for f in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$$dir"/*_test.go | cut -d' ' -f2); do \
	    echo "== $$dir $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) "$$dir" </dev/null; done; done

bench: ## Run the benchmarks COUNT (6) times, for benchstat, then the whole import once
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) -timeout 2h $$(go list ./... | grep -v /internal/bench)
	go test -run '^$$' -bench '$(BENCH)' -benchtime 1x -timeout 2h ./internal/bench

accuracy: go-build ## Judge templates against the labeled logs below LOGHUB
	@go run ./clusterer/accuracy -loghub '$(LOGHUB)' -lastnight bin/lastnight

clean: ## Remove what was built
	rm -rf bin .cache ui/node_modules
	find ui/dist -mindepth 1 -not -name .placeholder -delete
