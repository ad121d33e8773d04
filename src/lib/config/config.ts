/** What the settings mean, parsed: the only form in which the rest of the code sees them. */
import type { Endurance } from '../consume/deps.ts';
import type { Device, EngineName } from '../classifier/classifier.ts';
import type { DatabaseSettings } from '../database/open.ts';
import type { ImageLimits } from '../images/limits.ts';
import type { PreprocessMode } from '../images/prepare.ts';
import type { StoreSettings } from '../objects/open.ts';

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

export interface Config {
  dataDir: string;
  pipeline: string;
  logLevel: LogLevel;
  database: DatabaseSettings;
  topic: TopicSettings;
  store: StoreSettings;
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
  /** How long `consume` waits for what. */
  endurance: Endurance;
  /** Most bytes of images that a consumer holds. */
  imageMemoryBytes: number;
}
