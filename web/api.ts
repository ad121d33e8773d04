/** Asks the server. The token is kept for this session of the browser alone. */
import type { Result } from '../src/lib/base/results.ts';

export type { Result } from '../src/lib/base/results.ts';

const tokenKey = 'visionscale-token';

export function token(): string | null {
  return sessionStorage.getItem(tokenKey);
}

export function setToken(value: string | null): void {
  if (value === null || value === '') sessionStorage.removeItem(tokenKey);
  else sessionStorage.setItem(tokenKey, value);
}

/** What the server answers instead of what was asked for; status 0: it does not answer. */
export class ApiError extends Error {
  readonly status: number;
  readonly hint: string | undefined;
  /** Everything that it says. */
  readonly body: unknown;

  constructor(status: number, message: string, hint?: string, body?: unknown) {
    super(message);
    this.status = status;
    this.hint = hint;
    this.body = body;
  }
}

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const given = token();
  const headers = new Headers(init.headers);
  if (given !== null) headers.set('authorization', `Bearer ${given}`);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, 'no answer');
  }
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as { detail?: string; hint?: string };
  throw new ApiError(response.status, problem.detail ?? response.statusText, problem.hint, problem);
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await ask(path, signal ? { signal } : {})).json() as Promise<T>;
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  const headers = { 'content-type': 'application/json' };
  return (await ask(path, { method: 'POST', headers, body: JSON.stringify(body) })).json() as Promise<T>;
}

export async function picture(key: string, side: number, signal: AbortSignal): Promise<Blob> {
  return (await ask(`/v1/picture?${new URLSearchParams({ key, side: String(side) })}`, { signal })).blob();
}

/** `key`: sent again with it, the image counts once. */
export async function sendImage(image: File, key: string): Promise<{ id: string }> {
  const headers = {
    'content-type': image.type === '' ? 'application/octet-stream' : image.type,
    'idempotency-key': key,
    'visionscale-image-name': headerText(image.name),
  };
  return (await ask('/v1/images', { method: 'POST', body: image, headers })).json() as Promise<{
    id: string;
  }>;
}

/** Headers are bytes: those of UTF-8, without what would end one. */
function headerText(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text)).replaceAll(/[^\x20-\xff]/g, '_');
}

/** Results as server-sent events, behind the event `place`; empty: from now on. */
export async function openStream(place: string, signal: AbortSignal): Promise<ReadableStream<BufferSource>> {
  const headers: HeadersInit = place === '' ? {} : { 'last-event-id': place };
  return (await ask('/v1/results/stream', { signal, headers })).body as ReadableStream<BufferSource>;
}

// What it answers with: as the OpenAPI document says.

export interface Rights {
  tokens: boolean;
  token: string | null;
  may: { read: boolean; write: boolean; operate: boolean };
}

export interface Partition {
  partition: number;
  lag: number | null;
  owner: string | null;
  hostname: string | null;
  state: string;
  since: string | null;
  detail: string | null;
}

export interface Consumer {
  owner: string;
  hostname: string;
  state: string;
  detail: string | null;
  since: string;
  model: string | null;
  engine: string | null;
  imagesLastMinute: number;
}

export interface Server {
  reachable: boolean;
  reason: string | null;
}

export interface Status {
  pipeline: string;
  topic: string;
  predictions: number;
  deadLetters: number;
  partitions: Partition[];
  consumers: Consumer[];
  silent: Consumer[];
  model: {
    active: string | null;
    disagreement: boolean;
    belts: { belt: string; name: string; version: string }[];
  };
  drift: Drift[];
  bins: { version: number; source: string } | null;
  servers: { database: Server; topic: Server; store: Server | null };
  time: string;
  verdict: { ok: boolean; text: string };
}

export interface Drift {
  belt: string | null;
  kind: 'unknown' | 'confidence' | 'classes';
  since: string | null;
  from: number;
  to: number;
  category: string | null;
}

export interface Point {
  at: number;
  came: number | null;
  done: number;
  failed: number;
  late: number;
  latencyP50: number | null;
  latencyP99: number | null;
  workP50: number | null;
}

export interface Activity {
  seconds: number;
  points: Point[];
}

export interface ResultPage {
  results: Result[];
  next: string | null;
}

export interface Image {
  id: string;
  status: 'pending' | 'done' | 'failed';
  imageKey: string | null;
  result: Result | null;
  failure: { code: string; message: string; stage: string; at: string } | null;
}

export interface Bins {
  version: number | null;
  source: string | null;
  createdAt: string | null;
  text: string | null;
  rules: {
    manual: string;
    unknown: string;
    bins: { bin: string; classes: string[]; confidence: number; margin: number }[];
  } | null;
}

export interface BinCounts {
  minutes: number;
  bins: { bin: string | null; reason: string | null; results: number }[];
}

export interface Letter {
  id: number;
  state: string;
  stage: string;
  code: string;
  message: string;
  imageKey: string | null;
  requestId: string;
  attempts: number;
  lastAt: string;
  retrySentAt: string | null;
}

interface Measured {
  images: number;
  right: number;
  top1: number | null;
  interval95: { low: number; high: number } | null;
}

interface ModelAccuracy extends Measured {
  model: { name: string; version: string; digest: string };
  day: string | null;
}

export interface Accuracy {
  models: ModelAccuracy[];
  days: ModelAccuracy[];
  note: string;
  classes: (Measured & { digest: string; label: string })[];
  confused: { digest: string; label: string; category: string; images: number }[];
}

export interface LetterPage {
  letters: Letter[];
  open: Record<string, number>;
  next: number | null;
}

export interface Model {
  digest: string;
  name: string;
  version: string;
  labels: number;
  metrics: {
    top1?: number;
    top5?: number;
    agreement?: number;
    heldOutImages?: number;
    measuredOn?: string;
  } | null;
  created: string | null;
  publishedAt: string;
  parent: string | null;
  knows: string | null;
  source: string | null;
  training: { mode?: string; seed?: number; trainImages?: number; epochs?: number } | null;
  expected: { images: number; unknown?: number; confidence: { mean: number; sd: number } } | null;
  usedBy: (string | null)[];
}

export interface Models {
  models: Model[];
  belts: string[];
}

export interface ModelSide {
  name: string;
  version: string;
  digest: string;
  labels: number;
  top1: number | null;
}

export interface ModelChange {
  belt: string | null;
  before: ModelSide | null;
  after: ModelSide;
  labels: Record<'removed' | 'added', { count: number; some: string[] }>;
  bins: { version: number; faults: string[]; notes: string[] } | null;
  force: string[];
}

interface Switched {
  at: string;
  account: string;
  host: string;
}

export interface ModelHistory {
  switches: (Switched & { belt: string | null; former: string | null; current: string | null })[];
}

export interface BinHistory {
  switches: (Switched & { former: number | null; current: number })[];
}

export interface TriedBins {
  version: number | null;
  checked: boolean;
  faults: string[];
  notes: string[];
  results: number;
  bins: { bin: string; now: number; then: number }[];
  moves: {
    from: string | null;
    to: string;
    results: number;
    examples: { id: string; imageKey: string; category: string }[];
  }[];
}
