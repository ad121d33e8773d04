/** What the server is made of, what its routes share, and what it tells. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, HTTPMethods } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Pool } from 'pg';
import type { z } from 'zod';
import type { Load } from '../../base/flow/load.ts';
import type { HttpSettings } from '../../config/http.ts';
import type { ImagesApart } from '../../models/images/apart.ts';
import type { ImageLimits } from '../../models/images/limits.ts';
import type { ModelAnswers } from '../../models/store/model-answers.ts';
import type { ObjectStore } from '../../systems/objects/store.ts';
import type { Producer, Topic } from '../../systems/topic/topic.ts';
import type { Servers } from '../server-watch.ts';
import type { Right } from './admission/access.ts';
import type { Admission } from './admission/admission.ts';
import type { CertificateEvent } from './certificate.ts';
import type { Feed, Waiters } from './listeners.ts';
import { Problem } from './problem.ts';
import type { Disks } from './readiness.ts';
import type { comparison, comparisonResult } from './schemas/comparisons.ts';

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

/** Who is told of in histories; undefined: the account that the server runs as. */
export function accountOf({ token }: FastifyRequest): string | undefined {
  return token === null ? undefined : `${token} (token)`;
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
      throw new Problem(405, 'method_not_allowed', `${method} is not supported here: ${allow}`);
    },
    handler: () => undefined,
  });
}

export type ComparisonResult = z.infer<typeof comparisonResult>;
export type ComparisonProgress = z.infer<typeof comparison>['progress'];

export type CompareModels = (
  wanted: { digests: readonly string[]; belt: string | null; images: number },
  how: { signal: AbortSignal; onProgress: (progress: ComparisonProgress) => void },
) => Promise<ComparisonResult>;

export interface ServeDeps {
  pool: Pool;
  topic: Topic;
  producer: Producer;
  store: ObjectStore;
  looking: Pick<ImagesApart, 'header' | 'thumbnail'>;
  /** What the models in use can answer; null, or absent: there is none to ask. */
  answers?: () => Promise<ModelAnswers | null>;
  /** Compares two published models; without it there is no /v1/models/compare. Rejects with the signal's reason. */
  compare?: CompareModels;
  /** Which of the servers are known to be away, and since when; absent: nobody watches them. */
  servers?: Pick<Servers, 'away'>;
  /** What /metrics answers; without it there is no /metrics. */
  metrics?: { render(): Promise<{ contentType: string; body: string }> };
  /** Kept up to date with what is in hand, for whoever wants to see it. */
  load?: Load;
  report: (event: ServeEvent) => void;
}

export interface ServeOptions {
  http: HttpSettings;
  pipeline: string;
  limits: ImageLimits;
  /** Most bytes of images in memory at once. */
  imageMemoryBytes: number;
  /** From capture to row, in milliseconds: what takes longer is late; absent: not known here. */
  deadlineMs?: number;
  /** Of visionscale, for the OpenAPI document. */
  version: string;
  /** Directories of this machine that images or rows are written to, so that a full disk is known. */
  disks?: Disks;
  /** Told to stop: what is in flight is finished, nothing new is taken. */
  signal: AbortSignal;
}

export type ServeEvent =
  | { kind: 'listening'; url: string; access: 'tokens' | 'local' | 'read-only' }
  /** An image is in the topic. From the first byte of its request to the acknowledgement, in milliseconds. */
  | { kind: 'accepted'; id: string; way: 'store' | 'inline' | 'known'; bytes: number; ms: number }
  /** An image was not taken; `status` and `code` are those of the answer. */
  | { kind: 'refused'; status: number; code: string }
  /** Every answer that is no stream; `route` is a pattern, never a path. 499: the sender went away before it. */
  | { kind: 'answered'; method: string; route: string; status: number; ms: number }
  /** Models are compared, which takes processor time. `by`: undefined where no token was asked for. */
  | { kind: 'comparing'; models: string[]; images: number; by: string | undefined }
  /** Something of ours or of the servers behind us. */
  | { kind: 'failed'; status: number; code: string; error: unknown }
  | CertificateEvent
  | { kind: 'draining' }
  | { kind: 'cut off'; connections: number };
