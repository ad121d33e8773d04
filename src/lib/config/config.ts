/** What the settings mean, parsed: the only form in which the rest of the code sees them. */
import type { Device, EngineName } from '../models/classifier/classifier.ts';
import type { ImageLimits } from '../models/images/limits.ts';
import type { PreprocessMode } from '../models/images/prepare.ts';
import type { ProxySettings } from '../models/pull/download.ts';
import type { HubSettings } from '../models/pull/hub-client.ts';
import type { AwsLogin } from '../systems/aws-login.ts';
import type { DatabaseSettings } from '../systems/database/open.ts';
import type { MessageRules } from '../systems/message/rules.ts';
import type { StoreSettings } from '../systems/objects/open.ts';
import type { S3Connection } from '../systems/objects/s3/s3-client.ts';
import type { TracingSettings } from './environment.ts';
import type { HttpSettings, RemoteSettings } from './http.ts';
import type { Endurance } from './settings/consume.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

export type TopicSettings =
  | { kind: 'embedded'; name: string; partitions: number }
  | {
      kind: 'kafka';
      name: string;
      partitions: number;
      brokers: string;
      properties: Record<string, string>;
      awsIam?: AwsLogin;
    };

/** Where a process shows its metrics; port undefined: nowhere, 0: any free one. */
export interface MetricsSettings {
  host: string;
  port: number | undefined;
}

export interface Config {
  dataDir: string;
  pipeline: string;
  logLevel: LogLevel;
  /** How long a server that is away is waited for, in milliseconds; undefined: by a service for ever, by other commands as they say. */
  giveUpAfterMs: number | undefined;
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
  /** Where models are pulled from by the hub's names. */
  hub: HubSettings;
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
  /** Most memory for models of belts that it holds. */
  modelMemoryBytes: number;
  /** What `serve` offers, where and to whom. */
  http: HttpSettings;
  metrics: MetricsSettings;
  /** Null: no traces are sent. */
  tracing: TracingSettings | null;
  /** The server that `classify` talks to. */
  remote: RemoteSettings;
}
