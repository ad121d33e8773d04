/** A bucket `imgs` on loopback that answers as one is told: S3's words, a proxy's page, or nothing but a status. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openS3Store } from '../../src/lib/systems/objects/s3/s3.ts';
import type { ObjectStore } from '../../src/lib/systems/objects/store.ts';

export interface StubAnswer {
  status: number;
  body?: string | Buffer;
  type?: string;
}

export const s3Fault = (status: number, code: string, message = 'words'): StubAnswer => ({
  status,
  type: 'application/xml',
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`,
});

export const listing: StubAnswer = {
  status: 200,
  type: 'application/xml',
  body: '<ListBucketResult><Name>imgs</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>',
};

export class S3Stub implements AsyncDisposable {
  /** Paths without the bucket; empty: its listing. */
  readonly asked: string[] = [];
  /** In the order of `asked`. */
  readonly methods: string[] = [];
  /** What a key is answered; by default its own name. */
  object: (key: string) => StubAnswer = (key) => ({ status: 200, body: key });
  bucket: () => StubAnswer = () => listing;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  static async open(): Promise<S3Stub> {
    const stub = new S3Stub();
    await once(stub.#server.listen(0, '127.0.0.1'), 'listening');
    return stub;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Asks once for everything, so that a test need not wait for the client's own retries. */
  store(): ObjectStore {
    const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
    return openS3Store({ endpoint: this.endpoint, bucket: 'imgs', credentials, attempts: 1 });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const key = decodeURIComponent(new URL(request.url!, 'http://host').pathname).replace(/^\/imgs\/?/, '');
    this.asked.push(key);
    this.methods.push(request.method!);
    const { status, body = '', type = 'text/plain' } = key === '' ? this.bucket() : this.object(key);
    response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
    response.end(request.method === 'HEAD' ? undefined : body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
