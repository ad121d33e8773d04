/** Parses flags over environment into a Config; every fault in one message. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { errorMessage, UsageError } from '../base/errors.ts';
import { devices, engineNames } from '../models/classifier/classifier.ts';
import { defaultMaxWorkMs } from '../models/images/limits.ts';
import type { ProxySettings } from '../models/pull/download.ts';
import { defaultMessageRequests, eventKeyForms, messageRules } from '../systems/message/rules.ts';
import { isBucketName, parseStoreUrl, type StoreSettings } from '../systems/objects/open.ts';
import type { S3Connection } from '../systems/objects/s3/s3-client.ts';
import { longestTopicName } from '../systems/publish/topics.ts';
import type { Config, TopicSettings } from './config.ts';
import { durationMs } from './duration.ts';
import { defaultEndurance, defaultImageMemoryBytes } from './endurance.ts';
import {
  type Environment,
  kafkaProperty,
  propertyName,
  unknownSettings,
  withSecretsFromFiles,
} from './given.ts';
import { httpSettings, remoteSettings, parseOrigins, parseServerUrl, parseTokens } from './http.ts';
import { databaseSettings, sslModes, withHost } from './postgres.ts';
import { settings } from './settings.ts';
import { tracingSettings } from './tracing.ts';

export type { Environment } from './given.ts';

const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine((n) => n >= least && n <= most, `must be a whole number from ${least} to ${most}`);

const duration = z
  .string()
  .refine((text) => durationMs(text) !== undefined, 'must be a duration such as 500ms, 30s, 15m or 1h')
  .transform((text) => durationMs(text)!);

/** A value with a grammar of its own, whose parser throws an Error that says what is wrong without repeating a secret. */
const parsedBy = <T>(parse: (text: string) => T) =>
  z.string().transform((text, context) => {
    try {
      return parse(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: errorMessage(error) });
      return z.NEVER;
    }
  });

const oneOf = (names: readonly string[]) => names.join(', ').replace(/, ([^,]*)$/, ' or $1');

const topicName = z
  .string()
  .regex(/^[a-zA-Z0-9._-]{1,249}$/, 'must be 1 to 249 of the characters a-z A-Z 0-9 . _ -')
  .refine((name) => name !== '.' && name !== '..', 'must not be . or ..');

const schema = z.object({
  VISIONSCALE_DATA_DIR: z.string().optional(),
  VISIONSCALE_PIPELINE: z
    .string()
    .regex(/^[\w.-]{1,200}$/, 'must be 1 to 200 of the characters a-z A-Z 0-9 . _ -')
    .default('default'),
  VISIONSCALE_LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      error: 'must be trace, debug, info, warn, error, fatal or silent',
    })
    .default('info'),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must begin with postgres:// or postgresql://')
    .refine(
      (url) => URL.canParse(withHost(url)),
      'is not a valid URL (special characters in the password are percent-encoded)',
    )
    .optional(),
  PGHOST: z.string().optional(),
  PGPORT: wholeNumber(1, 65535).optional(),
  PGUSER: z.string().optional(),
  PGPASSWORD: z.string().optional(),
  PGDATABASE: z.string().optional(),
  PGSSLMODE: z.enum(sslModes, { error: `must be ${oneOf(sslModes)}` }).optional(),
  PGSSLROOTCERT: z.string().optional(),
  PGOPTIONS: z.string().optional(),
  KAFKA_BROKERS: z
    .string()
    .regex(/^[^\s,]+:\d+(\s*,\s*[^\s,]+:\d+)*$/, 'must be host:port, or several separated by commas')
    .optional(),
  KAFKA_TOPIC: topicName.default('visionscale.images'),
  VISIONSCALE_PARTITIONS: wholeNumber(1, 1000).default(3),
  VISIONSCALE_STORE: z.string().optional(),
  S3_ENDPOINT: z
    .string()
    .refine((url) => /^https?:\/\//.test(url) && URL.canParse(url), 'must be an http:// or https:// URL')
    .optional(),
  AWS_REGION: z.string().optional(),
  AWS_ACCESS_KEY_ID: z.string().optional(),
  AWS_SECRET_ACCESS_KEY: z.string().optional(),
  AWS_SESSION_TOKEN: z.string().optional(),
  VISIONSCALE_MODEL: z.string().optional(),
  VISIONSCALE_MODELS: z.string().optional(),
  // Other programs' too: checked only when something is downloaded.
  HTTP_PROXY: z.string().optional(),
  HTTPS_PROXY: z.string().optional(),
  NO_PROXY: z.string().optional(),
  VISIONSCALE_ENGINE: z
    .enum(['auto', ...engineNames], { error: `must be auto, ${oneOf(engineNames)}` })
    .default('auto'),
  VISIONSCALE_DEVICE: z.enum(devices, { error: `must be ${oneOf(devices)}` }).default('cpu'),
  VISIONSCALE_WORKERS: wholeNumber(1, 256).optional(),
  VISIONSCALE_AUTO_ORIENT: z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .default('true')
    .transform((text) => text === 'true'),
  VISIONSCALE_PREPROCESS: z.enum(['exact', 'fast'], { error: 'must be exact or fast' }).default('exact'),
  VISIONSCALE_MAX_IMAGE_BYTES: wholeNumber(1, 1024 ** 3).default(64 * 1024 ** 2),
  VISIONSCALE_MAX_IMAGE_PIXELS: wholeNumber(1, 1_000_000_000).default(50_000_000),
  VISIONSCALE_IMAGE_TIMEOUT: duration.refine((ms) => ms > 0, 'must be above 0').default(defaultMaxWorkMs),
  IMG_DIR: z.string().optional(),
  TRAINING_DATA_DIR: z.string().optional(),
  CLASS_NAMES: z
    .string()
    .transform((text) => text.split(',').map((name) => name.trim()))
    .refine((names) => !names.includes(''), 'must be names separated by commas')
    .optional(),
  VISIONSCALE_PARTITION: wholeNumber(0, 999_999).optional(),
  VISIONSCALE_DEADLINE: duration.refine((ms) => ms > 0, 'must be above 0').optional(),
  VISIONSCALE_RESULTS_TOPIC: z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .default('true')
    .transform((text) => text === 'true'),
  VISIONSCALE_NOT_FOUND_GRACE: duration.default(defaultEndurance.notFoundGraceMs),
  VISIONSCALE_GIVE_UP_AFTER: duration.default(defaultEndurance.giveUpAfterMs),
  VISIONSCALE_STALL_TIMEOUT: duration.default(defaultEndurance.stallTimeoutMs),
  VISIONSCALE_IMAGE_MEMORY_BYTES: wholeNumber(1, 2 ** 40).default(defaultImageMemoryBytes),
  VISIONSCALE_BUCKETS: z
    .string()
    .transform((text) => text.split(',').map((name) => name.trim()))
    .refine((names) => names.every(isBucketName), 'must be bucket names separated by commas')
    .default([]),
  VISIONSCALE_S3_EVENT_KEYS: z
    .enum(eventKeyForms, { error: `must be ${oneOf(eventKeyForms)}` })
    .default('auto'),
  VISIONSCALE_MESSAGE_REQUESTS: wholeNumber(1, 10_000).default(defaultMessageRequests),
  VISIONSCALE_METRICS_PORT: wholeNumber(0, 65535).optional(),
  VISIONSCALE_METRICS_HOST: z.string().default('127.0.0.1'),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.string().optional(),
  VISIONSCALE_HTTP_HOST: z.string().default('127.0.0.1'),
  VISIONSCALE_HTTP_PORT: wholeNumber(0, 65535).default(8080),
  VISIONSCALE_TOKENS: parsedBy(parseTokens).default([]),
  VISIONSCALE_CORS: parsedBy(parseOrigins).default([]),
  VISIONSCALE_RATE_LIMIT: wholeNumber(0, 1_000_000).default(0),
  VISIONSCALE_INGEST: z.enum(['store', 'inline'], { error: 'must be store or inline' }).default('store'),
  VISIONSCALE_MAX_INLINE: wholeNumber(1, 100_000_000).default(900_000),
  VISIONSCALE_MAX_IN_FLIGHT: wholeNumber(1, 10_000).default(64),
  VISIONSCALE_DRAIN_DELAY: duration.default(0),
  VISIONSCALE_SERVER: parsedBy(parseServerUrl).optional(),
  VISIONSCALE_TOKEN: z.string().optional(),
});

type Parsed = z.infer<typeof schema>;

/** Throws a UsageError that lists every fault. Reads no file but the `*_FILE` ones. */
export function loadConfig(env: Environment): Config {
  const faults: string[] = [...unknownSettings(env)];
  const given = withSecretsFromFiles(env, faults);
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) faults.push(`${label(String(issue.path[0]))} ${issue.message}`);
  }
  let store: StoreSettings | undefined;
  if (parsed.success) {
    try {
      store = storeSettings(parsed.data);
    } catch (error) {
      faults.push(`${label('VISIONSCALE_STORE')}: ${errorMessage(error)}`);
    }
  }
  if (parsed.success && parsed.data.VISIONSCALE_RESULTS_TOPIC) {
    const { length } = parsed.data.KAFKA_TOPIC;
    if (length > longestTopicName) {
      faults.push(
        `${label('KAFKA_TOPIC')} has ${length} characters; with <topic>.results ${longestTopicName} are the most (or --no-results-topic)`,
      );
    }
  }
  if (!parsed.success || store === undefined || faults.length > 0) {
    throw new UsageError(
      faults.length === 1
        ? faults[0]!
        : `${faults.length} settings are wrong:\n${faults.map((f) => `  ${f}`).join('\n')}`,
    );
  }
  const data = parsed.data;
  const dataDir = dataDirectory(data, env);
  return {
    dataDir,
    pipeline: data.VISIONSCALE_PIPELINE,
    logLevel: data.VISIONSCALE_LOG_LEVEL,
    database: databaseSettings(data, dataDir),
    topic: topicSettings(data, given),
    store,
    s3: s3Connection(data),
    model: data.VISIONSCALE_MODEL,
    models: data.VISIONSCALE_MODELS
      ? resolve(data.VISIONSCALE_MODELS)
      : join(userDataDirectory(env), 'models'),
    proxy: proxySettings(data),
    engine: data.VISIONSCALE_ENGINE,
    device: data.VISIONSCALE_DEVICE,
    workers: data.VISIONSCALE_WORKERS,
    autoOrient: data.VISIONSCALE_AUTO_ORIENT,
    preprocess: data.VISIONSCALE_PREPROCESS,
    limits: {
      maxBytes: data.VISIONSCALE_MAX_IMAGE_BYTES,
      maxPixels: data.VISIONSCALE_MAX_IMAGE_PIXELS,
      maxWorkMs: data.VISIONSCALE_IMAGE_TIMEOUT,
    },
    imageDir: data.IMG_DIR,
    trainingDir: data.TRAINING_DATA_DIR,
    classNames: data.CLASS_NAMES,
    partition: data.VISIONSCALE_PARTITION,
    deadlineMs: data.VISIONSCALE_DEADLINE,
    resultsTopic: data.VISIONSCALE_RESULTS_TOPIC,
    endurance: {
      notFoundGraceMs: data.VISIONSCALE_NOT_FOUND_GRACE,
      giveUpAfterMs: data.VISIONSCALE_GIVE_UP_AFTER,
      stallTimeoutMs: data.VISIONSCALE_STALL_TIMEOUT,
    },
    imageMemoryBytes: data.VISIONSCALE_IMAGE_MEMORY_BYTES,
    messages: messageRules(store, {
      buckets: data.VISIONSCALE_BUCKETS,
      eventKeys: data.VISIONSCALE_S3_EVENT_KEYS,
      messageRequests: data.VISIONSCALE_MESSAGE_REQUESTS,
    }),
    tracing: tracingSettings(given),
    metrics: { host: data.VISIONSCALE_METRICS_HOST, port: data.VISIONSCALE_METRICS_PORT },
    http: httpSettings(data),
    remote: remoteSettings(data),
  };

  function storeSettings(values: Parsed): StoreSettings {
    const url = values.VISIONSCALE_STORE ?? pathToFileURL(join(dataDirectory(values, env), 'images')).href;
    const place = parseStoreUrl(url);
    return place.kind === 'file' ? place : { ...place, ...s3Connection(values) };
  }
}

function s3Connection(values: Parsed): Pick<S3Connection, 'endpoint' | 'region' | 'credentials'> {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = values;
  const { AWS_SESSION_TOKEN: sessionToken } = values;
  return {
    ...(values.S3_ENDPOINT !== undefined && { endpoint: values.S3_ENDPOINT }),
    ...(values.AWS_REGION !== undefined && { region: values.AWS_REGION }),
    // Without both the SDK searches the usual places.
    ...(accessKeyId !== undefined &&
      secretAccessKey !== undefined && {
        credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
      }),
  };
}

function dataDirectory(data: Parsed, env: Environment): string {
  return data.VISIONSCALE_DATA_DIR ? resolve(data.VISIONSCALE_DATA_DIR) : userDataDirectory(env);
}

function userDataDirectory(env: Environment): string {
  const xdg = env['XDG_DATA_HOME'];
  return join(xdg ? resolve(xdg) : join(home(), '.local', 'share'), 'visionscale');
}

/** A user without a home, as in some containers, has to say where things go. */
function home(): string {
  let found = '';
  try {
    found = homedir();
  } catch {
    // no HOME and no entry in the user database
  }
  if (found !== '') return found;
  throw new UsageError(
    'this user has no home directory',
    'Say where data goes: --data-dir (VISIONSCALE_DATA_DIR).',
  );
}

function proxySettings(data: Parsed): ProxySettings {
  return {
    ...(data.HTTP_PROXY !== undefined && { http: data.HTTP_PROXY }),
    ...(data.HTTPS_PROXY !== undefined && { https: data.HTTPS_PROXY }),
    ...(data.NO_PROXY !== undefined && { none: data.NO_PROXY }),
  };
}

function topicSettings(data: Parsed, env: Environment): TopicSettings {
  const base = { name: data.KAFKA_TOPIC, partitions: data.VISIONSCALE_PARTITIONS };
  if (data.KAFKA_BROKERS === undefined) return { kind: 'embedded', ...base };
  const properties: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(kafkaProperty) || value === undefined) continue;
    properties[propertyName(name)] = value;
  }
  return { kind: 'kafka', ...base, brokers: data.KAFKA_BROKERS.replaceAll(/\s/g, ''), properties };
}

/** `--flag (NAME)` so that the message fits whichever way the value came. */
function label(env: string): string {
  const setting = settings.find((s) => s.env === env);
  return setting && 'flag' in setting ? `${env} (${setting.flag})` : env;
}
