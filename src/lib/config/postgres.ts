/** Where PostgreSQL is and how to connect: DATABASE_URL or PG*, with libpq's meaning of sslmode and options in both. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { errorMessage, UsageError } from '../base/errors.ts';
import { keyPairFault, readPem } from '../base/tls.ts';
import type { ServerConnection } from '../systems/database/connection.ts';
import type { DatabaseSettings } from '../systems/database/open.ts';
import type { Values } from './settings/settings.ts';

export const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof sslModes)[number];

/** As given; the variables' own names. */
export type PostgresSettings = Partial<Values>;

/** Throws UsageError for what a URL's parameters say wrongly and for certificates that cannot be read. */
export function databaseSettings(data: PostgresSettings, dataDir: string): DatabaseSettings {
  const found = serverOrEmbedded(data, dataDir);
  if (found.kind === 'server' && data.VISIONSCALE_DATABASE_LOGIN === 'aws-iam') {
    found.connection.awsIam = { region: data.AWS_REGION };
  }
  return found;
}

function serverOrEmbedded(data: PostgresSettings, dataDir: string): DatabaseSettings {
  const database = data.PGDATABASE ?? 'my_db';
  const given = {
    sslmode: data.PGSSLMODE,
    sslrootcert: data.PGSSLROOTCERT,
    sslcert: data.PGSSLCERT,
    sslkey: data.PGSSLKEY,
    options: data.PGOPTIONS,
  };
  if (data.DATABASE_URL !== undefined) {
    const whole = withHost(data.DATABASE_URL);
    const url = new URL(whole);
    const lacksHost = whole !== data.DATABASE_URL && !url.searchParams.has('host');
    if (lacksHost && data.PGHOST !== undefined) url.searchParams.set('host', data.PGHOST);
    if (url.pathname === '' || url.pathname === '/') url.pathname = `/${encodeURIComponent(database)}`;
    if (url.username === '' && data.PGUSER !== undefined) url.username = encodeURIComponent(data.PGUSER);
    // So that the password may come from a file while the rest is a URL that can be shown.
    if (url.password === '' && data.PGPASSWORD !== undefined)
      url.password = encodeURIComponent(data.PGPASSWORD);
    const own = takeParameters(url);
    // A URL that names a certificate wants it used.
    const wantsTls = own.sslrootcert ?? own.sslcert ?? own.sslkey;
    if (wantsTls !== undefined) own.sslmode ??= data.PGSSLMODE ?? 'verify-full';
    const host = url.searchParams.get('host') ?? url.hostname;
    const connection = { connectionString: url.href, ...libpqSettings({ ...given, ...own }, host) };
    return { kind: 'server', connection };
  }
  const named = data.PGHOST ?? data.PGPORT ?? data.PGUSER ?? data.PGPASSWORD ?? data.PGDATABASE;
  if (named === undefined) return { kind: 'embedded', dataDir };
  const connection: ServerConnection = {
    host: data.PGHOST ?? 'localhost',
    port: data.PGPORT ?? 5432,
    database,
    ...libpqSettings(given, data.PGHOST),
  };
  if (data.PGUSER !== undefined) connection.user = data.PGUSER;
  if (data.PGPASSWORD !== undefined) connection.password = data.PGPASSWORD;
  return { kind: 'server', connection };
}

/**
 * A URL as libpq takes it may leave the host out, before `?host=/directory` above all, where a URL with a user may not:
 * it gets the one that counts without.
 */
export function withHost(url: string): string {
  return url.replace(/^(\w+:\/\/(?:[^/?#]*@)?)(?=:\d+(?:[/?#]|$)|[/?#]|$)/, '$1localhost');
}

const ownParameters = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'options'] as const;
/** Of pg's: sent when connecting, which poolers refuse. */
const timeouts = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'] as const;

type Parameters = Partial<Record<(typeof ownParameters)[number], string | undefined>> & {
  timeouts?: Record<string, string>;
};

/** Takes out of the URL what is not left to pg, whose meaning of these is another one than libpq's. */
function takeParameters(url: URL): Parameters {
  const { searchParams } = url;
  const taken: Parameters = {};
  for (const name of ownParameters) {
    const value = searchParams.get(name);
    if (value !== null) taken[name] = value;
  }
  for (const name of timeouts) {
    const value = searchParams.get(name);
    if (value !== null) (taken.timeouts ??= {})[name] = value;
  }
  const names: string[] = [...ownParameters, ...timeouts, 'uselibpqcompat'];
  if (taken.sslmode !== undefined) names.push('ssl');
  const had = names.filter((name) => searchParams.has(name));
  for (const name of had) searchParams.delete(name);
  return taken;
}

function libpqSettings(parameters: Parameters, host = ''): Partial<ServerConnection> {
  const { settings, rest } = parseOptions(parameters.options ?? '');
  const session = { ...settings, ...parameters.timeouts };
  return {
    // As in libpq, sslmode says nothing about a unix socket, which has no TLS.
    ...(/^(\/|%2f)/i.test(host) ? { ssl: false } : tls(parameters)),
    ...(Object.keys(session).length > 0 && { session }),
    ...(rest !== '' && { options: rest }),
  };
}

/**
 * libpq's meaning: `require` encrypts and, where a root certificate is given, checks that the server's is signed by it;
 * `verify-full` also checks the name. Without a root certificate Node's own authorities count.
 */
function tls(parameters: Parameters): Pick<ServerConnection, 'ssl' | 'otherSsl'> {
  const { sslmode: mode, sslrootcert: root = own('root.crt') } = parameters;
  if (mode === undefined) return {};
  if (mode === 'disable') return { ssl: false };
  const others = clientCertificate(parameters);
  const unchecked = { rejectUnauthorized: false, ...others };
  if (root === 'system' && mode !== 'verify-full') {
    throw new UsageError(`sslmode=${mode} is too weak for sslrootcert=system`, 'Use sslmode=verify-full.');
  }
  const checked = () => ({
    rejectUnauthorized: true,
    ...(root !== undefined && root !== 'system' && { ca: file('sslrootcert', root) }),
    ...others,
  });
  const anyName = { checkServerIdentity: () => undefined };
  switch (mode) {
    case 'allow':
      return { ssl: false, otherSsl: unchecked };
    case 'prefer':
      return { ssl: unchecked, otherSsl: false };
    case 'require':
      return { ssl: root === undefined ? unchecked : { ...checked(), ...anyName } };
    case 'verify-ca':
      return { ssl: { ...checked(), ...anyName } };
    case 'verify-full':
      return { ssl: checked() };
    // pg's own word for what libpq's `require` means.
    case 'no-verify':
      return { ssl: unchecked };
    default:
      throw new UsageError(
        `sslmode in DATABASE_URL must be ${sslModes.slice(0, -1).join(', ')} or ${sslModes.at(-1)}`,
      );
  }
}

function clientCertificate(parameters: Parameters): Pick<ConnectionOptions, 'cert' | 'key'> {
  const { sslcert = own('postgresql.crt') } = parameters;
  if (sslcert === undefined) {
    if (parameters.sslkey === undefined) return {};
    throw new UsageError('PGSSLKEY (sslkey) needs PGSSLCERT (sslcert) beside it');
  }
  const { sslkey = own('postgresql.key') } = parameters;
  if (sslkey === undefined) throw new UsageError('PGSSLCERT (sslcert) needs PGSSLKEY (sslkey) beside it');
  const pair = { cert: file('sslcert', sslcert), key: file('sslkey', sslkey) };
  const fault = keyPairFault(pair);
  if (fault !== undefined) throw new UsageError(`PGSSLCERT (sslcert) and PGSSLKEY (sslkey): ${fault}`);
  return pair;
}

/** Where libpq looks for one. */
function own(name: string): string | undefined {
  try {
    const path = join(homedir(), '.postgresql', name);
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined; // a user without a home
  }
}

function file(name: 'sslrootcert' | 'sslcert' | 'sslkey', path: string): string {
  try {
    return readPem(path, name === 'sslkey' ? 'key' : 'certificate');
  } catch (error) {
    throw new UsageError(`PG${name.toUpperCase()} (${name}) names ${path}, which ${errorMessage(error)}`);
  }
}

/** `-c name=value` and `--name=value`, as in libpq's options; `rest` is what is neither. A backslash keeps a space. */
function parseOptions(text: string): { settings: Record<string, string>; rest: string } {
  const words = text.match(/(?:\\.|[^\s\\])+/gs) ?? [];
  const settings: Record<string, string> = {};
  const rest: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] === '-c' ? `-c${words[++at] ?? ''}` : words[at]!;
    const found = /^(?:-c|--)([a-z_][\w.-]*)=(.*)$/is.exec(word.replaceAll(/\\(.)/gs, '$1'));
    if (found === null) rest.push(word);
    else settings[found[1]!.replaceAll('-', '_')] = found[2]!;
  }
  return { settings, rest: rest.join(' ') };
}
