/**
 * GET without the SDK's layers of schemas and middleware, which cost more than everything else on the way of an image to its
 * consumer: its signer and its connections are used, and the endpoint that it chose for an earlier GET.
 */
import type { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';

/** An object that is there. */
export interface Found {
  body: Readable;
  bytes: number | undefined;
  encoding: string | undefined;
}

type Request = Parameters<Awaited<ReturnType<S3Client['config']['signer']>>['sign']>[0] & { path: string };

/** The SDK does not say what its own connections answer. */
interface Answer {
  statusCode: number;
  headers: Partial<Record<string, string>>;
  body: Readable;
}

/** Answers that are neither the object nor 404, one after the other: then the SDK knows better how to ask this server. */
const mostRefusals = 3;

export class QuickGet {
  readonly #client: S3Client;
  /** A GET of the SDK's, and the part of its path before the key. */
  #example: { request: Request; before: string } | undefined;
  #refusals = 0;

  constructor(client: S3Client) {
    this.#client = client;
    client.middlewareStack.add(
      (next, { commandName }) =>
        (args) => {
          if (commandName === 'GetObjectCommand') this.#learn(args.request as Request, args.input);
          return next(args);
        },
      { step: 'finalizeRequest', priority: 'low', name: 'quickGet' },
    );
  }

  /** Null where the SDK has to ask: the first time, and whenever the answer is not the object. */
  async get(key: string, signal?: AbortSignal): Promise<Found | null> {
    if (this.#example === undefined || this.#refusals >= mostRefusals) return null;
    const { request, before } = this.#example;
    const asked = {
      ...request,
      path: before + encodeKey(key),
      query: {},
      headers: { host: request.headers['host']! },
    };
    try {
      const { config } = this.#client;
      const signer = await config.signer();
      const signingDate = new Date(Date.now() + config.systemClockOffset);
      const signed = await signer.sign(asked, { signingDate });
      const answer = await config.requestHandler.handle(signed as never, signal && { abortSignal: signal });
      const { statusCode, headers, body } = (answer as { response: Answer }).response;
      if (statusCode === 200) {
        this.#refusals = 0;
        const length = headers['content-length'];
        return {
          body,
          bytes: length === undefined ? length : Number(length),
          encoding: headers['content-encoding'],
        };
      }
      body.destroy();
      this.#refusals += statusCode === 404 ? 0 : 1;
    } catch {
      signal?.throwIfAborted();
    }
    return null;
  }

  #learn(request: Request, input: unknown): void {
    const end = encodeKey((input as { Key: string }).Key);
    const { authorization = '' } = request.headers;
    // Signed in another way, or for a session of a directory bucket.
    if (!authorization.startsWith('AWS4-HMAC-SHA256 ') || 'x-amz-s3session-token' in request.headers) return;
    if (request.path.endsWith(end)) this.#example = { request, before: request.path.slice(0, -end.length) };
  }
}

export function encodeKey(key: string): string {
  return key.split('/').map(encodeSegment).join('/');
}

/** As the SDK writes it. */
function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
