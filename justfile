# Every task a person repeats. `just` lists them; CI walks through `just ci`.

set shell := ["bash", "-euo", "pipefail", "-c"]

tools := justfile_directory() / ".tools"
buf := tools / "bin/buf"

# List the tasks.
default:
    @just --list --unsorted

# Start the whole box office (the same as `cargo run`).
up *args:
    cargo run -- {{ args }}

# Run every test. Needs no service and no environment variable.
test:
    cargo test --workspace

# The drills about money at full size: some minutes, with figures. Every `just test` runs them small.
drills:
    E2E_DRILLS=full cargo test --release --test e2e drills -- --nocapture --test-threads 1

# Clippy on everything, warnings denied; formatting is looked at, not changed.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# Format Rust and contracts.
fmt: tools
    cargo fmt --all
    {{ buf }} format -w

# Lint the contracts and compare them with the previous commit.
proto: tools
    {{ buf }} lint
    {{ buf }} format -d --exit-code
    if git cat-file -e HEAD~1:proto 2>/dev/null; then {{ buf }} breaking --against '.git#ref=HEAD~1'; else echo "no previous commit to compare with"; fi

# Write .sqlx/ anew: private PostgreSQL, all migrations, every query checked against it.
sqlx:
    cargo run --bin sqlx-prepare

# Fail if .sqlx/ is not what the queries and the migrations say.
sqlx-check:
    cargo run --bin sqlx-prepare -- --check

# The project's own rules: budgets, edges, words. Quick, and a part of `just test` too.
tidy:
    cargo test --test tidy

# Licences, versions and sources of what comes from outside, and known vulnerabilities.
deny:
    .ci/deny

# Everything that must be true of a commit.
ci: tidy lint test proto sqlx-check deny

# Install the pinned tools into .tools/ (buf, just), by hash.
tools:
    @.ci/tools
