#!/usr/bin/env bash
# How fast claims are handed in and approved, beside what the databases do by themselves, in one run:
# benches/disbursement.sh [--quick]
#
# Starts a throw-away PostgreSQL server, with its usual settings: what is committed is on the disk.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# shellcheck source=scripts/lib/packages.sh
. scripts/lib/packages.sh
# shellcheck source=scripts/lib/postgres.sh
. scripts/lib/postgres.sh

for variable in "${!PG@}"; do
  unset "$variable"
done
export INCENTIVE_FUND_TEST_PYTHON=${INCENTIVE_FUND_TEST_PYTHON:-python3}

seconds=10
if [ "${1:-}" = --quick ]; then
  seconds=3
fi

trap stop_postgres EXIT
cargo bench --quiet --locked --bench disbursement --no-run
start_postgres
url=$INCENTIVE_FUND_TEST_POSTGRES
psql=("$(command -v psql || echo "$postgres_bin/psql")" --quiet --no-psqlrc "$url")
for setting in fsync synchronous_commit full_page_writes; do
  "${psql[@]}" --command="ALTER SYSTEM SET $setting = on"
done
"${psql[@]}" --command="SELECT pg_reload_conf()" >/dev/null

pgbench=$(command -v pgbench || echo "$postgres_bin/pgbench")
# TPC-B with so many branches, prepared statements as the program has them: transactions a second.
tpc_b() {
  "${psql[@]}" --command="CREATE DATABASE pgbench"
  "$pgbench" --initialize --quiet --scale="$1" "${url%/*}/pgbench" 2>/dev/null
  "$pgbench" --client=32 --jobs=2 --time="$seconds" --protocol=prepared "${url%/*}/pgbench" 2>/dev/null |
    sed -n 's/^tps = \([0-9.]*\).*/\1/p'
  "${psql[@]}" --command="DROP DATABASE pgbench"
}
# One branch is one row that everybody changes, as everybody draws on one quota here; and it is pgbench's default.
one_branch=$(tpc_b 1)
branches=$(tpc_b 32)

note "SQLite"
cargo bench --quiet --locked --bench disbursement -- sqlite "$@"
note "PostgreSQL; pgbench, TPC-B with 32 clients: $one_branch a second on one branch, $branches on 32"
"${psql[@]}" --command="CREATE DATABASE claims"
cargo bench --quiet --locked --bench disbursement -- postgres "${url%/*}/claims" "$one_branch" "$branches" "$@"
"${psql[@]}" --command="DROP DATABASE claims WITH (FORCE)"
note "A longer and longer journal"
"${psql[@]}" --command="CREATE DATABASE growth"
cargo bench --quiet --locked --bench disbursement -- growth "${url%/*}/growth" "$@"
