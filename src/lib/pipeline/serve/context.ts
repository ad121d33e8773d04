/** What the routes share: the app with its types, and the parts that outlive a request. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, HTTPMethods } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Right } from './admission/access.ts';
import type { Admission } from './admission/admission.ts';
import type { ServeDeps, ServeOptions } from './options.ts';
import { Problem } from './problem.ts';
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

export interface SharedByRoutes {
  deps: ServeDeps;
  options: ServeOptions;
  admission: Admission;
  waiters: Waiters;
  feed: Feed;
  /** Aborts when streams are to end and nothing new is taken. */
  closing: AbortSignal;
  isDraining: () => boolean;
}

/** Methods that a path does not know are told which it knows: 405, not 404. */
export function refuseOtherMethods(app: App, url: string, known: readonly HTTPMethods[]): void {
  const allow = known.join(', ');
  app.route({
    method: (app.supportedMethods as HTTPMethods[]).filter((method) => !known.includes(method)),
    url,
    schema: { hide: true },
    // Before anything else can be wrong with the request.
    onRequest: async ({ method }, reply) => {
      void reply.header('allow', allow);
      throw new Problem(405, 'method_not_allowed', `${method} is not known here: ${allow}`);
    },
    handler: () => undefined,
  });
}
