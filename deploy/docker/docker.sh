#!/bin/sh
# docker.sh b [FLAG…]   builds the image visionscale:local
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
case ${1:-} in
  b | build)
    shift
    exec docker build -t visionscale:local -f "$root/deploy/docker/Dockerfile" "$@" "$root"
    ;;
  *)
    sed -n '2,/^set/{/^set/d;s/^# //p}' "$0" >&2
    exit 2
    ;;
esac
