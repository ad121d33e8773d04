/** Every setting there is. The parser, `--help`, `.env.example` and docs/settings.md are made from these rows. */
import type { z } from 'zod';
import { consume, metrics } from './consume.ts';
import { database } from './database.ts';
import { folders, general } from './general.ts';
import { classify, serve } from './http.ts';
import { model } from './model.ts';
import type { Setting } from './setting.ts';
import { objectStore, topic } from './stores.ts';

const rows = [
  ...general,
  ...database,
  ...topic,
  ...objectStore,
  ...model,
  ...folders,
  ...consume,
  ...metrics,
  ...serve,
  ...classify,
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
