/** What the settings mean, parsed: the only form in which the rest of the code sees them. */
import type { DatabaseSettings } from '../database/open.ts';
import type { ImageLimits } from '../images/limits.ts';
import type { StoreSettings } from '../objects/open.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

export type TopicSettings =
  | { kind: 'embedded'; name: string; partitions: number }
  | { kind: 'kafka'; name: string; partitions: number; brokers: string; properties: Record<string, string> };

export interface Config {
  dataDir: string;
  pipeline: string;
  logLevel: LogLevel;
  database: DatabaseSettings;
  topic: TopicSettings;
  store: StoreSettings;
  model: string | undefined;
  engine: 'auto' | 'onnx' | 'wasm';
  /** Undefined: as many as there are cores. */
  workers: number | undefined;
  autoOrient: boolean;
  limits: ImageLimits;
  imageDir: string | undefined;
  partition: number | undefined;
}
