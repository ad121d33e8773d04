/** The settings of `serve` and of the server that `classify` talks to: their grammars, and what they come to. */
import { createHash } from 'node:crypto';
import { UsageError } from '../base/errors.ts';
import type { Values } from './settings/settings.ts';

/** What a token may: each may what those before it may. `ingest`: send images. `operate`: act on dead letters, models and bins. */
export const tokenRoles = ['read', 'ingest', 'operate'] as const;

export type TokenRole = (typeof tokenRoles)[number];

/** A token as the settings hold it: never itself, only its hash. */
export interface TokenHash {
  name: string;
  role: TokenRole;
  /** SHA-256 of the token. */
  sha256: Buffer;
}

/** Paths of PEM files. */
export interface TlsFiles {
  cert: string;
  key: string;
}

export interface HttpSettings {
  host: string;
  /** 0: any free one. */
  port: number;
  /** Null: plain HTTP. */
  tls: TlsFiles | null;
  /** Empty: nobody is asked for one. */
  tokens: TokenHash[];
  /** Origins of pages that may call; `https://host:port`. */
  corsOrigins: string[];
  /** Requests a second of one token or address; 0: no limit. */
  rateLimit: number;
  ingest: 'store' | 'inline';
  /** Largest image sent through the topic itself, in bytes. */
  maxInlineBytes: number;
  /** Most images between received and acknowledged. */
  maxInFlight: number;
  /** How long it goes on answering after it was told to stop, in milliseconds. */
  drainDelayMs: number;
}

export interface RemoteSettings {
  server: string | undefined;
  token: string | undefined;
}

/** `name:64 hex digits`, perhaps with `:role` (default: ingest), separated by commas, blanks or lines. Throws an Error without the hashes. */
export function parseTokens(text: string): TokenHash[] {
  const tokens: TokenHash[] = [];
  for (const entry of text.split(/[\s,]+/).filter((part) => part !== '')) {
    const parts = /^([A-Za-z0-9._-]{1,100}):([0-9a-f]{64})(?::([a-z]{1,20}))?$/i.exec(entry);
    const [, name, hex, said = 'ingest'] = parts ?? [];
    const nth = `has an entry (the ${ordinal(tokens.length + 1)})`;
    if (name === undefined || hex === undefined) {
      throw new Error(`${nth} that is not name:sha256 in 64 hex digits, perhaps with :role`);
    }
    const role = tokenRoles.find((one) => one === said);
    if (role === undefined) throw new Error(`${nth} with a role that is not one of ${tokenRoles.join(', ')}`);
    if (tokens.some((token) => token.name === name)) throw new Error(`names ${name} twice`);
    tokens.push({ name, role, sha256: Buffer.from(hex, 'hex') });
  }
  if (tokens.length === 0) throw new Error('contains no token');
  return tokens;
}

/** One entry of VISIONSCALE_TOKENS. */
export function tokenEntry(name: string, token: string, role?: TokenRole): string {
  const entry = `${name}:${createHash('sha256').update(token).digest('hex')}`;
  return role === undefined || role === 'ingest' ? entry : `${entry}:${role}`;
}

/** Throws an Error where one is no origin. */
export function parseOrigins(text: string): string[] {
  return text.split(',').map((part) => {
    const given = part.trim();
    const url = URL.canParse(given) ? new URL(given) : undefined;
    if (!url || !/^https?:$/.test(url.protocol) || url.origin !== given.replace(/\/$/, '').toLowerCase()) {
      throw new Error(`must be origins such as https://dashboard.example, not ${JSON.stringify(given)}`);
    }
    return url.origin;
  });
}

/** Without a slash at its end. Throws an Error without what may be a password. */
export function parseServerUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) throw new Error('must be an http:// or https:// URL');
  if (url.username !== '' || url.password !== '') {
    throw new Error('must not contain a user or password: a token goes into VISIONSCALE_TOKEN');
  }
  if (url.search !== '' || url.hash !== '') throw new Error('must not have a query or fragment');
  return url.href.replace(/\/+$/, '');
}

/** Throws a UsageError where a certificate comes without its key. */
export function httpSettings(data: Values): HttpSettings {
  return {
    host: data.VISIONSCALE_HTTP_HOST,
    port: data.VISIONSCALE_HTTP_PORT,
    tls: tlsFiles(data),
    tokens: data.VISIONSCALE_TOKENS ?? [],
    corsOrigins: data.VISIONSCALE_CORS ?? [],
    rateLimit: data.VISIONSCALE_RATE_LIMIT,
    ingest: data.VISIONSCALE_INGEST,
    maxInlineBytes: data.VISIONSCALE_MAX_INLINE,
    maxInFlight: data.VISIONSCALE_MAX_IN_FLIGHT,
    drainDelayMs: data.VISIONSCALE_DRAIN_DELAY,
  };
}

function tlsFiles({ VISIONSCALE_TLS_CERT: cert, VISIONSCALE_TLS_KEY: key }: Values): TlsFiles | null {
  if (cert !== undefined && key !== undefined) return { cert, key };
  if (cert === undefined && key === undefined) return null;
  const names = ['VISIONSCALE_TLS_CERT (--tls-cert)', 'VISIONSCALE_TLS_KEY (--tls-key)'];
  const [given, missing] = key === undefined ? names : names.toReversed();
  throw new UsageError(`${given} needs ${missing} beside it`);
}

export function remoteSettings(data: Values): RemoteSettings {
  return { server: data.VISIONSCALE_SERVER, token: data.VISIONSCALE_TOKEN };
}

function ordinal(n: number): string {
  return `${n}${n === 1 ? 'st' : n === 2 ? 'nd' : n === 3 ? 'rd' : 'th'}`;
}
