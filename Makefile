# `make` or `make help` lists what can be done.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
EXAMPLE := examples/helsinki
OUT := out
BUILT = $(or $(CARGO_TARGET_DIR),target)
TESSDS = $(BUILT)/release/tessds
DEMO = $(BUILT)/demo/tessds
TESTED = $(BUILT)/debug/tessds
# Lints and documentation are made beside the tests: cargo lets one process at a time into a folder.
LINTED = $(BUILT)/lints
JOBS := $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 2 ? 2 : n)))

# Further scenario folders for `make fidelity` and `make bench`, and further flags for their scripts.
SCENARIOS ?=
ARGS ?=

# First seed and number of runs for `make chaos`, time for `make soak`.
SEED ?= 1
RUNS ?= 10
MINUTES ?= 8

# What the default build leaves out. planted-bugs is not among them: it changes what the tests are about.
FEATURES := otel,parquet

# The same random cases in every run of the tests; another seed tries others.
export PROPTEST_RNG_SEED ?= 1

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20
	@echo
	@echo 'SCENARIOS="DIR DIR" adds scenario folders to fidelity and bench; ARGS="--only NAME" goes to their scripts.'
	@echo 'make chaos SEED=7 RUNS=50; make soak MINUTES=20.'

.PHONY: build
build: ## build the release binary, also as tessds-sumo
	$(CARGO) build --release --locked
	ln -sf tessds $(dir $(TESSDS))tessds-sumo

.PHONY: demo
demo: ## run the bundled example and write its outputs to out/; the program is optimised less than by 'make build'
	$(CARGO) build --profile demo --locked --bin tessds
	mkdir -p $(OUT)
	$(DEMO) run -c $(EXAMPLE)/run.sumocfg --seed 1 \
	    --tripinfo-output $(OUT)/tripinfo.xml --edgedata-output $(OUT)/edgedata.xml \
	    --summary-output $(OUT)/summary.xml --statistic-output $(OUT)/statistics.xml --report-json $(OUT)/report.json
	@echo "outputs are in $(OUT)/"

.PHONY: picture
picture: demo ## draw the demo's run as docs/picture.svg
	tools/picture.py $(EXAMPLE)/helsinki.net.xml.gz $(OUT)/edgedata.xml --summary $(OUT)/summary.xml \
	    --tripinfo $(OUT)/tripinfo.xml --title 'Helsinki|centre, an hour of made-up traffic' \
	    --credit 'map © OpenStreetMap contributors, ODbL' -o docs/picture.svg

.PHONY: setup
setup: ## install what tests and measurements need
	tools/setup.sh

.PHONY: check
check: ## the quick loop: format, lints, unit tests
	$(CARGO) fmt --check
	CARGO_TARGET_DIR=$(LINTED) $(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) test --locked --lib --bins

.PHONY: test
test: ## run all tests
	tools/setup.sh system scenarios
	$(MAKE) --no-print-directory test-programs
	$(MAKE) --no-print-directory run-tests

# Compiles what the tests need, and runs those that need nothing of it.
.PHONY: test-programs
test-programs:
	python3 -m unittest discover -s tools
	$(CARGO) build --locked
	if $(CARGO) nextest --version >/dev/null 2>&1; \
	then $(CARGO) nextest run --locked --no-run; \
	else $(CARGO) test --locked --lib --bins --tests --no-run; fi
	$(CARGO) test --locked --doc

.PHONY: run-tests
run-tests:
	tools/chaos.py --quick --seed 1 --runs 4 --tessds $(TESTED)
	if $(CARGO) nextest --version >/dev/null 2>&1; \
	then $(CARGO) nextest run --locked; \
	else $(CARGO) test --locked --lib --bins --tests; fi

.PHONY: check-dependencies
check-dependencies: ## check licences, origin and known vulnerabilities of all crates
	tools/setup.sh dependencies
	tools/check_dependencies.sh

.PHONY: lints
lints:
	$(MAKE) --no-print-directory check-dependencies
	CARGO_TARGET_DIR=$(LINTED) $(CARGO) clippy --locked --all-targets --features $(FEATURES) -- -D warnings
	CARGO_TARGET_DIR=$(LINTED) RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps --document-private-items

.PHONY: verify
verify: ## do what CI does: format, lints, dependencies, docs, tests
	$(CARGO) fmt --check
	tools/setup.sh system scenarios
	$(MAKE) --no-print-directory --jobs=$(JOBS) --output-sync=target lints test-programs
	$(MAKE) --no-print-directory run-tests

.PHONY: check-features
check-features: ## run the tests of what the default build leaves out, and compile the planted bugs
	tools/setup.sh system
	$(CARGO) check --locked --lib --no-default-features
	$(CARGO) check --locked --lib --no-default-features --features cluster
	$(CARGO) check --locked --lib --no-default-features --features control
	$(CARGO) check --locked --bin tessds --features planted-bugs
	$(CARGO) test --locked --features $(FEATURES) --lib --test integration -- parquet traces collector

.PHONY: image
image: build ## build the image without Docker and start the program in it; needs root, buildah and debootstrap
	tools/check_image.sh $(TESSDS)

.PHONY: check-deploy
check-deploy: ## check image, manifests, alerts, dashboards and runbooks against schemas and the program
	tools/setup.sh deploy
	$(CARGO) build --locked
	tools/check_deploy.py --tessds $(TESTED)

.PHONY: check-metrics
check-metrics: ## let Prometheus watch a cluster through a recovery, and ask it all that dashboards and alerts ask
	tools/setup.sh deploy
	$(CARGO) build --locked
	tools/check_metrics.py --tessds $(TESTED)

.PHONY: kube-shape
kube-shape: ## run the dev overlay as processes, with the names and arguments of its pods; kill and move some
	tools/setup.sh deploy
	$(CARGO) build --locked
	tools/kube_shape.py --tessds $(TESTED)

.PHONY: chaos
chaos: ## RUNS clusters under faults drawn from SEED; each must end as if undisturbed
	tools/chaos.py --seed $(SEED) --runs $(RUNS) --scenarios "$(SCENARIOS)" $(ARGS)

.PHONY: chaos-proof
chaos-proof: ## show that the chaos harness sees bugs that are planted on purpose
	$(CARGO) build --locked --features planted-bugs
	mkdir -p $(OUT) && cp $(TESTED) $(OUT)/tessds-planted
	tools/chaos_proof.py --tessds $(OUT)/tessds-planted $(ARGS)

.PHONY: soak
soak: ## run a cluster for MINUTES, half of it fault tolerant, and watch what it takes
	tools/soak.py --minutes $(MINUTES) $(ARGS)

.PHONY: fuzz
fuzz: ## feed mutated messages and frames to their readers for MINUTES; what is found is kept in tests/corpus/
	MINUTES=$(MINUTES) SEED=$(SEED) $(CARGO) test --locked --test integration -- --ignored --nocapture fuzz::for_minutes

.PHONY: simulate
simulate: ## whole clusters in simulation: SEED=first RUNS=number
	SEED=$(SEED) RUNS=$(RUNS) $(CARGO) test --locked --test integration -- \
	    --ignored --nocapture simulate::many_seeds

# As in src/ by their names.
PLANTED := keep-partitions keep-no-log commit-early forget-reports keep-tails

.PHONY: simulate-proof
simulate-proof: ## show that the simulation sees bugs that are planted in the program
	for bug in $(PLANTED); do \
	    TESSDS_PLANT=$$bug $(CARGO) test --locked --features planted-bugs --test integration -- \
	        --ignored --nocapture simulate::a_bug_that_is_planted || exit 1; \
	done

.PHONY: fidelity
fidelity: ## compare with SUMO on public scenarios; writes docs/fidelity-table.md
	tools/fidelity.py --scenarios "$(SCENARIOS)" $(ARGS)

.PHONY: saturation
saturation: ## compare the saturation flow of a signalised lane with SUMO's
	tools/saturation.py $(ARGS)

.PHONY: bench
bench: ## measure speed and memory against SUMO; writes docs/bench-table.md
	tools/bench.py --scenarios "$(SCENARIOS)" $(ARGS)

.PHONY: bench-cluster
bench-cluster: ## measure what processes, snapshots and recovery cost; writes docs/cluster-table.md
	tools/cluster_bench.py $(ARGS)

.PHONY: bench-overhead
bench-overhead: ## bound what metrics and JSON log lines cost
	tools/overhead.py $(ARGS)

.PHONY: bench-clients
bench-clients: ## measure what it costs a run to be watched by 200 clients
	tools/clients_bench.py $(ARGS)

.PHONY: example
example: ## make examples/helsinki again from its map
	tools/make_example.py

.PHONY: clean
clean: ## remove build products and outputs, not what was downloaded
	$(CARGO) clean
	rm -rf $(OUT)
