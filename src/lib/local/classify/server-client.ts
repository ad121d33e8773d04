/** Asks a server for the label of an image: one attempt, and what its failure means. */
import { Pool } from 'undici';
import { errorMessage, ImageError, VisionscaleError } from '../../base/errors.ts';
import { pause } from '../../base/flow/waiting.ts';
import { printable } from '../../base/printable.ts';
import { tlsFault, type TlsFault } from '../../base/tls.ts';
import type { Result } from '../../systems/database/tables/results.ts';

export interface ClientOptions {
  /** `http://host:port`, perhaps with a path. */
  server: string;
  token: string | undefined;
  /** Most at a time. */
  connections: number;
}

export interface SentImage {
  bytes: Buffer;
  name: string;
  idempotencyKey: string;
}

/** The server cannot be reached, or does not take the image now. */
export class ServerError extends VisionscaleError {
  override readonly name = 'ServerError';
  /** How long to wait before the next attempt, in milliseconds. */
  readonly retryAfterMs: number;

  constructor(message: string, code: string, { retryAfterMs = 0, retryable = true, hint = '' } = {}) {
    super(message, { code, retryable, ...(hint !== '' && { hint }) });
    this.retryAfterMs = retryAfterMs;
  }
}

/** How long the server is asked to hold its answer. */
const wait = '20s';
/** Above that: a server that says nothing for so long has gone, in milliseconds. */
const silenceMs = 60_000;
/** How long a result may take, in milliseconds. */
const patienceMs = 5 * 60_000;
/** Longest wait that a server is believed to mean, in milliseconds. */
const longestRetryAfterMs = 60_000;

/** Characters of what a server says about a fault. */
const mostTold = 500;

interface Answer {
  status: number;
  retryAfter: string | undefined;
  body: unknown;
}

export class ServerClient implements AsyncDisposable {
  readonly #pool: Pool;
  readonly #path: string;
  readonly #headers: Record<string, string>;
  readonly #where: string;

  constructor({ server, token, connections }: ClientOptions) {
    const { origin, pathname } = new URL(server);
    this.#where = server;
    this.#path = pathname.replace(/\/$/, '');
    this.#pool = new Pool(origin, { connections, headersTimeout: silenceMs, bodyTimeout: silenceMs });
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /**
   * Throws an ImageError where the image is at fault, a ServerError where the server is: retryable where it may pass.
   * Repeated with the same key, the image counts once.
   */
  async classify(image: SentImage, signal: AbortSignal): Promise<Result> {
    const giveUpAt = performance.now() + patienceMs;
    let answer = await this.#request('POST', `/v1/images?wait=${wait}`, signal, image);
    for (;;) {
      const { status, body } = answer;
      if (status === 200) {
        const state = body as Partial<{ status: string; result: Result; failure: unknown }>;
        if (state.status === undefined) return body as Result;
        if (state.status === 'done') return state.result!;
        if (state.status === 'failed')
          throw new ImageError(told(state.failure, 'message') ?? 'the server could not classify it', {
            code: told(state.failure, 'code') ?? 'failed',
          });
      } else if (status !== 202) throw this.#refusal(answer);
      if (performance.now() > giveUpAt) {
        throw new ServerError('no result came within 5 minutes', 'no_result', {
          retryable: false,
          hint: 'Is a consumer running? See: visionscale status',
        });
      }
      const { id } = body as { id: string };
      answer = await this.#request('GET', `/v1/images/${encodeURIComponent(id)}?wait=${wait}`, signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.destroy();
  }

  async #request(
    method: 'GET' | 'POST',
    path: string,
    signal: AbortSignal,
    image?: SentImage,
  ): Promise<Answer> {
    try {
      const { statusCode, headers, body } = await this.#pool.request({
        method,
        path: this.#path + path,
        signal,
        headers: { ...this.#headers, ...(image && headersOf(image)) },
        body: image?.bytes ?? null,
      });
      const text = await body.text();
      const retryAfter = headers['retry-after'];
      return { status: statusCode, retryAfter: String(retryAfter ?? ''), body: parsed(text) };
    } catch (error) {
      if (signal.aborted) throw error;
      throw unreachable(this.#where, error);
    }
  }

  #refusal({ status, retryAfter, body }: Answer): VisionscaleError {
    const code = told(body, 'code') ?? `http_${status}`;
    const detail = told(body, 'detail') ?? `status ${status}`;
    const hint = told(body, 'hint');
    const answer = `${this.#where} answers: ${detail}`;
    if ([408, 425, 429, 500, 502, 503, 504].includes(status)) {
      return new ServerError(answer, code, { retryAfterMs: retryAfterMs(retryAfter) });
    }
    if (status === 400 || status === 413 || status === 415 || status === 422) {
      return new ImageError(detail, { code, ...(hint !== undefined && { hint }) });
    }
    const hints: Record<number, string> = {
      401: 'Give the token in VISIONSCALE_TOKEN or VISIONSCALE_TOKEN_FILE.',
      404: 'Is this the address of a visionscale server?',
    };
    return new ServerError(answer, code, { retryable: false, hint: hint ?? hints[status] ?? '' });
  }
}

function unreachable(where: string, error: unknown): ServerError {
  const fault = tlsFault(error);
  if (fault !== undefined) {
    return new ServerError(`cannot reach ${where}: ${fault.said}`, 'server_tls', {
      retryable: false,
      hint: tlsHints[fault.kind],
    });
  }
  const hangsUp =
    /^http:/.test(where) && /ECONNRESET|other side closed|socket hang up/.test(errorMessage(error));
  return new ServerError(`${where} does not answer: ${errorMessage(error)}`, 'server_unreachable', {
    hint: hangsUp ? 'It hangs up: if it speaks TLS there, the URL must begin with https://.' : '',
  });
}

const tlsHints: Record<TlsFault['kind'], string> = {
  authority:
    'Set NODE_EXTRA_CA_CERTS to a file with the certificate of its authority, in the environment (not in .env).',
  name: 'Use a name that the certificate has in --server, or renew it with this one.',
  date: 'Renew the server’s certificate, and check this machine’s clock.',
  client: 'classify has no client certificate: let it in without one.',
  plain: 'The URL must begin with http://, or name the port for TLS.',
  version: 'TLS 1.2 or later is needed: check the server’s settings.',
};

/** Waits as long as the server said; to be called before the next attempt. */
export async function waitAsTold(error: unknown, signal: AbortSignal): Promise<void> {
  if (!(error instanceof ServerError) || error.retryAfterMs === 0) return;
  await pause(error.retryAfterMs, signal);
}

function headersOf({ name, idempotencyKey }: SentImage): Record<string, string> {
  return {
    'content-type': 'application/octet-stream',
    'idempotency-key': idempotencyKey,
    // A header is bytes: these are UTF-8.
    'visionscale-image-name': Buffer.from(name.replaceAll(/\p{Cc}/gu, '_')).toString('latin1'),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** One line of at most 500 characters, whatever a server sends; undefined where it says nothing. */
function told(body: unknown, name: string): string | undefined {
  const value = (body as Record<string, unknown> | null | undefined)?.[name];
  return typeof value === 'string' && value !== '' ? printable(value.slice(0, mostTold)) : undefined;
}

/** Seconds, or a date. */
function retryAfterMs(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), longestRetryAfterMs) : 0;
}
