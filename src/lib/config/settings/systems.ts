/** Settings of PostgreSQL, under the names that libpq gives them, of the topic and of the object store. */
import type { Setting } from './setting.ts';

export const databaseRows = [
  {
    env: 'DATABASE_URL',
    section: 'PostgreSQL',
    description: 'The PostgreSQL server. Without it and without PG*, an embedded PostgreSQL is used',
    schema: (kinds) => kinds.databaseUrl,
    example: 'postgres://visionscale:password@db.example:5432/my_db',
    secret: true,
  },
  {
    env: 'PGHOST',
    section: 'PostgreSQL',
    description: 'Host of the server, instead of DATABASE_URL',
    schema: (kinds) => kinds.text,
    example: 'db.example',
  },
  {
    env: 'PGPORT',
    section: 'PostgreSQL',
    description: 'Port of the server',
    schema: (kinds) => kinds.wholeNumber(1, 65535),
    otherwise: '5432',
  },
  {
    env: 'PGUSER',
    section: 'PostgreSQL',
    description: 'User',
    schema: (kinds) => kinds.text,
    otherwise: 'the operating system user',
  },
  {
    env: 'PGPASSWORD',
    section: 'PostgreSQL',
    description: 'Password',
    schema: (kinds) => kinds.text,
    secret: true,
  },
  {
    env: 'VISIONSCALE_DATABASE_LOGIN',
    section: 'PostgreSQL',
    description:
      'password, or aws-iam: a password for RDS that this host’s AWS credentials sign, for a user with rds_iam',
    schema: (kinds) => kinds.oneOf(['password', 'aws-iam']),
    default: 'password',
  },
  {
    env: 'PGDATABASE',
    section: 'PostgreSQL',
    description: 'Database, also where DATABASE_URL names none',
    schema: (kinds) => kinds.text,
    otherwise: 'my_db',
  },
  {
    env: 'PGSSLMODE',
    section: 'PostgreSQL',
    description:
      'disable, allow, prefer, require (checks the certificate where PGSSLROOTCERT is set), verify-ca or verify-full; the same as sslmode in DATABASE_URL',
    schema: (kinds) => kinds.sslMode,
    otherwise: 'disable',
  },
  {
    env: 'PGSSLROOTCERT',
    section: 'PostgreSQL',
    description: 'File with the certificate authority of the server',
    schema: (kinds) => kinds.text,
    example: '/etc/ssl/db-ca.pem',
  },
  {
    env: 'PGSSLCERT',
    section: 'PostgreSQL',
    description:
      'File with this client’s certificate, where the server asks for one; the same as sslcert in DATABASE_URL. Not in .env',
    schema: (kinds) => kinds.text,
    otherwise: '~/.postgresql/postgresql.crt, if it is there',
    example: '/etc/ssl/visionscale.pem',
  },
  {
    env: 'PGSSLKEY',
    section: 'PostgreSQL',
    description:
      'File with the key of that certificate, not encrypted; the same as sslkey in DATABASE_URL. Not in .env',
    schema: (kinds) => kinds.text,
    otherwise: '~/.postgresql/postgresql.key',
    example: '/etc/ssl/visionscale.key',
  },
  {
    env: 'PGOPTIONS',
    section: 'PostgreSQL',
    description:
      'Session settings, as `options` in DATABASE_URL, such as a schema for each of several installations in one database',
    schema: (kinds) => kinds.text,
    example: '-csearch_path=line_2',
  },
] as const satisfies readonly Setting[];

// Settings of the topic and of the object store.

export const topicRows = [
  {
    env: 'KAFKA_BROKERS',
    flag: '--brokers',
    common: true,
    value: 'host:port,…',
    section: 'Topic',
    description: 'Kafka brokers. Without them the topic is a log in PostgreSQL',
    schema: (kinds) => kinds.brokers,
    example: 'kafka1:9092,kafka2:9092',
  },
  {
    env: 'KAFKA_TOPIC',
    flag: '--topic',
    common: true,
    value: 'name',
    section: 'Topic',
    description: 'Name of the topic',
    schema: (kinds) => kinds.topicName,
    default: 'visionscale.images',
  },
  {
    env: 'VISIONSCALE_KAFKA_LOGIN',
    section: 'Topic',
    description:
      'properties (KAFKA_CONF_…), or aws-iam: tokens for MSK that this host’s AWS credentials sign',
    schema: (kinds) => kinds.oneOf(['properties', 'aws-iam']),
    default: 'properties',
  },
  {
    env: 'VISIONSCALE_PARTITIONS',
    flag: '--partitions',
    value: 'n',
    section: 'Topic',
    description: 'Number of partitions when the topic is created',
    schema: (kinds) => kinds.wholeNumber(1, 1000),
    default: '3',
  },
] as const satisfies readonly Setting[];

export const objectStoreRows = [
  {
    env: 'VISIONSCALE_STORE',
    flag: '--store',
    common: true,
    value: 'url',
    section: 'Object store',
    description: 'Where the images are: s3://bucket/prefix or file:///dir',
    schema: (kinds) => kinds.text,
    otherwise: 'images/ in the data directory',
  },
  {
    env: 'S3_ENDPOINT',
    section: 'Object store',
    description: 'An S3-compatible server instead of AWS',
    schema: (kinds) => kinds.httpUrl,
    example: 'http://127.0.0.1:9000',
  },
  {
    env: 'AWS_REGION',
    section: 'Object store',
    description: 'Region of the bucket, and of logins by aws-iam where the server’s name does not say it',
    schema: (kinds) => kinds.text,
    otherwise: 'us-east-1 with S3_ENDPOINT',
  },
  {
    env: 'AWS_ACCESS_KEY_ID',
    section: 'Object store',
    description: 'Access key. Without one the usual AWS places are searched (profile, instance role)',
    schema: (kinds) => kinds.text,
    secret: true,
  },
  {
    env: 'AWS_SECRET_ACCESS_KEY',
    section: 'Object store',
    description: 'Secret of the access key',
    schema: (kinds) => kinds.text,
    secret: true,
  },
  {
    env: 'AWS_SESSION_TOKEN',
    section: 'Object store',
    description: 'Token of temporary credentials',
    schema: (kinds) => kinds.text,
    secret: true,
  },
  {
    env: 'AWS_CA_BUNDLE',
    section: 'Object store',
    description:
      'File with the authorities (PEM) that may sign the server’s certificate, instead of those that Node trusts; NODE_EXTRA_CA_CERTS counts too. Not in .env',
    schema: (kinds) => kinds.text,
    otherwise: 'what Node trusts',
    example: '/etc/ssl/private-ca.pem',
  },
] as const satisfies readonly Setting[];
