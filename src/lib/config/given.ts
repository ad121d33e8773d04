/** What is given to be parsed: the environment, with secrets from files, and without misspelt names. */
import { errorMessage } from '../base/errors.ts';
import { readTextFile } from '../base/files/text-file.ts';
import { meant, nearest } from '../base/nearest.ts';
import { secretNames, settings } from './settings/settings.ts';

/** Settings by the name of their environment variable. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What begins a librdkafka property. */
export const kafkaProperty = 'KAFKA_CONF_';

/** As librdkafka calls what a variable sets. */
export function propertyName(variable: string): string {
  return variable.slice(kafkaProperty.length).toLowerCase().replaceAll('_', '.');
}

/** Far more than any password, certificate chain or list of tokens has. */
const mostSecretBytes = 1024 * 1024;

/** An empty variable counts as absent: that is what an emptied line in `.env` means. */
export function withSecretsFromFiles(env: Environment, faults: string[]): Environment {
  const given: Record<string, string> = {};
  for (const [name, value] of Object.entries(env))
    if (value !== undefined && value !== '') given[name] = value;
  // The proxies' names are lower case as often as not.
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']) {
    const lower = given[name.toLowerCase()];
    if (lower !== undefined) given[name] ??= lower;
  }
  for (const [name, path] of Object.entries(given)) {
    const target = name.slice(0, -'_FILE'.length);
    if (!name.endsWith('_FILE') || !(secretNames.has(target) || target.startsWith(kafkaProperty))) continue;
    try {
      const secret = readTextFile(path, { mostBytes: mostSecretBytes }).trimEnd();
      if (secret === '') throw new Error('is empty');
      given[target] = secret;
      if (target.startsWith(kafkaProperty)) delete given[name];
    } catch (error) {
      faults.push(`${name}: cannot read the file ${path}: it ${errorMessage(error)}`);
    }
  }
  return given;
}

/**
 * Misspelt settings are refused, so that a typo is not silently the default: whatever has our own prefix, and what is a
 * slip of the pen from one of the other settings while that one is not set.
 */
export function unknownSettings(env: Environment): string[] {
  return [...unknownOfOurs(env), ...slips(env)];
}

/** Shorter names, and those of proxies and of the hub (GH_TOKEN), have neighbours that mean something else to other programs. */
const leastSlipLetters = 8;

function slips(env: Environment): string[] {
  const others = settings
    .map(({ env: name }): string => name)
    .filter((name) => !name.startsWith('VISIONSCALE_'));
  const targets = others.filter(
    (name) => name.length >= leastSlipLetters && !/^HF_|_PROXY$/.test(name) && !env[name],
  );
  return Object.keys(env)
    .filter((name) => /^[A-Z][A-Z\d_]*$/.test(name) && !others.includes(name) && env[name])
    .flatMap((name) => {
      const near = nearest(name, targets, 2);
      return near === undefined ? [] : [`${name} is not a setting (did you mean ${near}?)`];
    });
}

function unknownOfOurs(env: Environment): string[] {
  const known = settings
    .flatMap(({ env: name, secret }): string[] => (secret ? [name, `${name}_FILE`] : [name]))
    .filter((name) => name.startsWith('VISIONSCALE_'));
  return Object.keys(env)
    .filter(
      (name) =>
        name.startsWith('VISIONSCALE_') && !/^VISIONSCALE_(TEST|CI)_/.test(name) && !known.includes(name),
    )
    .map((name) => {
      const bare = name.slice('VISIONSCALE_'.length);
      // Not all of them have our prefix.
      const near = settings.some(({ env: other }) => other === bare) ? bare : meant(name, known);
      return `${name} is not a setting${near ? ` (did you mean ${near}?)` : ''}`;
    });
}
