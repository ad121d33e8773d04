/** Settings of the topic and of the object store. */
import type { Setting } from './setting.ts';

export const topic = [
  {
    env: 'KAFKA_BROKERS',
    flag: '--brokers',
    value: 'host:port,…',
    section: 'Topic',
    description: 'Kafka brokers. Without them the topic is a log in PostgreSQL',
    schema: (kinds) => kinds.brokers,
    example: 'kafka1:9092,kafka2:9092',
  },
  {
    env: 'KAFKA_TOPIC',
    flag: '--topic',
    value: 'name',
    section: 'Topic',
    description: 'Name of the topic',
    schema: (kinds) => kinds.topicName,
    default: 'visionscale.images',
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

export const objectStore = [
  {
    env: 'VISIONSCALE_STORE',
    flag: '--store',
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
    description: 'Region of the bucket',
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
] as const satisfies readonly Setting[];
