# Tools from PyPI, each in a directory of the cache; nothing of them goes into the system's Python.
# shellcheck shell=bash disable=SC2034,SC2154 # sourced: shares names with its caller

schemathesis_version=4.32.5

install_schemathesis() { # install_schemathesis DIR
  need python3 'python3, 3.10 or later'
  python3 -m venv "$1/venv" >&2 || die 'python3 makes no virtual environment; install it (Debian: python3-venv)'
  "$1/venv/bin/pip" install --quiet --disable-pip-version-check --target "$1/lib" "schemathesis==$schemathesis_version"
  rm -rf "$1/venv" # where it was made is written all over it
}

fetch_schemathesis() { cached "schemathesis-$schemathesis_version" install_schemathesis; }

schemathesis() {
  PYTHONPATH=$cache/schemathesis-$schemathesis_version/lib \
    python3 -c 'from schemathesis.cli import schemathesis; schemathesis()' "$@"
}
