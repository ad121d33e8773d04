/** Every setting there is. The parser, `--help`, `.env.example` and docs/settings.md are made from these rows. */
import type { z } from 'zod';
import { consumeRows, metricsRows } from './consume.ts';
import { classifyRows, serveRows } from './http.ts';
import { modelRows } from './model.ts';
import type { Setting } from './setting.ts';
import { databaseRows, objectStoreRows, topicRows } from './systems.ts';

// Settings of all commands, and of the folders that commands take images from; the others have files of their own.

const generalRows = [
  {
    env: 'VISIONSCALE_DATA_DIR',
    flag: '--data-dir',
    common: true,
    value: 'dir',
    section: 'General',
    description: 'Directory of everything embedded: PostgreSQL, images, locks',
    schema: (kinds) => kinds.text,
    otherwise: '$XDG_DATA_HOME/visionscale, else ~/.local/share/visionscale',
  },
  {
    env: 'VISIONSCALE_PIPELINE',
    flag: '--pipeline',
    common: true,
    value: 'name',
    section: 'General',
    description: 'Name that positions, owners and predictions belong to; also the Kafka group id',
    schema: (kinds) => kinds.pipelineName,
    default: 'default',
  },
  {
    env: 'VISIONSCALE_GIVE_UP_AFTER',
    flag: '--give-up-after',
    common: true,
    value: 'time',
    section: 'General',
    description:
      'How long to wait for a server that is away (PostgreSQL, Kafka, the object store) before exiting with 1. `status` and `doctor` never wait',
    schema: (kinds) => kinds.duration,
    otherwise: 'services wait for ever; other commands do not wait to begin, and 5m once they have begun',
    example: '10m',
  },
  {
    env: 'VISIONSCALE_LOG_LEVEL',
    flag: '--log-level',
    common: true,
    value: 'level',
    choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    section: 'General',
    description: 'Log level: trace, debug, info, warn, error, fatal or silent. Logs go to stderr',
    schema: (kinds) => kinds.logLevel,
    default: 'info',
  },
] as const satisfies readonly Setting[];

const foldersRows = [
  {
    env: 'IMG_DIR',
    section: 'Upload',
    description: 'Images that `upload`, `watch`, `classify` and `demo` take when no path is given',
    schema: (kinds) => kinds.text,
    example: './images',
  },
  {
    env: 'TRAINING_DATA_DIR',
    section: 'Train',
    description: 'Directory that `train` takes when none is given',
    schema: (kinds) => kinds.text,
    example: './training',
  },
  {
    env: 'CLASS_NAMES',
    flag: '--classes',
    value: 'a,b,c',
    section: 'Train',
    description: 'Classes to train, in this order: names of folders, separated by commas',
    schema: (kinds) => kinds.classNames,
    otherwise: 'all folders, by name',
    example: 'apple,banana,cherry',
  },
] as const satisfies readonly Setting[];

const rows = [
  ...generalRows,
  ...databaseRows,
  ...topicRows,
  ...objectStoreRows,
  ...modelRows,
  ...foldersRows,
  ...consumeRows,
  ...metricsRows,
  ...serveRows,
  ...classifyRows,
] as const;

type Row = (typeof rows)[number];

export type SettingName = Row['env'];

/** What the settings mean, once they are parsed; undefined where one is not set and has no default. */
export type Values = {
  [Each in Row as Each['env']]: z.output<ReturnType<Each['schema']>> | WhereUnset<Each>;
};

type WhereUnset<Each> = Each extends { default: string } ? never : undefined;

export const settings: readonly (Setting & { env: SettingName })[] = rows;

/** Those that may come from a file, and are never printed. */
export const secretNames: ReadonlySet<string> = new Set(
  settings.filter(({ secret }) => secret).map(({ env }) => env),
);
