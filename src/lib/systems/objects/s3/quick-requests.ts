/**
 * GET and PUT without the SDK's layers of schemas and middleware, which cost more than everything else on the way of an image: its
 * signer and its connections are used, and the endpoint that it chose for an earlier request of the kind.
 */
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { S3Client } from '@aws-sdk/client-s3';

/** An object that is there. */
export interface Found {
  body: Readable;
  bytes: number | undefined;
  encoding: string | undefined;
}

export interface QuickBody {
  body: Buffer;
  contentType: string;
  /** Of the body, in hex: what is signed for it. */
  sha256: string;
}

type Signer = Awaited<ReturnType<S3Client['config']['signer']>>;
type Request = Parameters<Signer['sign']>[0] & { path: string };

/** The SDK does not say what its own connections answer. */
interface Answer {
  statusCode: number;
  headers: Partial<Record<string, string>>;
  body: Readable;
}

/** What is known of a kind of request. */
class Known {
  /** One of the SDK's, and the part of its path before the key. */
  example: { request: Request; before: string } | undefined;
  refusals = 0;
}

/** Answers that are neither 200 nor 404, one after the other: then the SDK knows better how to ask this server. */
const mostRefusals = 3;

/** What the SDK's requests have. With a checksum beside it, encryption, or a session, the SDK knows what the server wants. */
const usual = new Set([
  'host',
  'content-type',
  'content-length',
  'authorization',
  'user-agent',
  'x-amz-user-agent',
  'x-amz-date',
  'x-amz-content-sha256',
  'x-amz-security-token',
  'amz-sdk-invocation-id',
  'amz-sdk-request',
]);

export class QuickRequests {
  readonly #client: S3Client;
  readonly #get = new Known();
  readonly #put = new Known();
  /** Renews its credentials by itself. */
  #signer: Promise<Signer> | undefined;

  constructor(client: S3Client) {
    this.#client = client;
    const kinds: Partial<Record<string, Known>> = {
      GetObjectCommand: this.#get,
      PutObjectCommand: this.#put,
    };
    client.middlewareStack.add(
      (next, { commandName = '' }) =>
        (args) => {
          const known = kinds[commandName];
          if (known !== undefined) learn(known, args.request as Request, args.input as { Key: string });
          return next(args);
        },
      { step: 'finalizeRequest', priority: 'low', name: 'quickRequests' },
    );
  }

  /** Null where the SDK has to ask: the first time, and whenever the answer is not the object. */
  async get(key: string, signal?: AbortSignal): Promise<Found | null> {
    const answer = await this.#ask(this.#get, key, {}, undefined, signal);
    if (answer === null) return null;
    const { headers, body } = answer;
    const length = headers['content-length'];
    return {
      body,
      bytes: length === undefined ? length : Number(length),
      encoding: headers['content-encoding'],
    };
  }

  /** False where the SDK has to put it: the first time, and whenever the answer is not that it is there. */
  async put(key: string, { body, contentType, sha256 }: QuickBody): Promise<boolean> {
    const headers = {
      'content-type': contentType,
      'content-length': String(body.length),
      'x-amz-content-sha256': sha256,
    };
    const answer = await this.#ask(this.#put, key, headers, body);
    if (answer === null) return false;
    // The connection is free for the next one when all of the answer has been received.
    return finished(answer.body.resume()).then(
      () => true,
      () => false,
    );
  }

  /** Null where there is no 200. Rejects with the signal's reason. */
  async #ask(
    known: Known,
    key: string,
    headers: Record<string, string>,
    body?: Buffer,
    signal?: AbortSignal,
  ): Promise<Answer | null> {
    if (known.example === undefined || known.refusals >= mostRefusals) return null;
    const { request, before } = known.example;
    const host = request.headers['host']!;
    const asked = {
      ...request,
      path: before + encodeKey(key),
      query: {},
      headers: { host, ...headers },
      body,
    };
    const { config } = this.#client;
    try {
      const signer = await (this.#signer ??= config.signer());
      const signingDate = new Date(Date.now() + config.systemClockOffset);
      const signed = await signer.sign(asked, { signingDate });
      const options = signal && { abortSignal: signal };
      const { response } = (await config.requestHandler.handle(signed as never, options)) as {
        response: Answer;
      };
      if (response.statusCode === 200) {
        known.refusals = 0;
        return response;
      }
      response.body.destroy();
      known.refusals += response.statusCode === 404 ? 0 : 1;
    } catch {
      signal?.throwIfAborted();
      this.#signer = undefined;
    }
    return null;
  }
}

function learn(known: Known, request: Request, { Key }: { Key: string }): void {
  const { authorization = '' } = request.headers;
  const isPlain = Object.keys(request.headers).every((name) => usual.has(name.toLowerCase()));
  const end = encodeKey(Key);
  if (!authorization.startsWith('AWS4-HMAC-SHA256 ') || !isPlain || !request.path.endsWith(end)) return;
  known.example = { request: { ...request, body: undefined }, before: request.path.slice(0, -end.length) };
}

function encodeKey(key: string): string {
  return key.split('/').map(encodeSegment).join('/');
}

/** As the SDK writes it. */
function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
