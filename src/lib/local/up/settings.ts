/** The settings that make other commands find what `up` runs, and how a shell takes them. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { quoted } from '../../base/printable.ts';
import type { Environment } from '../../config/given.ts';
import { secretNames, type SettingName } from '../../config/settings/settings.ts';

/** Those that say where things are; how a command does its work is its own affair. */
const shared = [
  'VISIONSCALE_DATA_DIR',
  'VISIONSCALE_PIPELINE',
  'DATABASE_URL',
  'PGHOST',
  'PGPORT',
  'PGUSER',
  'PGPASSWORD',
  'PGDATABASE',
  'PGSSLMODE',
  'PGSSLROOTCERT',
  'KAFKA_BROKERS',
  'KAFKA_TOPIC',
  'VISIONSCALE_STORE',
  'S3_ENDPOINT',
  'AWS_REGION',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'VISIONSCALE_MODEL',
  'VISIONSCALE_MODELS',
] as const satisfies readonly SettingName[];

export interface SharedSettings {
  env: Record<string, string>;
  /** Names of those in force whose values are not to be shown. */
  secrets: string[];
}

/** Of the settings in force; the file of a secret may be named, the secret not. Paths become absolute. */
export function sharedSettings(env: Environment): SharedSettings {
  const open: Record<string, string> = {};
  const secrets: string[] = [];
  for (const name of shared) {
    const file = env[`${name}_FILE`];
    const value = env[name];
    if (!secretNames.has(name)) {
      if (value) open[name] = isPath(name, value) ? resolve(value) : value;
    } else if (file) open[`${name}_FILE`] = resolve(file);
    else if (value) secrets.push(name);
  }
  return { env: open, secrets };
}

/** A model may also be named by its name in the store. */
function isPath(name: SettingName, value: string): boolean {
  if (name === 'VISIONSCALE_MODEL') return existsSync(value);
  return ['VISIONSCALE_DATA_DIR', 'VISIONSCALE_MODELS', 'PGSSLROOTCERT'].includes(name);
}

/**
 * What a terminal has to set: those of `up`, and as empty, which counts as absent, those that only this terminal (or the
 * `.env` of its directory) has.
 */
export function settingsFor(up: SharedSettings, terminal: Environment): Record<string, string> {
  const set: Record<string, string> = { ...up.env };
  for (const name of shared.flatMap((plain) => [plain, `${plain}_FILE`])) {
    if (terminal[name] && set[name] === undefined && !up.secrets.includes(name)) set[name] = '';
  }
  return set;
}

/** Secrets of `up` that this terminal lacks. */
export function missingSecrets(up: SharedSettings, terminal: Environment): string[] {
  return up.secrets.filter((name) => !terminal[name] && !terminal[`${name}_FILE`]);
}

/** Lines for `eval` in any POSIX shell. */
export function exportLines(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .map(([name, value]) => `export ${name}=${quoted(value)}`)
    .join('\n');
}
