/** What the server is made of and tells about itself. */
import type { Pool } from 'pg';
import type { Load } from '../../base/flow/load.ts';
import type { HttpSettings } from '../../config/http.ts';
import type { ImagesApart } from '../../models/images/apart.ts';
import type { ImageLimits } from '../../models/images/limits.ts';
import type { ObjectStore } from '../../systems/objects/store.ts';
import type { Producer, Topic } from '../../systems/topic/topic.ts';
import type { Disks } from './readiness.ts';

export interface ServeDeps {
  pool: Pool;
  topic: Topic;
  producer: Producer;
  store: ObjectStore;
  looking: Pick<ImagesApart, 'header'>;
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
  /** Something of ours or of the servers behind us. */
  | { kind: 'failed'; status: number; code: string; error: unknown }
  | { kind: 'draining' }
  | { kind: 'cut off'; connections: number };
