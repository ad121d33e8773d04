# Programs of other Node versions, as npm packages.
# shellcheck shell=bash disable=SC2034,SC2154 # sourced: shares names with its caller

case $(uname -m) in
  x86_64) platform=linux-x64 ;;
  aarch64) platform=linux-arm64 ;;
  *) die "no Node is packaged for $(uname -m)" ;;
esac

download_node() { # download_node DIR: the program `node` of $version
  echo '{}' >"$1/package.json"
  (cd "$1" && npm install --ignore-scripts --no-audit --no-fund --no-save "node-$platform@$version") >&2
}

fetch_node() { # fetch_node VERSION; sets node_program
  local version=$1
  cached "node-$version-$platform" download_node
  node_program=$cache/node-$version-$platform/node_modules/node-$platform/bin/node
}
