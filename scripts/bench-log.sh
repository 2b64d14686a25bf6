#!/usr/bin/env bash
# What a question to a log of 1 GB costs, side by side with jq and DuckDB on the same files, and what memory it takes.
#
#   scripts/bench-log.sh [BYTES] [SESSIONS]       default: 1000000000 10000
#
# Run it on an otherwise idle machine. Needs jq, python3 and GNU time; installs DuckDB (PyPI, pinned) into the peers' folder.
# Every figure is the median of interleaved runs with a warm cache.
set -euo pipefail
umask 022
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
peers=${CAPONIER_PEERS:-$PWD/.peers}
for tool in jq python3 /usr/bin/time; do
  command -v "$tool" >/dev/null || { echo "bench-log: $tool is missing" >&2; exit 1; }
done
if [ -z "${CAPONIER_BIN:-}" ]; then
  cargo build --locked --release --quiet --bin caponier --example bench-log
  CAPONIER_BIN=$target/release/caponier
fi
generator=${CAPONIER_BENCH_LOG:-$target/release/examples/bench-log}
python=$peers/python/duckdb/bin/python
if [ ! -x "$python" ]; then
  python3 -m venv "$peers/python/duckdb"
  "$peers/python/duckdb/bin/pip" --quiet install --disable-pip-version-check --only-binary :all: duckdb==2.0.1
fi
ground=$(mktemp -d "${TMPDIR:-/var/tmp}/bench-log-XXXXXX")
trap 'rm -rf "$ground"' EXIT
"$generator" "$ground/log" "${1:-1000000000}" "${2:-10000}"
exec 3>&1
"$python" benches/log.py "$CAPONIER_BIN" "$ground/log" "${CAPONIER_RUNS:-5}"
