# shellcheck shell=bash
# The Python of the tests' clients. Sourced by scripts/test, after packages.sh.

# Debian splits ensurepip off into python3-venv; without it a venv has no pip. 3.11 is what numpy asks for.
python_is_usable() {
  "$1" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# find_python: sets `python`. The system's own is tried too, since another one may hide it in PATH.
find_python() {
  for python in python3 /usr/bin/python3; do
    if python_is_usable "$python"; then
      return 0
    fi
  done
  return 1
}

# ensure_venv DIR REQUIREMENTS: makes the virtual environment, or keeps the one that has just these packages.
ensure_venv() {
  local venv=$1 requirements=$2 python
  # Copied last, so a venv that was left half made is made anew.
  local stamp=$venv/requirements.txt
  if cmp -s "$requirements" "$stamp" && "$venv/bin/python" -c '' 2>/dev/null; then
    return 0
  fi
  if ! find_python; then
    apt_install "Python with venv" python3 python3-venv
    find_python || die "no Python 3.11 or newer with venv and ensurepip: install one and put it first in PATH"
  fi
  note "Making $venv"
  "$python" -m venv --clear "$venv"
  # Wheels only: building gRPC from source takes longer than all the tests.
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: \
    --requirement "$requirements"
  cp "$requirements" "$stamp"
}
