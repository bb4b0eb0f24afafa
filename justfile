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

# The drills at full size: money, restarts of everything, a failover, a million forged codes, and every alert. Some minutes, with figures. Every `just test` runs them small, all but the restarts.
drills:
    E2E_DRILLS=full cargo test --release --test e2e drills -- --include-ignored --nocapture --test-threads 1
    E2E_DRILLS=full cargo test --release --test notify_it drills -- --nocapture --test-threads 1
    cargo test --release --test codes_it -- --ignored --nocapture
    cargo test --release --test e2e_alerts -- --ignored --nocapture

# The published examples of ticket codes, made anew from docs/ticket-codes.md by a program that shares nothing with ours.
code-vectors:
    #!/usr/bin/env bash
    set -euo pipefail
    venv=target/code-vectors
    test -x $venv/bin/python || { python3 -m venv --clear $venv && $venv/bin/pip install --quiet cryptography; }
    $venv/bin/python crates/codes/vectors.py

# The Stripe adapter against localstripe, a server that others have written: what it is faithful in.
localstripe:
    #!/usr/bin/env bash
    set -euo pipefail
    venv=target/localstripe
    test -x $venv/bin/localstripe || { python3 -m venv --clear $venv && $venv/bin/pip install --quiet localstripe==1.15.10; }
    $venv/bin/localstripe --port 8420 --from-scratch & server=$!
    trap 'kill $server' EXIT
    curl --silent --fail --retry 20 --retry-connrefused --retry-delay 1 --output /dev/null --user sk_test_localstripe: http://127.0.0.1:8420/v1/customers
    LOCALSTRIPE_URL=http://127.0.0.1:8420 cargo test --lib localstripe -- --ignored

# Pictures in a bucket of moto, a server of S3 that others have written.
s3:
    #!/usr/bin/env bash
    set -euo pipefail
    venv=target/moto
    test -x $venv/bin/moto_server || { python3 -m venv --clear $venv && $venv/bin/pip install --quiet 'moto[server]==5.1.4'; }
    $venv/bin/moto_server --host 127.0.0.1 --port 8421 & server=$!
    trap 'kill $server' EXIT
    curl --silent --fail --retry 20 --retry-connrefused --retry-delay 1 --request PUT http://127.0.0.1:8421/boxoffice-images
    S3_URL=http://127.0.0.1:8421 cargo test --lib images::store -- --ignored

# What it can do beside what this machine can do at best: `just bench`, `just bench w3`, `just bench --full`. Writes target/bench/.
bench *args:
    cargo build --release --bin boxoffice --bin gateway --bin user-svc --bin ticket-svc --bin payment-svc --bin notify-svc --bin load --bin load-empty
    target/release/load {{ args }}

# Clippy on everything, warnings denied; formatting is looked at, not changed.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# Images, compose, Kubernetes, alerts and dashboards, as far as no container engine and no cluster is needed.
k8s-check:
    .ci/k8s-check

# The pods of the overlay `dev` as processes with the settings, secrets and probes of their manifests. Linux, as root.
k8s-drill:
    cargo build --bin gateway --bin user-svc --bin ticket-svc --bin payment-svc --bin notify-svc
    .ci/deploy-tools
    .tools/deploy/bin/python dev/deploy/drill.py

# All images, from one build (needs docker buildx). `REGISTRY` and `VERSION` name them.
images *args:
    docker buildx bake {{ args }}

# What each program is made of, as CycloneDX: target/sbom/.
sbom:
    .ci/sbom

# What the next release would say; `just changelog --release 1.2.3` writes it into CHANGELOG.md.
changelog *args:
    .ci/changelog {{ args }}

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

# The tables of docs/access.md, from the contracts and the router: who may do what. What is new gets a `?` to decide.
access:
    cargo run --bin access

# Licences, versions and sources of what comes from outside, and known vulnerabilities.
deny:
    .ci/deny

# Thousands of requests made from /openapi.json, every answer held against it: `just fuzz-api 200` for many more.
fuzz-api *examples:
    .ci/fuzz-api {{ examples }}

# The dashboard into web/dist/, from where the next build of the gateway takes it: checked, tested, and small enough.
web:
    # Not `npm ci`: it wants the linter's programs for every platform in the lock file, and some registries lack a few.
    .ci/node npm install --no-save --no-progress
    .ci/node npm run lint
    .ci/node npm run typecheck
    .ci/node npm test
    .ci/node npm run build

# The dashboard in a real Chromium against a real box office. `SHOTS=folder` keeps a picture of every page.
web-test: web
    cargo build --bin boxoffice
    .ci/node npm run e2e

# The dashboard's client anew, from the program's own /openapi.json.
web-api:
    cargo build --bin boxoffice
    .ci/node npm run openapi

# Everything that must be true of a commit.
ci: tidy k8s-check lint test proto sqlx-check deny fuzz-api web-test

# Install the pinned tools into .tools/ (buf, just), by hash.
tools:
    @.ci/tools
