#!/usr/bin/env bash
# Divides the same pools by the engine, by Python's decimal and by numpy's 64-bit floats, in one run, and prints
# a table of times and ratios: benches/compare.sh
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# shellcheck source=scripts/lib/packages.sh
. scripts/lib/packages.sh
# shellcheck source=scripts/lib/python.sh
. scripts/lib/python.sh

ensure_venv "$root/target/test-venv" tests/clients/requirements.txt
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

cargo bench --quiet --locked --bench allocation --no-run
# One core each, whatever numpy would like.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
cargo bench --quiet --locked --bench allocation -- --export "$directory" >"$directory/times"
"$root/target/test-venv/bin/python" benches/compare.py "$directory" <"$directory/times"
