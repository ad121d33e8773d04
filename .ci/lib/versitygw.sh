# An S3 server: versitygw on a directory, built with Go.
# shellcheck shell=bash disable=SC2034,SC2154 # sourced: shares names with its caller

versitygw_version=1.8.0
versitygw=$cache/versitygw-$versitygw_version/versitygw

build_versitygw() { # build_versitygw DIR
  need go 'golang-go, 1.21 or later'
  say "building versitygw $versitygw_version (3 minutes the first time)"
  GOBIN=$1 go install "github.com/versity/versitygw/cmd/versitygw@v$versitygw_version"
}

fetch_versitygw() { cached "versitygw-$versitygw_version" build_versitygw; }

# Object metadata goes into extended attributes, or into files beside the objects where the file system has none.
launch_versitygw() { # launch_versitygw DIR FLAG...; takes s3_access and s3_secret, sets s3_endpoint
  local dir=$1 port sidecar=()
  shift
  port=$(spare_ports 1)
  mkdir -p "$dir/objects"
  if ! python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.test", b"1")' "$dir" 2>/dev/null; then
    mkdir "$dir/metadata"
    sidecar=(--sidecar "$dir/metadata")
  fi
  s3_endpoint=http://$address:$port
  [[ " $* " != *' --cert '* ]] || s3_endpoint=https://${secured_host}:$port
  launch "$dir" "$dir/log" env ROOT_ACCESS_KEY="$s3_access" ROOT_SECRET_KEY="$s3_secret" \
    "$versitygw" --port "$address:$port" --keep-alive --quiet "$@" posix "${sidecar[@]}" "$dir/objects"
  await versitygw "$launched" "$dir/log" node "$here/lib/answers.mjs" http "$s3_endpoint/"
}

start_versitygw() { # start_versitygw RUN; sets s3_endpoint, s3_access, s3_secret
  s3_access=ci$(random_hex)
  s3_secret=$(random_hex)
  launch_versitygw "$1/s3"
}

# Another one, with the same credentials, that tells a Kafka topic of every object. The topic must exist.
start_event_gateway() { # start_event_gateway RUN TOPIC; prints its endpoint
  local dir
  dir=$(mktemp -d "$1/s3-events.XXXXXX")
  s3_access=$AWS_ACCESS_KEY_ID s3_secret=$AWS_SECRET_ACCESS_KEY
  launch_versitygw "$dir" --event-kafka-url "${VISIONSCALE_TEST_KAFKA%%,*}" --event-kafka-topic "$2"
  echo "$s3_endpoint"
}
