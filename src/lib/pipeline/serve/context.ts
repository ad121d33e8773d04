/** What the routes share: the app with its types, and the parts that outlive a request. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Right } from './admission/access.ts';
import type { Admission } from './admission/admission.ts';
import type { ServeDeps, ServeOptions } from './deps.ts';
import type { Feed } from './results/feed.ts';
import type { Waiters } from './results/waiters.ts';

export type App = FastifyInstance<
  Server,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the route needs; reading unless told. */
    right?: Right;
  }
  interface FastifyRequest {
    /** Name of the token; null where none is asked for. */
    token: string | null;
    /** When the request arrived: milliseconds since the epoch, and by `performance.now()`. */
    arrived: { at: number; tick: number };
  }
}

export interface Shared {
  deps: ServeDeps;
  options: ServeOptions;
  admission: Admission;
  waiters: Waiters;
  feed: Feed;
  /** Aborts when streams are to end and nothing new is taken. */
  closing: AbortSignal;
  isDraining: () => boolean;
}
