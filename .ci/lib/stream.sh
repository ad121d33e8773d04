# What scripts with a stream of their own share: servers of that name, the settings for a pipeline on them, and their end.
# shellcheck shell=bash disable=SC2034,SC2154 # sourced after common.sh: shares names with its caller

begin_stream() { # begin_stream NAME; sets work
  [ -n "${VISIONSCALE_TEST_DATA:-}" ] || die 'set VISIONSCALE_TEST_DATA to the directory of the test data'
  export VISIONSCALE_CI_RUN=$1
  work=$(mktemp -d "${TMPDIR:-/tmp}/visionscale-$1.XXXXXX")
  trap 'end_stream $?' EXIT
  trap 'exit 130' INT TERM
  .ci/servers start
  eval "$(.ci/servers env)"
  export DATABASE_URL=${VISIONSCALE_TEST_POSTGRES%/*}/$1 KAFKA_BROKERS=$VISIONSCALE_TEST_KAFKA S3_ENDPOINT=$VISIONSCALE_TEST_S3
  export VISIONSCALE_STORE=s3://$1/images VISIONSCALE_WORKERS=1 VISIONSCALE_DATA_DIR=$work/data
  export VISIONSCALE_MODEL=$VISIONSCALE_TEST_DATA/models/squeezenet1_1-imagenet/squeezenet1_1.onnx
}

end_stream() { # end_stream CODE: the logs are kept where something failed, or with KEEP=1
  trap '' EXIT INT TERM
  .ci/servers stop
  if [ "$1" = 0 ] && [ -z "${KEEP:-}" ]; then rm -rf "$work"; else say "logs are in $work"; fi
}
