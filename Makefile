# The targets that Bifocal's developers and its CI use. Each gets what it needs into folders that git ignores
# (target, .servers, .peers, .tools) and installs nothing in the system.

CARGO_DENY := 0.20.2

.PHONY: bench demo test drivers lint peers peers-ci servers

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
