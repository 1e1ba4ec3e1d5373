# Every target works in a clean checkout with a Rust toolchain; nothing else need be installed.

CARGO ?= cargo
CORPUS ?= ../shared/conformance
JSONATA_SUITE ?= ../shared/jsonata-suite
# For which processor `make dist` and `make deploy` build.
ARCH ?= $(if $(filter arm64 aarch64,$(shell uname -m)),arm64,x86_64)
export ARCH PROFILE
# What `make deploy` calls the stack.
STACK ?= stepwright
PARAMETERS ?=
EXAMPLE ?= examples/order-with-compensation
CASE ?= RetriedPayment
PORT ?= 8083

# How much `make soak` does.
SOAK_KILLS ?= 300
SOAK_SEEDS ?= 200000
# Which seeds `make simulate` runs.
SEEDS ?= 20000
FROM ?= 0

# Where cargo builds.
target = $(shell $(CARGO) metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')

# Tools that scripts/tools.sh installs stand here.
export PATH := $(CURDIR)/.tools/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help run test check fmt clippy doc deny tools clients emulators sam template sdk-catalog deployed dist deploy soak conformance jsonata-suite simulate bench

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: ## Start stepwright dev with the examples and run one to its end (EXAMPLE=folder CASE=test-case PORT=8083)
	@$(CARGO) build --quiet --package cli
	@"$(target)/debug/stepwright" dev examples --port $(PORT) --mock $(EXAMPLE)/mocks.json \
	  --run $(notdir $(EXAMPLE))#$(CASE) --run-input @$(EXAMPLE)/input.json

test: clients emulators sam ## Run all tests
	@if $(CARGO) nextest --version >/dev/null 2>&1; \
	then $(CARGO) test --workspace --locked --doc && STEPWRIGHT_BUILT=1 $(CARGO) nextest run --workspace --locked; \
	else STEPWRIGHT_BUILT=1 $(CARGO) test --workspace --locked; fi

check: fmt clippy test doc deny ## Everything that a change must pass

fmt: ## Check the formatting
	$(CARGO) fmt --all --check

clippy: ## Lint with warnings denied
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

doc: ## Build the documentation with warnings denied
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --document-private-items

deny: ## Check licences and sources of dependencies, when cargo-deny is installed (make tools)
	@if $(CARGO) deny --version >/dev/null 2>&1; \
	then $(CARGO) deny --locked check bans licenses sources; \
	else echo "cargo-deny is not installed; 'make tools' installs it"; fi

tools: ## Install the pinned tools into .tools
	scripts/tools.sh

clients: ## Install the clients that tests run, at fixed versions, into .tools/clients
	@scripts/clients.sh

emulators: ## Install the emulators that the adapters for AWS are tested against, at fixed versions, into .tools
	@scripts/ministack.sh

dist: ## Build the zips for Lambda and the archive with the program into dist (ARCH=x86_64|arm64 PROFILE=release|dev)
	@CARGO=$(CARGO) scripts/dist.sh

deploy: dist ## Install on AWS, with sam where it is installed (STACK=name PARAMETERS='Name=Value ...')
	@STACK=$(STACK) scripts/deploy.sh $(PARAMETERS)

sam: ## Install the SAM CLI and cfn-lint, at fixed versions, into .tools/sam
	@scripts/sam.sh

sdk-catalog: clients ## Make the catalog of AWS again from the models of the pinned boto3
	$(CARGO) xtask sdk-catalog --models $(wildcard .tools/clients/python/lib/python3*/site-packages/botocore/data)

deployed: clients emulators sam ## Deploy the installation on an emulator of AWS and use it, then with faults
	$(CARGO) test --locked --package tests --test deployed -- --test-threads 1 --nocapture

template: sam ## Lint the templates of the installation and of the example on it
	.tools/sam/bin/cfn-lint --include-checks I --template template.yaml
	.tools/sam/bin/cfn-lint --include-checks I --template examples/sam-app/template.yaml
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 .tools/sam/bin/sam validate --lint --template template.yaml
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 .tools/sam/bin/sam validate --lint --template examples/sam-app/template.yaml

soak: ## Kill the server SOAK_KILLS times under load, then simulate SOAK_SEEDS seeds
	$(CARGO) build --release --locked --package cli
	STEPWRIGHT_BIN="$(target)/release/stepwright" KILL_ROUNDS=$(SOAK_KILLS) \
	  $(CARGO) test --release --locked --package tests --test kill -- --nocapture
	$(CARGO) run --release --locked --package tests --bin simulate -- --seeds $(SOAK_SEEDS)

conformance: ## Replay the recorded corpus (CORPUS=folder) and print what agrees
	$(CARGO) run --quiet --locked --package tests --bin conformance -- $(CORPUS)

jsonata-suite: ## Run the JSONata test suite (JSONATA_SUITE=folder)
	$(CARGO) run --quiet --locked --package tests --bin jsonata-suite -- $(JSONATA_SUITE)

simulate: ## Run seeds of the simulation (SEEDS=how many FROM=first)
	$(CARGO) run --quiet --locked --package tests --bin simulate -- --from $(FROM) --seeds $(SEEDS)

bench: ## Measure in a release build and write target/bench.json
	@# Apart: the features that measuring needs are not to be in what is measured.
	@$(CARGO) build --release --locked --package cli
	@$(CARGO) build --profile lambda --locked --package functions
	@$(CARGO) build --release --locked --package bench
	@"$(target)/release/bench"
