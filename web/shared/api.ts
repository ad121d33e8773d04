/** Asks the server. The token is kept for this session of the browser alone. */
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

/** The server is away, busy, or waits for something itself: the same may work a moment later. */
export function mayPass({ status }: ApiError): boolean {
  return status === 0 || status === 429 || status >= 500;
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
export async function sendImage(image: File, key: string, signal: AbortSignal): Promise<{ id: string }> {
  const headers = {
    'content-type': image.type === '' ? 'application/octet-stream' : image.type,
    'idempotency-key': key,
    'visionscale-image-name': headerText(image.name),
  };
  return (await ask('/v1/images', { method: 'POST', body: image, headers, signal })).json() as Promise<{
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
