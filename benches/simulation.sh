#!/usr/bin/env bash
# Computes the same weight scenarios by the engine, by numpy's 64-bit floats and by Python's decimal, in one run, and
# prints a table of times and ratios: benches/simulation.sh
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

cargo bench --quiet --locked --bench simulation --no-run
# One core each, whatever numpy would like.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
cargo bench --quiet --locked --bench simulation -- --export "$directory"
"$root/target/test-venv/bin/python" benches/simulation.py "$directory"
