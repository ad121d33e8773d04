/** What the settings mean, parsed: the only form in which the rest of the code sees them. */
import type { Endurance } from '../consume/deps.ts';
import type { Device, EngineName } from '../classifier/classifier.ts';
import type { DatabaseSettings } from '../database/open.ts';
import type { ImageLimits } from '../images/limits.ts';
import type { MessageRules } from '../message/rules.ts';
import type { PreprocessMode } from '../images/prepare.ts';
import type { StoreSettings } from '../objects/open.ts';
import type { S3Connection } from '../objects/s3-client.ts';
import type { HttpSettings, RemoteSettings } from './http.ts';
import type { TracingSettings } from './tracing.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

export type TopicSettings =
  | { kind: 'embedded'; name: string; partitions: number }
  | { kind: 'kafka'; name: string; partitions: number; brokers: string; properties: Record<string, string> };

/** Addresses of proxies (they may hold a password), and the hosts that need none. */
export interface ProxySettings {
  http?: string;
  https?: string;
  none?: string;
}

/** Where a process shows its metrics; port undefined: nowhere, 0: any free one. */
export interface MetricsSettings {
  host: string;
  port: number | undefined;
}

export interface Config {
  dataDir: string;
  pipeline: string;
  logLevel: LogLevel;
  database: DatabaseSettings;
  topic: TopicSettings;
  store: StoreSettings;
  /** Endpoint and credentials for buckets other than the store's. */
  s3: S3Connection;
  /** A path, or a name, version or digest in the store; undefined: the store's active model. */
  model: string | undefined;
  /** Directory of the model store. */
  models: string;
  /** For downloads. */
  proxy: ProxySettings;
  engine: 'auto' | EngineName;
  device: Device;
  /** Undefined: as many as there are cores. */
  workers: number | undefined;
  autoOrient: boolean;
  preprocess: PreprocessMode;
  limits: ImageLimits;
  imageDir: string | undefined;
  trainingDir: string | undefined;
  /** The classes to train, in their order; undefined: all folders. */
  classNames: string[] | undefined;
  partition: number | undefined;
  /** How `consume` and `audit` read messages. */
  messages: MessageRules;
  /** From capture to row, in milliseconds: what takes longer goes to the manual bin; undefined: no deadline. */
  deadlineMs: number | undefined;
  /** Whether results and dead letters are published too. */
  resultsTopic: boolean;
  /** How long `consume` waits for what. */
  endurance: Endurance;
  /** Most bytes of images that a consumer holds. */
  imageMemoryBytes: number;
  /** What `serve` offers, where and to whom. */
  http: HttpSettings;
  metrics: MetricsSettings;
  /** Null: no traces are sent. */
  tracing: TracingSettings | null;
  /** The server that `classify` talks to. */
  remote: RemoteSettings;
}
