/** Who may do what: tokens where there are any; without them everything on loopback, and reading alone elsewhere. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { type TokenHash, type TokenRole, tokenRoles } from '../../../config/http.ts';
import { Problem } from '../problem.ts';
import { network } from './senders.ts';

/** What a route needs: nothing, the right to look, to send images, or to act on what is there. */
export type Right = 'none' | 'read' | 'write' | 'operate';

/** The least role that has the right. */
const roleOf = { read: 'read', write: 'ingest', operate: 'operate' } as const satisfies Record<
  string,
  TokenRole
>;

export interface AccessOptions {
  tokens: readonly TokenHash[];
  /** Where the server listens. */
  host: string;
  corsOrigins: readonly string[];
  /** Given where it speaks HTTPS. */
  tls?: object | null;
}

export interface Asking {
  method: string;
  authorization: string | undefined;
  host: string | undefined;
  origin: string | undefined;
  /** The header by which a proxy shows that the request came through it. */
  proxy?: string | undefined;
}

export type Access = (right: Right, asking: Asking) => string | null;

/** Throws a Problem (401, 403) where the asking may not; else the name of its token, null where none is asked for. */
export function accessPolicy({ tokens, host, corsOrigins, tls }: AccessOptions): Access {
  if (tokens.length > 0) {
    return (right, { authorization }) => {
      if (right === 'none') return null;
      const token = bearerOf(authorization, tokens);
      if (token === undefined) throw unauthorized();
      if (!mayRole(token.role, right)) throw forbidden(token, right);
      return token.name;
    };
  }
  const local = isLoopback(host);
  return (right, asking) => {
    // Probes ask under any name, or none, and through whatever stands between.
    if (right === 'none') return null;
    // Whoever is behind it: to this server it would look like its own machine.
    if (asking.proxy !== undefined) throw proxied(asking.proxy);
    // A page whose name was rebound to this address sends its own name: nobody else would send one of these.
    if (local) checkLocal(asking, corsOrigins, tls ? 'https' : 'http');
    else checkName(asking, host);
    if (right !== 'read' && !local) throw readOnly();
    return null;
  };
}

function mayRole(role: TokenRole, right: Exclude<Right, 'none'>): boolean {
  return tokenRoles.indexOf(role) >= tokenRoles.indexOf(roleOf[right]);
}

/** The rights of who asks: what a page may offer. */
export function rightsOf(access: Access, asking: Asking): Record<Exclude<Right, 'none'>, boolean> {
  const may = (right: Right) => {
    try {
      access(right, asking);
      return true;
    } catch (error) {
      if (error instanceof Problem) return false;
      throw error;
    }
  };
  return { read: may('read'), write: may('write'), operate: may('operate') };
}

export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}

function checkLocal({ host, origin }: Asking, corsOrigins: readonly string[], scheme: string): void {
  if (!isLoopback(nameOf(host))) {
    throw new Problem(403, 'foreign_host', 'this server answers only to localhost and loopback addresses', {
      hint: 'Use such a name, or set tokens (visionscale serve --new-token NAME).',
    });
  }
  if (origin === undefined || corsOrigins.includes(origin) || origin === `${scheme}://${host}`) return;
  throw new Problem(403, 'foreign_origin', 'pages of this origin may not use this server', {
    hint: 'Allow the origin with --cors.',
  });
}

/** Names that nobody outside can make lead here: addresses, names without a dot, this machine's and the configured one. */
function checkName({ host }: Asking, listensOn: string): void {
  // No page of a browser: they all send one.
  if (host === undefined) return;
  const name = nameOf(host).toLowerCase();
  const own = hostname().toLowerCase();
  const isOwn = [own, `${own}.local`, listensOn.toLowerCase()].includes(name);
  if (isOwn || isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0 || /^[a-z0-9_-]+$/.test(name)) return;
  throw new Problem(
    403,
    'foreign_host',
    'without tokens this server answers only to its addresses and its own name',
    {
      hint: 'Use its address, or set tokens (visionscale serve --new-token NAME).',
    },
  );
}

/** Of a Host header, without the port. */
function nameOf(host: string | undefined): string {
  return /^(\[[^\]]*\]|[^:]*)(:\d{1,5})?$/.exec(host ?? '')?.[1] ?? '';
}

function proxied(header: string): Problem {
  return new Problem(
    403,
    'proxied',
    `without tokens this server accepts no requests through a proxy, and this one has the header ${header}`,
    { hint: 'Set tokens (visionscale serve --new-token NAME), or leave out the proxy.' },
  );
}

function unauthorized(): Problem {
  return new Problem(401, 'unauthorized', 'a valid bearer token is needed', {
    hint: 'Send Authorization: Bearer <token>.',
  });
}

function forbidden({ name, role }: TokenHash, right: Exclude<Right, 'none'>): Problem {
  return new Problem(
    403,
    'forbidden',
    `the token ${name} has the role ${role}, and this needs ${roleOf[right]}`,
    {
      hint: `Use a token with that role: visionscale serve --new-token NAME --role ${roleOf[right]}`,
    },
  );
}

function readOnly(): Problem {
  return new Problem(
    403,
    'read_only',
    'this server has no tokens and others can reach it: it accepts no images and changes nothing',
    {
      hint: 'Start it with VISIONSCALE_TOKENS, or on a loopback address.',
    },
  );
}

const windowMs = 60_000;
/** Failures of one address in a window; above them it is not even told whether a token was missing. */
const most = 20;
/** Addresses that are remembered; beyond them the oldest is forgotten. */
const mostAddresses = 10_000;

/** Wrong tokens count against the address that they come from. Who has the right one is not held up by others there. */
export class Failures {
  readonly #counts = new Map<string, { from: number; count: number }>();

  /** To be called for each; returns what to answer where there were too many. */
  note(address: string): Problem | undefined {
    const [key, now] = [network(address), performance.now()];
    let seen = this.#counts.get(key);
    if (seen === undefined || now - seen.from >= windowMs) {
      this.#counts.delete(key);
      seen = { from: now, count: 0 };
      this.#counts.set(key, seen);
      const [oldest] = this.#counts.keys();
      if (this.#counts.size > mostAddresses && oldest !== undefined) this.#counts.delete(oldest);
    }
    if (++seen.count <= most) return undefined;
    return new Problem(429, 'too_many_failures', 'too many requests from this address had no valid token', {
      hint: 'Send a valid token, or wait for the time in Retry-After.',
      retryAfter: Math.ceil((seen.from + windowMs - now) / 1000),
    });
  }
}

// Bearer tokens: made here, known only by their hashes, compared in a time that tells nothing.

/** 256 random bits: nothing to be guessed, so that a plain hash is enough. */
export function newToken(): string {
  return `vs_${randomBytes(32).toString('base64url')}`;
}

/** The token in an Authorization header; undefined where it holds none that is known. */
export function bearerOf(
  authorization: string | undefined,
  tokens: readonly TokenHash[],
): TokenHash | undefined {
  const given = /^Bearer +([\x21-\x7e]{1,500}) *$/i.exec(authorization ?? '')?.[1];
  if (given === undefined) return undefined;
  const sha256 = createHash('sha256').update(given).digest();
  let found: TokenHash | undefined;
  // All are compared, so that the time does not tell which one it was.
  for (const token of tokens) if (timingSafeEqual(token.sha256, sha256)) found = token;
  return found;
}
