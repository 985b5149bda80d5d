#!/usr/bin/env bash
# How fast payments are reconciled with a statement, beside what the databases do by themselves, in one run:
# benches/reconciliation.sh [--quick]
#
# Starts a throw-away PostgreSQL server, with its usual settings: what is committed is on the disk. Books and files
# are made before the clock runs.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# shellcheck source=scripts/lib/packages.sh
. scripts/lib/packages.sh
# shellcheck source=scripts/lib/postgres.sh
. scripts/lib/postgres.sh

export INCENTIVE_FUND_TEST_PYTHON=${INCENTIVE_FUND_TEST_PYTHON:-python3}
for variable in "${!PG@}"; do
  unset "$variable"
done

small=100000
large=1000000
if [ "${1:-}" = --quick ]; then
  small=10000
  large=100000
fi

work=$(mktemp -d)
clean_up() {
  stop_postgres
  rm -rf "$work"
}
trap clean_up EXIT
command -v sqlite3 >/dev/null || die "no sqlite3 in PATH: install the package sqlite3"
cargo bench --quiet --locked --bench reconciliation --no-run
bench() { cargo bench --quiet --locked --bench reconciliation -- "$@"; }
start_postgres
url=$INCENTIVE_FUND_TEST_POSTGRES
psql=("$(command -v psql || echo "$postgres_bin/psql")" --quiet --no-psqlrc --set=ON_ERROR_STOP=1)
for setting in fsync synchronous_commit full_page_writes; do
  "${psql[@]}" "$url" --command="ALTER SYSTEM SET $setting = on"
done
"${psql[@]}" "$url" --command="SELECT pg_reload_conf()" >/dev/null

seconds() { # seconds COMMAND...: how long it took
  local begun=$EPOCHREALTIME
  "$@" >&2
  awk -v from="$begun" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.2f", to - from }'
}
quotient() { awk -v one="$1" -v other="$2" 'BEGIN { printf "%.2f", one / other }'; }

# The lines as they are, in a table with the same key, and every line with the payment that it pays: one hash join.
psql_raw() { # psql_raw URL DIRECTORY
  "${psql[@]}" "$1" <<SQL
CREATE TABLE raw_line (line bigint PRIMARY KEY, booked text, valued text, amount_fen bigint, reversal bigint,
  reference text, order_id text, bank_reference text, name text, account text, said text);
\\copy raw_line FROM '$2/lines.csv' WITH (FORMAT csv)
SET enable_nestloop = off;
SET enable_mergejoin = off;
CREATE TABLE raw_match AS SELECT l.line, p.reference FROM raw_line l
  JOIN payment p ON p.reference = l.reference AND p.amount_fen = - l.amount_fen;
SQL
}
sqlite_raw() { # sqlite_raw FILE DIRECTORY
  sqlite3 "$1" <<SQL
PRAGMA synchronous = FULL;
CREATE TABLE raw_line (line INTEGER PRIMARY KEY, booked TEXT, valued TEXT, amount_fen INTEGER, reversal INTEGER,
  reference TEXT, order_id TEXT, bank_reference TEXT, name TEXT, account TEXT, said TEXT);
.mode csv
.import '$2/lines.csv' raw_line
CREATE TABLE raw_match AS SELECT l.line, p.reference FROM raw_line l
  JOIN payment p ON p.reference = l.reference AND p.amount_fen = - l.amount_fen;
SQL
}

declare -A took
echo "| database | lines | s in all | import | matching | peak MiB | raw s | of raw | aim |"
echo "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
for database in PostgreSQL SQLite; do
  for count in "$small" "$large"; do
    directory=$work/$database-$count
    mkdir "$directory"
    if [ "$database" = PostgreSQL ]; then
      name=reconciliation_$count
      "${psql[@]}" "$url" --command="CREATE DATABASE $name"
      place=${url%/*}/$name
      bench prepare "$place" "$count" "$directory"
      "${psql[@]}" "$place" --command="VACUUM ANALYZE" --command="CHECKPOINT"
    else
      place="sqlite://$directory/fund.db?mode=rwc"
      bench prepare "$place" "$count" "$directory"
      sqlite3 "$directory/fund.db" "ANALYZE; PRAGMA wal_checkpoint(TRUNCATE);" >/dev/null
    fi
    read -r all import match peak < <(bench run "$place" "$directory")
    if [ "$database" = PostgreSQL ]; then
      "${psql[@]}" "$place" --command="CHECKPOINT"
      raw=$(seconds psql_raw "$place" "$directory")
      "${psql[@]}" "$url" --command="DROP DATABASE $name WITH (FORCE)"
    else
      raw=$(seconds sqlite_raw "$directory/fund.db" "$directory")
    fi
    took[$database-$count]=$all
    echo "| $database | $count | $all | $import | $match | $peak | $raw | **$(quotient "$all" "$raw")** | 3 |"
    rm -rf "$directory"
  done
done
for database in PostgreSQL SQLite; do
  echo "$database: ten times the lines take $(quotient "${took[$database-$large]}" "${took[$database-$small]}") times as long; the aim is 11"
done
