/** PUT without the SDK's layers, as `quick-get.ts` does it for GET: signed as the SDK signs, over its connections. */
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { S3Client } from '@aws-sdk/client-s3';
import { encodeKey } from './quick-get.ts';

type Signer = Awaited<ReturnType<S3Client['config']['signer']>>;
type Request = Parameters<Signer['sign']>[0] & { path: string };

interface Answer {
  statusCode: number;
  body: Readable;
}

export interface QuickBody {
  body: Buffer;
  contentType: string;
  /** Of the body, in hex: what is signed for it. */
  sha256: string;
}

/** Answers that do not say that the object is there, one after the other: then the SDK knows better how to ask this server. */
const mostRefusals = 3;

/** What every PUT of the SDK has. With a checksum beside it, or encryption, the SDK knows what the server wants. */
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

export class QuickPut {
  readonly #client: S3Client;
  /** A PUT of the SDK's, the part of its path before the key, and its signer, which renews its credentials. */
  #example: { request: Request; before: string; signer: Promise<Signer> } | undefined;
  #refusals = 0;

  constructor(client: S3Client) {
    this.#client = client;
    client.middlewareStack.add(
      (next, { commandName }) =>
        (args) => {
          if (commandName === 'PutObjectCommand') this.#learn(args.request as Request, args.input);
          return next(args);
        },
      { step: 'finalizeRequest', priority: 'low', name: 'quickPut' },
    );
  }

  /** False where the SDK has to put it: the first time, and whenever the answer is not that it is there. */
  async put(key: string, { body, contentType, sha256 }: QuickBody): Promise<boolean> {
    if (this.#example === undefined || this.#refusals >= mostRefusals) return false;
    const { request, before, signer } = this.#example;
    const asked = {
      ...request,
      path: before + encodeKey(key),
      query: {},
      headers: {
        host: request.headers['host']!,
        'content-type': contentType,
        'content-length': String(body.length),
        'x-amz-content-sha256': sha256,
      },
      body,
    };
    try {
      const { config } = this.#client;
      const signingDate = new Date(Date.now() + config.systemClockOffset);
      const signed = await (await signer).sign(asked, { signingDate });
      const { response } = (await config.requestHandler.handle(signed as never)) as { response: Answer };
      // The connection is free for the next one when all of the answer has been received.
      await finished(response.body.resume());
      const done = response.statusCode === 200;
      this.#refusals = done ? 0 : this.#refusals + 1;
      return done;
    } catch {
      return false;
    }
  }

  #learn(request: Request, input: unknown): void {
    const end = encodeKey((input as { Key: string }).Key);
    const { authorization = '' } = request.headers;
    const plain = Object.keys(request.headers).every((name) => usual.has(name.toLowerCase()));
    if (!authorization.startsWith('AWS4-HMAC-SHA256 ') || !plain || !request.path.endsWith(end)) return;
    if (this.#example !== undefined) return;
    const signer = this.#client.config.signer();
    signer.catch(() => undefined);
    this.#example = {
      request: { ...request, body: undefined },
      before: request.path.slice(0, -end.length),
      signer,
    };
  }
}
