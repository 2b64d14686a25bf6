#!/usr/bin/env bash
# Repeats the measurements that README.md quotes, with the release build; benches/main.rs says what is measured.
#
#   scripts/bench.sh [--json | --only PART]
#
# Run it on an otherwise idle machine; it takes about five minutes. Needs bubblewrap, and the peers of peers.sh.
set -euo pipefail
umask 022

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
export CAPONIER_PEERS=${CAPONIER_PEERS:-$PWD/.peers}
target=${CARGO_TARGET_DIR:-$PWD/target}

scripts/peers.sh --bench >&2
cargo build --locked --release --quiet --bins --examples
export CAPONIER_BIN=${CAPONIER_BIN:-$target/release/caponier}
exec "$target/release/examples/bench" "$@"
