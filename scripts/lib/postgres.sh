# shellcheck shell=bash
# A throw-away PostgreSQL cluster. Sourced by scripts/test, after packages.sh.

postgres_bin=    # the directory of initdb, pg_ctl and postgres
postgres_dir=    # the cluster's directory: data, socket and log
postgres_user=   # who runs the server, where that isn't us

# find_postgres: sets `postgres_bin`. Debian and others keep the server's programs out of PATH.
find_postgres() {
  local initdb candidates
  candidates=$(
    command -v initdb || true
    # The highest version first.
    printf '%s\n' /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb /usr/local/pgsql/bin/initdb \
      /opt/homebrew/opt/postgresql*/bin/initdb /usr/local/opt/postgresql*/bin/initdb | sort -rV
  )
  while read -r initdb; do
    # A link in PATH may stand for initdb alone; pg_ctl is beside the real one.
    initdb=$(readlink -f "$initdb") || continue
    postgres_bin=${initdb%/*}
    if [ -x "$postgres_bin/initdb" ] && [ -x "$postgres_bin/pg_ctl" ] && [ -x "$postgres_bin/postgres" ]; then
      return 0
    fi
  done <<<"$candidates"
  return 1
}

# Debian's package makes a cluster of its own and starts it, unless it's told not to. It's told for this one
# install only: what the machine's owner installs later is not ours to change.
install_postgres() {
  local dropin=/etc/postgresql-common/createcluster.d/incentive-fund-tests.conf status=0
  if command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null; }; then
    as_root mkdir -p "${dropin%/*}"
    echo 'create_main_cluster = false' | as_root tee "$dropin" >/dev/null
  fi
  # In a subshell, since apt_install exits on failure and the file must go all the same.
  (apt_install "PostgreSQL server" postgresql) || status=$?
  [ ! -e "$dropin" ] || as_root rm "$dropin"
  return "$status"
}

# PostgreSQL refuses to run as root. The server's locale is fixed, so that one the machine lacks can't stop it,
# and the working directory is one that its user may enter.
as_postgres() (
  cd "$postgres_dir" || exit
  if [ -n "$postgres_user" ]; then
    runuser -u "$postgres_user" -- env LC_ALL=C "$@"
  else
    LC_ALL=C "$@"
  fi
)

free_port() {
  "$INCENTIVE_FUND_TEST_PYTHON" -c '
import socket
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1])'
}

# start_postgres: makes and starts a cluster, and exports INCENTIVE_FUND_TEST_POSTGRES.
start_postgres() {
  local port try
  if ! find_postgres; then
    install_postgres
    find_postgres || die "initdb is still not found: put PostgreSQL's bin directory in PATH"
  fi

  # Not in $TMPDIR, which may be too long for a Unix socket's path (about 100 bytes) or closed to another user.
  postgres_dir=$(mktemp -d /tmp/ifund-pg.XXXXXX)
  if [ "$(id -u)" -eq 0 ]; then
    command -v runuser >/dev/null || die "PostgreSQL can't run as root, and there is no runuser: run this as a user"
    postgres_user=postgres
    id "$postgres_user" >/dev/null 2>&1 || postgres_user=nobody
    chown "$postgres_user" "$postgres_dir"
  fi

  note "Starting PostgreSQL in $postgres_dir"
  as_postgres "$postgres_bin/initdb" --pgdata="$postgres_dir/data" --username=postgres --auth=trust \
    --encoding=UTF8 --no-locale --no-sync >"$postgres_dir/initdb.log" 2>&1 ||
    { cat "$postgres_dir/initdb.log" >&2; die "initdb failed"; }
  # Nothing here outlives the run, so nothing needs to reach the disk.
  cat >>"$postgres_dir/data/postgresql.conf" <<EOF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$postgres_dir'
max_connections = 200
fsync = off
synchronous_commit = off
full_page_writes = off
EOF

  # Someone else may take the port between our look and the server's start.
  for try in 1 2 3 4 5; do
    port=$(free_port)
    if as_postgres "$postgres_bin/pg_ctl" --pgdata="$postgres_dir/data" --log="$postgres_dir/log" --wait \
      --timeout=60 --options="-p $port" start >/dev/null; then
      export INCENTIVE_FUND_TEST_POSTGRES="postgres://postgres@127.0.0.1:$port/postgres"
      "$postgres_bin/postgres" --version
      return 0
    fi
    printf 'PostgreSQL did not start on port %s (try %s)\n' "$port" "$try" >&2
  done
  cat "$postgres_dir/log" >&2
  die "PostgreSQL did not start"
}

# stop_postgres: leaves neither a process nor a file of the cluster.
stop_postgres() {
  [ -n "$postgres_dir" ] || return 0
  if [ -e "$postgres_dir/data/postmaster.pid" ]; then
    as_postgres "$postgres_bin/pg_ctl" --pgdata="$postgres_dir/data" --mode=immediate --wait stop >/dev/null ||
      printf 'PostgreSQL in %s did not stop\n' "$postgres_dir" >&2
  fi
  rm -rf "$postgres_dir"
}
