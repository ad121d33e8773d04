/** Settings of `consume`, and of what every long-running command shows of itself. */
import { durationText } from '../../base/duration.ts';
import { defaultMessageRequests, eventKeyForms } from '../../systems/message/rules.ts';
import type { Setting } from './setting.ts';

/** How long what may pass is waited for, in milliseconds. */
export interface Endurance {
  /** An object may be missing for so long behind its message. */
  notFoundGraceMs: number;
  /** One object may go on failing for so long while others succeed. */
  retryImageForMs: number;
  /** Messages wait, nothing is recorded, no cause is known: the process gives up after this. 0: never. */
  stallTimeoutMs: number;
}

/** What the settings say where nobody says otherwise. */
export const defaultEndurance: Endurance = {
  notFoundGraceMs: 2000,
  retryImageForMs: 15 * 60_000,
  stallTimeoutMs: 60_000,
};
export const defaultImageMemoryBytes = 256 * 1024 ** 2;
export const defaultModelMemoryBytes = 1024 ** 3;

export const consumeRows = [
  {
    env: 'VISIONSCALE_PARTITION',
    section: 'Consume',
    description: 'Partition to consume when --partition is not given',
    schema: (kinds) => kinds.wholeNumber(0, 999_999),
    otherwise: 'every partition that nobody owns',
    example: '0',
  },
  {
    env: 'VISIONSCALE_DEADLINE',
    flag: '--deadline',
    value: 'time',
    section: 'Consume',
    description: 'Longest time from capture to row. An image that takes longer goes to the manual bin',
    schema: (kinds) => kinds.durationAbove0,
    otherwise: 'none',
    example: '1500ms',
  },
  {
    env: 'VISIONSCALE_RESULTS_TOPIC',
    flag: '--no-results-topic',
    flagDescription: 'Do not publish results and dead letters',
    section: 'Consume',
    description: 'Publish results to <topic>.results and dead letters to <topic>.dead (true or false)',
    schema: (kinds) => kinds.trueOrFalse,
    default: 'true',
  },
  {
    env: 'VISIONSCALE_STALL_TIMEOUT',
    flag: '--stall-timeout',
    value: 'time',
    section: 'Consume',
    description:
      'Exit with a diagnosis when messages wait, nothing was recorded for this long and no external cause is known, so that a supervisor restarts it. 0: never',
    schema: (kinds) => kinds.duration,
    default: durationText(defaultEndurance.stallTimeoutMs),
  },
  {
    env: 'VISIONSCALE_NOT_FOUND_GRACE',
    flag: '--not-found-grace',
    value: 'time',
    section: 'Consume',
    description: 'How long to wait for an object that its message precedes, before it is a dead letter',
    schema: (kinds) => kinds.duration,
    default: durationText(defaultEndurance.notFoundGraceMs),
  },
  {
    env: 'VISIONSCALE_RETRY_IMAGE_FOR',
    flag: '--retry-image-for',
    value: 'time',
    section: 'Consume',
    description: 'How long to retry an object that fails while others succeed, before it is a dead letter',
    schema: (kinds) => kinds.duration,
    default: durationText(defaultEndurance.retryImageForMs),
  },
  {
    env: 'VISIONSCALE_IMAGE_MEMORY_BYTES',
    section: 'Consume',
    description: 'Most bytes of encoded images in memory at a time',
    schema: (kinds) => kinds.wholeNumber(1, 2 ** 40),
    default: String(defaultImageMemoryBytes),
  },
  {
    env: 'VISIONSCALE_MODEL_MEMORY_BYTES',
    section: 'Consume',
    description:
      'Most memory for models of belts beside the pipeline’s own. A process of a model is reckoned as 80 MiB and five times its weights; one such model is held whatever it takes',
    schema: (kinds) => kinds.wholeNumber(1, 2 ** 40),
    default: String(defaultModelMemoryBytes),
  },
  {
    env: 'VISIONSCALE_BUCKETS',
    flag: '--buckets',
    value: 'a,b',
    section: 'Consume',
    description:
      'Buckets beside the store’s whose images S3 events may name, read with the same S3 settings. Events of others become dead letters',
    schema: (kinds) => kinds.bucketNames,
    otherwise: 'none',
    example: 'camera-1,camera-2',
  },
  {
    env: 'VISIONSCALE_S3_EVENT_KEYS',
    flag: '--s3-event-keys',
    value: 'form',
    choices: eventKeyForms,
    section: 'Consume',
    description:
      'How S3 events write keys: encoded (as AWS and MinIO do), raw, or auto (raw from Ceph and versitygw, else encoded)',
    schema: (kinds) => kinds.eventKeyForm,
    default: 'auto',
  },
  {
    env: 'VISIONSCALE_MESSAGE_REQUESTS',
    flag: '--message-requests',
    value: 'n',
    section: 'Consume',
    description:
      'Most images that one message (an S3 event with several records) may ask for. A message that asks for more becomes one dead letter',
    schema: (kinds) => kinds.wholeNumber(1, 10_000),
    default: String(defaultMessageRequests),
  },
] as const satisfies readonly Setting[];

export const metricsRows = [
  {
    env: 'VISIONSCALE_METRICS_PORT',
    flag: '--metrics-port',
    common: true,
    value: 'n',
    section: 'Metrics',
    description:
      'Port for Prometheus metrics (/metrics), /healthz and /readyz; another one for each process of a host. 0: any free port',
    schema: (kinds) => kinds.wholeNumber(0, 65535),
    otherwise: 'no metrics',
    example: '9464',
  },
  {
    env: 'VISIONSCALE_METRICS_HOST',
    flag: '--metrics-host',
    common: true,
    value: 'address',
    section: 'Metrics',
    description: 'Address to serve metrics on',
    schema: (kinds) => kinds.text,
    default: '127.0.0.1',
  },
  {
    env: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    section: 'Metrics',
    description:
      'Where consumers send traces. Needs the package @opentelemetry/sdk-node, which also reads the other OTEL_* variables',
    schema: (kinds) => kinds.text,
    example: 'http://127.0.0.1:4318',
  },
] as const satisfies readonly Setting[];
