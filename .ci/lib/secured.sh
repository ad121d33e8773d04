# Servers that are reached by TLS only, with certificates made at their start: Kafka with logins and ACLs, PostgreSQL, S3.
# shellcheck shell=bash disable=SC2034,SC2154 # sourced: shares names with its caller

kafka_tools=$cache/kafka-tools-$kafka_version
kafka_users=(admin producer consumer reader nobody)

download_kafka_tools() { # download_kafka_tools DIR: kafka-acls and the like
  need mvn maven
  mvn -q -B -ntp -Dstyle.color=never dependency:copy "-Dartifact=org.apache.kafka:kafka-tools:$kafka_version" -DoutputDirectory="$1"
}

fetch_kafka_tools() { cached "kafka-tools-$kafka_version" download_kafka_tools; }

make_ca() { # make_ca NAME
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=visionscale CI $1" \
    -keyout "$1.key" -out "$1.pem" 2>>openssl.log
}

make_certificate() { # make_certificate NAME CA DAYS CN [SANS]
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$4" -keyout "$1.key" -out "$1.csr" 2>>openssl.log
  openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -days "$3" -out "$1.pem" \
    ${5:+-extfile <(printf 'subjectAltName=%s\n' "$5")} 2>>openssl.log
  rm "$1.csr"
}

# Of a server: right, with another name, expired. Of a client, in Kafka by its CN: one a user, of another authority, expired.
make_certificates() { # make_certificates DIR
  local user sans=DNS:localhost,IP:127.0.0.1
  [ "$address" = 127.0.0.1 ] || sans+=,IP:$address
  mkdir "$1"
  (
    umask 077
    cd "$1"
    make_ca ca
    make_ca wrong-ca
    make_certificate server ca 30 localhost "$sans"
    make_certificate server-wrong-name ca 30 elsewhere.example DNS:elsewhere.example
    make_certificate server-expired ca -1 localhost "$sans"
    for user in "${kafka_users[@]}" visionscale_cert; do make_certificate "client-$user" ca 30 "$user"; done
    make_certificate client-wrong-ca wrong-ca 30 admin
    make_certificate client-expired ca -1 admin
    cat server.key server.pem >server.keystore
  ) || die "making the certificates failed: $(tail -n 5 "$1/openssl.log")"
}

# Clients get the address of the listener they came by: with a SCRAM login, with a certificate, with an unsecured token. Only the
# broker itself, and who sets ACLs, comes by the one in plain text, on loopback.
start_secured_kafka() { # start_secured_kafka DIR CERTIFICATES; sets secured_kafka
  local dir=$1 certificates=$2 words user password scrams=() users='' scram mtls oauth internal controller
  read -r scram mtls oauth internal controller <<<"$(spare_ports 5)"
  mkdir "$dir"
  cat >"$dir/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
controller.listener.names=CONTROLLER
inter.broker.listener.name=INTERNAL
listeners=SCRAM://$address:$scram,MTLS://$address:$mtls,OAUTH://$address:$oauth,INTERNAL://127.0.0.1:$internal,CONTROLLER://127.0.0.1:$controller
advertised.listeners=SCRAM://$secured_host:$scram,MTLS://$secured_host:$mtls,OAUTH://$secured_host:$oauth,INTERNAL://127.0.0.1:$internal
listener.security.protocol.map=SCRAM:SASL_SSL,MTLS:SSL,OAUTH:SASL_SSL,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
listener.name.scram.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.scram.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.oauth.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.oauth.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;
listener.name.mtls.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=([^,]+)\$/\$1/,DEFAULT
ssl.keystore.type=PEM
ssl.keystore.location=$certificates/server.keystore
ssl.truststore.type=PEM
ssl.truststore.location=$certificates/ca.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:ANONYMOUS;User:admin
log.dirs=$dir/data
$(small_kafka 1)
PROPERTIES
  for user in "${kafka_users[@]}"; do
    password=$(random_hex)
    scrams+=(--add-scram "SCRAM-SHA-512=[name=$user,password=$password]")
    users+="${users:+, }\"$user\": \"$password\""
  done
  mapfile -d '' words < <(java_kafka kafka.tools.StorageTool format -t "$(kafka_cluster_id)" -c "$dir/server.properties" "${scrams[@]}")
  "${words[@]}" >"$dir/format.log" 2>&1 || die "formatting Kafka's storage failed: $(tail -n 5 "$dir/format.log")"
  mapfile -d '' words < <(java_kafka kafka.Kafka "$dir/server.properties")
  launch "$dir" "$dir/log" "${words[@]}"
  await 'secured Kafka' "$launched" "$dir/log" node "$here/lib/answers.mjs" kafka "127.0.0.1:$internal" 1
  secured_kafka=$(
    cat <<JSON
{
    "scram": "$secured_host:$scram", "mtls": "$secured_host:$mtls", "oauth": "$secured_host:$oauth",
    "users": { $users },
    "acls": ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", "$kafka_home/*:$kafka_tools/*", "org.apache.kafka.tools.AclCommand", "--bootstrap-server", "127.0.0.1:$internal"]
  }
JSON
  )
}

# Takes nothing without TLS; the role visionscale_cert comes with a certificate and no password.
start_secured_postgres() { # start_secured_postgres DIR CERTIFICATES; sets postgres_url
  local dir=$1
  mkdir "$dir"
  cat >"$dir/hba.conf" <<HBA
hostssl all visionscale_cert all cert
hostssl all all all scram-sha-256
HBA
  install -m 600 "$2/server.pem" "$2/server.key" "$2/ca.pem" "$dir"
  launch_postgres "$dir" -c hba_file="$dir/hba.conf" -c ssl=on -c ssl_cert_file="$dir/server.pem" \
    -c ssl_key_file="$dir/server.key" -c ssl_ca_file="$dir/ca.pem"
  postgres_url=${postgres_url/@$address/@$secured_host}
  psql "$postgres_url" -qc 'create role visionscale_cert login createdb' >&2
}

start_secured() { # start_secured RUN: writes RUN/secured/servers.json
  local run=$1/secured part certificates=$1/secured/certificates secured_host=localhost
  [ "$address" = 127.0.0.1 ] || secured_host=$address
  rm -rf "$run" # of a start that failed
  mkdir "$run"
  make_certificates "$certificates"
  s3_access=ci$(random_hex)
  s3_secret=$(random_hex)
  NODE_EXTRA_CA_CERTS=$certificates/ca.pem launch_versitygw "$run/s3" --cert "$certificates/server.pem" --key "$certificates/server.key"
  start_secured_postgres "$run/postgres" "$certificates"
  start_secured_kafka "$run/kafka" "$certificates"
  (umask 077 && cat >"$run/servers.json.part") <<JSON
{
  "certificates": "$certificates",
  "kafka": $secured_kafka,
  "postgres": "$postgres_url",
  "s3": { "endpoint": "$s3_endpoint", "accessKeyId": "$s3_access", "secretAccessKey": "$s3_secret" }
}
JSON
  mv "$run/servers.json.part" "$run/servers.json"
}
