/** Parses flags over environment into a Config; every fault in one message. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { errorMessage, UsageError } from '../base/errors.ts';
import type { ProxySettings } from '../models/pull/download.ts';
import { messageRules } from '../systems/message/rules.ts';
import { parseStoreUrl, type StoreSettings } from '../systems/objects/open.ts';
import type { S3Connection } from '../systems/objects/s3/s3-client.ts';
import { longestTopicName } from '../systems/publish/topics.ts';
import type { Config, TopicSettings } from './config.ts';
import { tracingSettings } from './environment.ts';
import {
  type Environment,
  kafkaProperty,
  propertyName,
  unknownSettings,
  withSecretsFromFiles,
} from './given.ts';
import { httpSettings, remoteSettings } from './http.ts';
import { databaseSettings } from './postgres.ts';
import * as schemas from './settings/schemas.ts';
import { settings, type Values } from './settings/settings.ts';

export type { Environment } from './given.ts';

/** A default goes through its schema like what a user writes. */
const schema = z.object(
  Object.fromEntries(
    settings.map(({ env, schema: schemaOf, default: text }) => {
      const one = schemaOf(schemas);
      return [env, text === undefined ? one.optional() : one.prefault(text)];
    }),
  ),
) as unknown as z.ZodType<Values>;

/** Throws a UsageError that lists every fault. Reads no file but the `*_FILE` ones. */
export function loadConfig(env: Environment): Config {
  const faults: string[] = [...unknownSettings(env)];
  let hint: string | undefined;
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
      // Without one it lies in the data directory, for which this user may have no place.
      const about = parsed.data.VISIONSCALE_STORE === undefined ? '' : `${label('VISIONSCALE_STORE')}: `;
      faults.push(`${about}${errorMessage(error)}`);
      hint = error instanceof UsageError ? error.hint : undefined;
      if (about === '')
        hint ??= 'It lies in the data directory: choose another with --data-dir (VISIONSCALE_DATA_DIR).';
    }
  }
  if (parsed.success && parsed.data.VISIONSCALE_RESULTS_TOPIC) {
    const { length } = parsed.data.KAFKA_TOPIC;
    if (length > longestTopicName) {
      faults.push(
        `${label('KAFKA_TOPIC')} has ${length} characters; with <topic>.results the limit is ${longestTopicName} (or --no-results-topic)`,
      );
    }
  }
  if (!parsed.success || store === undefined || faults.length > 0) {
    throw new UsageError(
      faults.length === 1
        ? faults[0]!
        : `${faults.length} settings are wrong:\n${faults.map((f) => `  ${f}`).join('\n')}`,
      hint,
    );
  }
  const data = parsed.data;
  const dataDir = dataDirectory(data, env);
  return {
    dataDir,
    pipeline: data.VISIONSCALE_PIPELINE,
    logLevel: data.VISIONSCALE_LOG_LEVEL,
    giveUpAfterMs: data.VISIONSCALE_GIVE_UP_AFTER,
    database: databaseSettings(data, dataDir),
    topic: topicSettings(data, given),
    store,
    s3: s3Connection(data, env),
    model: data.VISIONSCALE_MODEL,
    models: data.VISIONSCALE_MODELS
      ? resolve(data.VISIONSCALE_MODELS)
      : join(userDataDirectory(env, '--models (VISIONSCALE_MODELS)'), 'models'),
    proxy: proxySettings(data),
    hub: { endpoint: data.HF_ENDPOINT, ...(data.HF_TOKEN !== undefined && { token: data.HF_TOKEN }) },
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
      retryImageForMs: data.VISIONSCALE_RETRY_IMAGE_FOR,
      stallTimeoutMs: data.VISIONSCALE_STALL_TIMEOUT,
    },
    imageMemoryBytes: data.VISIONSCALE_IMAGE_MEMORY_BYTES,
    modelMemoryBytes: data.VISIONSCALE_MODEL_MEMORY_BYTES,
    messages: messageRules(store, {
      buckets: data.VISIONSCALE_BUCKETS ?? [],
      eventKeys: data.VISIONSCALE_S3_EVENT_KEYS,
      messageRequests: data.VISIONSCALE_MESSAGE_REQUESTS,
    }),
    tracing: tracingSettings(given),
    metrics: { host: data.VISIONSCALE_METRICS_HOST, port: data.VISIONSCALE_METRICS_PORT },
    http: httpSettings(data),
    remote: remoteSettings(data),
  };

  function storeSettings(values: Values): StoreSettings {
    const url = values.VISIONSCALE_STORE ?? pathToFileURL(join(dataDirectory(values, env), 'images')).href;
    const place = parseStoreUrl(url);
    return place.kind === 'file' ? place : { ...place, ...s3Connection(values, env) };
  }
}

function s3Connection(
  values: Values,
  { NODE_EXTRA_CA_CERTS: extraFile = '' }: Environment,
): Pick<S3Connection, 'endpoint' | 'region' | 'credentials' | 'caFiles'> {
  const extra = extraFile === '' ? {} : { NODE_EXTRA_CA_CERTS: extraFile };
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = values;
  const { AWS_SESSION_TOKEN: sessionToken } = values;
  return {
    ...(values.S3_ENDPOINT !== undefined && { endpoint: values.S3_ENDPOINT }),
    ...(values.AWS_REGION !== undefined && { region: values.AWS_REGION }),
    // As in AWS's own tools they replace the usual ones; what was given to Node beside those counts on.
    ...(values.AWS_CA_BUNDLE !== undefined && { caFiles: { AWS_CA_BUNDLE: values.AWS_CA_BUNDLE, ...extra } }),
    // Without both the SDK searches the usual places.
    ...(accessKeyId !== undefined &&
      secretAccessKey !== undefined && {
        credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
      }),
  };
}

function dataDirectory(data: Values, env: Environment): string {
  return data.VISIONSCALE_DATA_DIR
    ? resolve(data.VISIONSCALE_DATA_DIR)
    : userDataDirectory(env, '--data-dir (VISIONSCALE_DATA_DIR)');
}

/** `setting` goes without it. */
function userDataDirectory(env: Environment, setting: string): string {
  const xdg = env['XDG_DATA_HOME'];
  return join(xdg ? resolve(xdg) : join(home(setting), '.local', 'share'), 'visionscale');
}

/** A user without a home, as in some containers, has to say where things go. */
function home(setting: string): string {
  let found = '';
  try {
    found = homedir();
  } catch {
    // no HOME and no entry in the user database
  }
  if (found !== '') return found;
  throw new UsageError('this user has no home directory', `Set HOME, or choose a place with ${setting}.`);
}

function proxySettings(data: Values): ProxySettings {
  return {
    ...(data.HTTP_PROXY !== undefined && { http: data.HTTP_PROXY }),
    ...(data.HTTPS_PROXY !== undefined && { https: data.HTTPS_PROXY }),
    ...(data.NO_PROXY !== undefined && { none: data.NO_PROXY }),
  };
}

function topicSettings(data: Values, env: Environment): TopicSettings {
  const base = { name: data.KAFKA_TOPIC, partitions: data.VISIONSCALE_PARTITIONS };
  if (data.KAFKA_BROKERS === undefined) return { kind: 'embedded', ...base };
  const properties: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(kafkaProperty) || value === undefined) continue;
    properties[propertyName(name)] = value;
  }
  const brokers = data.KAFKA_BROKERS;
  const iam = data.VISIONSCALE_KAFKA_LOGIN === 'aws-iam' && { awsIam: { region: data.AWS_REGION } };
  return { kind: 'kafka', ...base, brokers, properties, ...iam };
}

/** `--flag (NAME)` so that the message fits whichever way the value came. */
function label(env: string): string {
  const flag = settings.find((setting) => setting.env === env)?.flag;
  return flag === undefined ? env : `${env} (${flag})`;
}
