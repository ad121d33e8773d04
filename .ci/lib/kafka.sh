# Apache Kafka in KRaft combined mode, one broker or three, from its Maven artifacts.
# shellcheck shell=bash disable=SC2034,SC2154 # sourced: shares names with its caller

kafka_version=4.1.0
kafka_home=$cache/kafka-$kafka_version

download_kafka() { # download_kafka DIR
  need java openjdk-17-jre-headless
  need mvn maven
  cat >"$1/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>ci</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$kafka_version</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
POM
  mvn -q -B -ntp -f "$1/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$1"
}

fetch_kafka() { cached "kafka-$kafka_version" download_kafka; }

java_kafka() { # the words that run a Kafka class; the heap is small, the compiler quick to start
  printf '%s\0' java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -Dorg.slf4j.simpleLogger.showDateTime=true -cp "$kafka_home/*" "$@"
}

# Settings of every broker here. Topics are not made by asking for them, so that tests prove `create`.
small_kafka() { # small_kafka NODES
  local copies=$(($1 < 3 ? $1 : 3)) in_sync=1
  [ "$1" -lt 3 ] || in_sync=2
  cat <<PROPERTIES
auto.create.topics.enable=false
default.replication.factor=$copies
min.insync.replicas=$in_sync
offsets.topic.replication.factor=$copies
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=$copies
transaction.state.log.min.isr=$in_sync
transaction.state.log.num.partitions=8
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=8388608
PROPERTIES
}

kafka_cluster_id() { node -p 'crypto.randomBytes(16).toString("base64url").replace(/^-/, "A")'; }

# Starts KAFKA_NODES brokers below RUN.
start_kafka() { # start_kafka RUN; sets kafka_brokers
  local run=$1 nodes=${KAFKA_NODES:-1} cluster node dir voters='' words pids=() formats=() ports
  [[ $nodes =~ ^[1-9]$ ]] || die "KAFKA_NODES is '$nodes'; give a number from 1 to 9"
  read -ra ports <<<"$(spare_ports $((2 * nodes)))"
  cluster=$(kafka_cluster_id)
  kafka_brokers=''
  for ((node = 1; node <= nodes; node++)); do
    kafka_brokers+=${kafka_brokers:+,}$address:${ports[node - 1]}
    voters+=${voters:+,}$node@$address:${ports[nodes + node - 1]}
  done

  for ((node = 1; node <= nodes; node++)); do
    dir=$run/kafka-$node
    mkdir "$dir"
    cat >"$dir/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=$node
controller.quorum.voters=$voters
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://$address:${ports[node - 1]},CONTROLLER://$address:${ports[nodes + node - 1]}
advertised.listeners=PLAINTEXT://$address:${ports[node - 1]}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$dir/data
$(small_kafka "$nodes")
PROPERTIES
    mapfile -d '' words < <(java_kafka kafka.tools.StorageTool format -t "$cluster" -c "$dir/server.properties")
    "${words[@]}" >"$dir/format.log" 2>&1 &
    formats+=($!)
  done
  for ((node = 1; node <= nodes; node++)); do
    wait "${formats[node - 1]}" || die "formatting Kafka's storage failed: $(tail -n 5 "$run/kafka-$node/format.log")"
    dir=$run/kafka-$node
    mapfile -d '' words < <(java_kafka kafka.Kafka "$dir/server.properties")
    launch "$dir" "$dir/log" "${words[@]}"
    pids+=("$launched")
  done
  for ((node = 1; node <= nodes; node++)); do
    await "Kafka broker $node" "${pids[node - 1]}" "$run/kafka-$node/log" \
      node "$here/lib/answers.mjs" kafka "$address:${ports[node - 1]}" "$nodes"
  done
}
