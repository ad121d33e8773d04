/** Who may do what: tokens where there are any; without them everything on loopback, and reading alone elsewhere. */
import type { TokenHash } from '../config/http.ts';
import { Problem } from './problem.ts';
import { bearerOf } from './tokens.ts';

/** What a route needs: nothing, the right to look, or the right to send images. */
export type Right = 'none' | 'read' | 'write';

export interface AccessOptions {
  tokens: readonly TokenHash[];
  /** Where the server listens. */
  host: string;
  corsOrigins: readonly string[];
}

export interface Asking {
  method: string;
  authorization: string | undefined;
  host: string | undefined;
  origin: string | undefined;
}

export type Access = (right: Right, asking: Asking) => string | null;

/** Throws a Problem (401, 403) where the asking may not; else the name of its token, null where none is asked for. */
export function accessPolicy({ tokens, host, corsOrigins }: AccessOptions): Access {
  if (tokens.length > 0) {
    return (right, { authorization }) => {
      if (right === 'none') return null;
      const name = bearerOf(authorization, tokens);
      if (name === undefined) throw unauthorized();
      return name;
    };
  }
  const local = isLoopback(host);
  return (right, asking) => {
    // A page whose name was rebound to this address sends its own name: nobody else would send one of these to loopback.
    if (local) checkLocal(asking, corsOrigins);
    if (right === 'write' && !local) throw readOnly();
    return null;
  };
}

export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}

function checkLocal({ host, origin }: Asking, corsOrigins: readonly string[]): void {
  if (!isLoopback(nameOf(host))) {
    throw new Problem(403, 'foreign_host', 'this server answers to localhost and loopback addresses only', {
      hint: 'Ask for it under such a name, or give it tokens (visionscale serve --new-token NAME).',
    });
  }
  if (origin === undefined || corsOrigins.includes(origin) || origin === `http://${host}`) return;
  throw new Problem(403, 'foreign_origin', 'pages of this origin may not use this server', {
    hint: 'Allow the origin with --cors.',
  });
}

/** Of a Host header, without the port. */
function nameOf(host: string | undefined): string {
  return /^(\[[^\]]*\]|[^:]*)(:\d{1,5})?$/.exec(host ?? '')?.[1] ?? '';
}

function unauthorized(): Problem {
  return new Problem(401, 'unauthorized', 'a bearer token is needed, and this is none that is known here', {
    hint: 'Send Authorization: Bearer <token>.',
  });
}

function readOnly(): Problem {
  return new Problem(
    403,
    'read_only',
    'this server has no tokens and can be reached from elsewhere: it takes no images',
    {
      hint: 'Start it with VISIONSCALE_TOKENS, or on a loopback address.',
    },
  );
}
