#!/bin/sh
# compose.sh up [FLAG…]     starts the whole system in the background; makes .env first if there is none
# compose.sh down [FLAG…]   ends it; with -v it deletes the data, too
# compose.sh env            makes .env from .env.example, with new secrets
set -eu
cd "$(dirname "$0")"

secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
hash() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1; }

make_env() {
  [ ! -e .env ] || { echo "error: there is a .env already; remove it to make a new one" >&2; exit 1; }
  umask 077
  token=$(secret)
  sed -e "s/^POSTGRES_PASSWORD=$/POSTGRES_PASSWORD=$(secret)/" \
    -e "s/^S3_SECRET_KEY=$/S3_SECRET_KEY=$(secret)/" \
    -e "s/^VISIONSCALE_TOKEN=$/VISIONSCALE_TOKEN=$token/" \
    -e "s/^VISIONSCALE_TOKENS=$/VISIONSCALE_TOKENS=compose:$(printf %s "$token" | hash)/" \
    .env.example >.env.new
  mv .env.new .env
  echo "made $(pwd)/.env with new secrets" >&2
}

command=${1:-}
[ $# = 0 ] || shift
case $command in
  up)
    [ -e .env ] || make_env
    exec docker compose up --detach "$@"
    ;;
  down) exec docker compose down "$@" ;;
  env) make_env ;;
  *)
    sed -n '2,/^set/{/^set/d;s/^# //p}' "$0" >&2
    exit 2
    ;;
esac
