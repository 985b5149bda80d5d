# shellcheck shell=bash
# Says what is going on, and installs what the machine lacks. Sourced by scripts/test and .ci/run.

note() {
  printf '\n== %s ==\n' "$*"
}

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# as_root COMMAND...: through sudo where it is needed and there.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

# apt_install WHAT PACKAGE...: Debian's packages for WHAT, or an error that names what to install by hand.
apt_install() {
  local what=$1
  shift
  if ! command -v apt-get >/dev/null; then
    die "no $what here, and no apt-get to install it with: install it by hand (Debian's packages: $*)"
  fi
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
    die "no $what here, and neither root nor sudo to install it: run 'apt-get install $*' as root"
  fi
  note "Installing $what: $*"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null
}

# Crates with C code, SQLite's first of all, and the Rust linker want a C compiler.
ensure_c_compiler() {
  command -v cc >/dev/null || apt_install "C compiler" gcc libc6-dev
}

# The judge of the XML that is written.
ensure_xmllint() {
  command -v xmllint >/dev/null || apt_install xmllint libxml2-utils
}

# The ledger's journal is checked by a program that isn't ours.
ensure_hledger() {
  command -v hledger >/dev/null || apt_install hledger hledger
}

# Reports are opened in a browser, with letters for Chinese, and what it prints is read back.
ensure_browser() {
  command -v chromium >/dev/null || apt_install Chromium chromium
  fc-list ':lang=zh' family 2>/dev/null | grep -q . || apt_install "a Chinese font" fontconfig fonts-noto-cjk
  # The other font of the tests: the widest letters that a reader's system is likely to end at.
  fc-list 'DejaVu Sans' family 2>/dev/null | grep -q . || apt_install "the font DejaVu Sans" fonts-dejavu-core
  command -v pdfinfo >/dev/null || apt_install "Poppler's utilities" poppler-utils
}
