/** `.env`: understood to the last line or refused, and only what it may set is taken. */
import { lstatSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'dotenv';
import { errorMessage, UsageError } from '../base/errors.ts';
import { lineAt, readTextFile } from '../base/files/text-file.ts';
import { nearest } from '../base/nearest.ts';
import { type Environment, kafkaProperty, propertyName } from './given.ts';
import { secretNames, settings } from './settings/settings.ts';

export interface EnvFile {
  path: string;
  values: Record<string, string>;
  /** Names in it that were not taken. */
  passedOver: string[];
}

const mostBytes = 256 * 1024;
const mostFaults = 10;

/** Null where there is none. Throws a UsageError that names the lines and never shows a value. */
export function readEnvFile(name = '.env'): EnvFile | null {
  if (!isThere(name)) return null;
  const path = resolve(name);
  let text: string;
  try {
    text = readTextFile(name, { mostBytes, onlyRegular: true });
  } catch (error) {
    throw new UsageError(
      `the settings file ${path} ${errorMessage(error)}`,
      'Fix it, move it away, or run visionscale in another directory.',
    );
  }
  const { values, passedOver, faults } = parseEnvFile(text);
  if (faults.length === 0) return { path, values, passedOver };
  const shown = faults.slice(0, mostFaults).map((fault) => `  ${fault}`);
  if (faults.length > mostFaults) shown.push(`  and ${faults.length - mostFaults} more`);
  throw new UsageError(
    `the settings file ${path} cannot be understood:\n${shown.join('\n')}`,
    'A line is NAME=value, a comment that begins with #, or empty. Nothing of the file was used.',
  );
}

/** A link that leads nowhere is there too. */
function isThere(name: string): boolean {
  try {
    lstatSync(name);
    return true;
  } catch (error) {
    // What this user may not even look for, somebody else may have meant for him.
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') return false;
    throw new UsageError(
      'this user may not look for a .env in the directory where visionscale was started',
      'Run it in a directory that this user may enter: cd /',
    );
  }
}

/** What of it was put into `env`: what is set there already stays, in a file or not. */
export function putInForce(values: Environment, env: Record<string, string | undefined>): string[] {
  const isSet = (name: string) => env[name] !== undefined;
  const names = Object.keys(values).filter((name) => !isSet(name) && !env[`${name}_FILE`]);
  for (const name of names) env[name] = values[name];
  return names;
}

/** One line for a person; undefined where everything was taken. */
export function notTakenLine({ path, passedOver }: EnvFile): string | undefined {
  if (passedOver.length === 0) return undefined;
  const named = passedOver.slice(0, mostFaults).map((name) => {
    const advice = adviceOn(name);
    return advice === undefined ? name : `${name} (${advice})`;
  });
  const more = passedOver.length - named.length;
  return `ignored in ${path}: ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}; a .env sets only what visionscale reads`;
}

interface Parsed {
  values: Record<string, string>;
  passedOver: string[];
  /** Each begins with its line. */
  faults: string[];
}

const nothing = /[^\S\n]*(?:#.*)?(?:\n|$)/y;
const start = /[^\S\n]*(?:export[^\S\n]+)?([\w.-]+)[^\S\n]*(?:=|:(?=\s))[^\S\n]*/y;
const restOfLine = /.*/y;
/** Behind the quote that closes. */
const end = String.raw`(?=[^\S\n]*(?:#.*)?(?:\n|$))`;
const quoted: Record<string, { inLine: RegExp; overLines: RegExp }> = Object.fromEntries(
  [`'`, '"', '`'].map((quote) => [
    quote,
    {
      inLine: new RegExp(String.raw`${quote}(?:\\${quote}|[^${quote}\n])*${quote}${end}`, 'y'),
      overLines: new RegExp(String.raw`${quote}(?:\\${quote}|[^${quote}])*${quote}${end}`, 'y'),
    },
  ]),
);

/** dotenv says what a statement means; that every line belongs to one, and that it can mean one thing only, is seen to here. */
export function parseEnvFile(given: string): Parsed {
  const text = given.replaceAll(/\r\n?/g, '\n');
  const parsed: Parsed = { values: {}, passedOver: [], faults: [] };
  const lines = new Map<string, number>();
  let [at, line, counted] = [0, 1, 0];
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at += found[0].length;
    return found;
  };
  while (at < text.length) {
    if (take(nothing)) continue;
    const from = at;
    line += lineAt(text.slice(counted, at), Infinity) - 1;
    counted = at;
    const here = line;
    const fault = (what: string) => parsed.faults.push(`line ${here}: ${what}`);
    const name = take(start)?.[1];
    if (name === undefined) {
      take(restOfLine);
      fault('is not NAME=value');
      continue;
    }
    const quotes = quoted[text[at] ?? ''];
    const valueAt = at;
    if (quotes !== undefined && !take(quotes.inLine) && !take(quotes.overLines)) {
      take(restOfLine);
      fault(`the value of ${name} begins with a quote that is not closed at the end of a line`);
      continue;
    }
    if (quotes === undefined) take(restOfLine);
    const written = text.slice(valueAt - 1, at);
    const value = parse(text.slice(from, at))[name];
    if (value === undefined) {
      fault('is not NAME=value');
      continue;
    }
    const secret = secretInFile(name);
    if (secret !== undefined) {
      fault(`${name} could send any file to a server: set it in the environment, or ${secret} here`);
      continue;
    }
    if (!mayBeInEnvFile(name)) {
      if (!parsed.passedOver.includes(name)) parsed.passedOver.push(name);
      continue;
    }
    const before = lines.get(name);
    const doubt =
      before !== undefined && parsed.values[name] !== value
        ? `${name} has another value in line ${before}`
        : doubtOf(name, written, quotes !== undefined);
    if (doubt !== undefined) fault(doubt);
    lines.set(name, here);
    parsed.values[name] = value;
  }
  return parsed;
}

/** What may have been meant otherwise than it would be read; `before` is the value with the character before it. */
function doubtOf(name: string, before: string, isQuoted: boolean): string | undefined {
  const raw = before.slice(1);
  if (!isQuoted && /\S#/.test(before)) {
    return `the # in the value of ${name} would begin a comment: put the value in single quotes`;
  }
  if (/^[\u2018-\u201f\u00ab\u00bb]/.test(raw)) {
    return `the value of ${name} is in typographic quotes: write plain ones, ' or "`;
  }
  if (!raw.startsWith("'") && /\$[{(]/.test(raw)) {
    return `the value of ${name} contains a $, which is not expanded: write the value out, or put it in single quotes`;
  }
  const swallowed = [...raw.matchAll(/\n[^\S\n]*(?:export[^\S\n]+)?([\w.-]+)[^\S\n]*=/g)]
    .map(([, inner]) => inner!)
    .find(mayBeInEnvFile);
  if (swallowed === undefined) return undefined;
  return `the quote of ${name} closes only behind the line that sets ${swallowed}`;
}

// What a `.env` may set: it may lie in a folder of somebody's pictures, so nothing that loads code, runs it or sends files.

/** Whom to trust, and with what key to log in at a server that the same `.env` names. */
const elsewhere = new Set(['AWS_CA_BUNDLE', 'PGSSLCERT', 'PGSSLKEY']);

const own = new Set<string>(settings.map((s) => s.env).filter((name) => !elsewhere.has(name)));

/**
 * The setting whose secret lies in the file that this one names; undefined where it is none. The file's content would be sent
 * to the server that the same `.env` names.
 */
function secretInFile(name: string): string | undefined {
  const base = /^(.+)_FILE$/i.exec(name)?.[1];
  return base !== undefined && (secretNames.has(base) || base.startsWith(kafkaProperty)) ? base : undefined;
}

/** The proxies' names are lower case as often as not. */
const lowerCase = new Set(['http_proxy', 'https_proxy', 'no_proxy']);

/** Of libpq's, beside the settings: none names a file, a directory, a service or a key (which may name an engine). */
const postgres = new Set(
  [
    'PGAPPNAME PGCHANNELBINDING PGCLIENTENCODING PGCONNECT_TIMEOUT PGDATESTYLE PGGSSENCMODE PGHOSTADDR PGKRBSRVNAME',
    'PGLOADBALANCEHOSTS PGOPTIONS PGREQUIREAUTH PGREQUIREPEER PGSSLMAXPROTOCOLVERSION PGSSLMINPROTOCOLVERSION',
    'PGSSLNEGOTIATION PGSSLSNI PGTARGETSESSIONATTRS PGTZ',
  ].flatMap((names) => names.split(' ')),
);

/**
 * Of the AWS SDK's those that name files (a configuration may name programs that give credentials), tokens in files, and
 * places that credentials come from or are sent to: the services that give them fall back to AWS_ENDPOINT_URL.
 */
const awsForbidden =
  /(?<!PRO)FILE|CONFIG|CREDENTIAL|PROCESS|CONTAINER|IDENTITY|BUNDLE|DIR|PATH|METADATA_SERVICE|LAMBDA|NODE|_STS|_SSO|ENDPOINT_URL(?!_S3$)/;

/** Of OpenTelemetry's: those that name files. */
const otelForbidden = /CERTIFICATE|CLIENT_KEY|CONFIG|(?<!PRO)FILE/;

/** Of librdkafka's: libraries and engines that are loaded, a shell command and what is put into it, files that are sent. */
const kafkaForbidden = /^(plugin\.|ssl\.engine\.|ssl\.providers|sasl\.kerberos\.|sasl\.oauthbearer\..*file)/;

export function mayBeInEnvFile(name: string): boolean {
  if (/_FILE$/i.test(name)) return false;
  if (own.has(name) || lowerCase.has(name) || postgres.has(name)) return true;
  // Misspelt ones are refused together with those of the environment.
  if (/^VISIONSCALE_(?!TEST_|CI_)/.test(name)) return true;
  if (name.startsWith(kafkaProperty)) return !kafkaForbidden.test(propertyName(name));
  if (/^AWS_[A-Z0-9_]+$/.test(name)) return !awsForbidden.test(name) && misspelt(name) === undefined;
  if (/^OTEL_[A-Z0-9_]+$/.test(name)) return !otelForbidden.test(name) && misspelt(name) === undefined;
  return false;
}

/** For a person: what to do about a name that was passed over; undefined where there is nothing to say. */
function adviceOn(name: string): string | undefined {
  const meant = misspelt(name);
  return meant === undefined || meant === name ? undefined : `did you mean ${meant}?`;
}

/** Short names are near to many. */
const leastLength = 6;

/** The setting that was probably meant. */
function misspelt(name: string): string | undefined {
  if (name.length < leastLength) return undefined;
  return nearest(name.toUpperCase(), [...own]);
}
