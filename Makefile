# The targets that Bifocal's developers and its CI use. Each gets what it needs into folders that git ignores
# (target, .servers, .peers, .tools) and installs nothing in the system.

CARGO_DENY := 0.20.2
CARGO_FUZZ := 0.13.2

# What `make fuzz` runs, and for how many seconds each: `make fuzz FUZZ_TARGETS=session FUZZ_SECONDS=1200`.
FUZZ_TARGETS := compression handshake packets response session
FUZZ_SECONDS := 30

.PHONY: bench demo test drivers fuzz lint peers peers-ci servers

# Watch two releases of an app share one migrated database.
demo:
	scripts/servers.sh mariadb-10.11
	cargo run --quiet --release -- demo --server "$${BIFOCAL_SERVERS:-.servers}/mariadb-10.11"

# All of Bifocal's tests: unit, golden, tidy, and the differential oracle on real servers.
test: servers
	cargo test --no-fail-fast

# How long lexing and planning take.
bench:
	cargo bench --bench plan

# Real drivers and command line clients through Bifocal. Needs python3 with venv and pip; for more drivers: node, cc.
drivers: servers
	cargo build --bin bifocal --example mysql_async
	python3 -m venv .tools/py
	.tools/py/bin/pip install --quiet --disable-pip-version-check -r tests/drivers/requirements.txt
	.tools/py/bin/python tests/drivers/run.py

# Other projects' own test suites, directly and through Bifocal, which must pass the same tests. They come as packages
# into .peers, which takes some gigabytes. Needs python3 with venv and pip, perl, cc; for Node's drivers: npm.
peers: servers
	cargo build --bin bifocal
	python3 tests/peers/run.py

# A part of them in a few minutes.
peers-ci: servers
	cargo build --bin bifocal
	python3 tests/peers/run.py --ci

# Bytes that nobody would think of. What is found lands in fuzz/artifacts; what reaches new code, in fuzz/found. Bifocal has
# no unsafe code, so no sanitizer is needed, and with that no nightly toolchain; but a C++ compiler, for libFuzzer.
fuzz: .tools/bin/cargo-fuzz-$(CARGO_FUZZ)
	@command -v c++ >/dev/null || { echo '*** fuzz: libFuzzer needs a C++ compiler, and this machine has none ***'; exit 1; }
	@for target in $(FUZZ_TARGETS); do \
	    mkdir -p fuzz/found/$$target && echo "fuzz: $$target, $(FUZZ_SECONDS) s" && \
	    $< run --sanitizer none $$target fuzz/found/$$target fuzz/corpus/$$target -- -max_total_time=$(FUZZ_SECONDS) \
	        -fork=0 -max_len=4096 -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 || exit 1; \
	done

lint: .tools/bin/cargo-deny-$(CARGO_DENY)
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	$< check --hide-inclusion-graph licenses bans sources
	@if $< fetch db; then $< check --hide-inclusion-graph advisories; else \
	    echo '*** lint: SKIPPED: cargo deny check advisories: the advisory database cannot be fetched from here ***'; fi

# Real MariaDB and MySQL servers, unpacked into .servers.
servers:
	scripts/servers.sh

.tools/bin/cargo-deny-$(CARGO_DENY):
	cargo install --quiet --locked --root .tools cargo-deny --version $(CARGO_DENY)
	mv .tools/bin/cargo-deny $@

.tools/bin/cargo-fuzz-$(CARGO_FUZZ):
	cargo install --quiet --locked --root .tools cargo-fuzz --version $(CARGO_FUZZ)
	mv .tools/bin/cargo-fuzz $@
