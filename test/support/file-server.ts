/** An HTTP server with one file, that can cut connections, forget ranges, or answer with errors; and proxies. */
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

export class FileServer implements AsyncDisposable {
  readonly requests: {
    range: string | undefined;
    ifRange: string | undefined;
    authorization: string | undefined;
    sent: number;
  }[] = [];
  content: Buffer;
  etag: string | undefined = '"one"';
  ranges = true;
  /** Bytes after which the connection of each of the next answers is cut; then whole answers. */
  cuts: number[] = [];
  /** Statuses of the next answers; then 200 or 206. */
  statuses: number[] = [];
  /** Whether the length is told. */
  length = true;
  /** After so many bytes nothing more comes, once. */
  stallAfter: number | undefined;
  readonly #server: Server;

  private constructor(content: Buffer) {
    this.content = content;
    this.#server = createServer((incoming, response) => this.#answer(incoming, response));
  }

  static async open(content: Buffer): Promise<FileServer> {
    const server = new FileServer(content);
    await once(server.#server.listen(0, '127.0.0.1'), 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/squeezenet.pth`;
  }

  #answer(incoming: IncomingMessage, response: ServerResponse): void {
    const { range, 'if-range': ifRange, authorization } = incoming.headers;
    const seen = { range, ifRange: ifRange as string | undefined, authorization, sent: 0 };
    this.requests.push(seen);
    const status = this.statuses.shift();
    if (status !== undefined) return void response.writeHead(status).end('no');
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    const partial = this.ranges && from > 0 && (ifRange === undefined || ifRange === this.etag);
    const body = partial ? this.content.subarray(from) : this.content;
    response.writeHead(partial ? 206 : 200, {
      ...(this.length && { 'content-length': body.length }),
      ...(this.etag !== undefined && { etag: this.etag }),
      ...(partial && { 'content-range': `bytes ${from}-${this.content.length - 1}/${this.content.length}` }),
    });
    const cut = this.cuts.shift();
    seen.sent = Math.min(cut ?? this.stallAfter ?? body.length, body.length);
    if (cut !== undefined) {
      response.write(body.subarray(0, cut), () => response.socket?.destroySoon());
    } else if (this.stallAfter !== undefined) {
      response.write(body.subarray(0, this.stallAfter));
      this.stallAfter = undefined;
    } else {
      response.end(body);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** A forward proxy: tunnels, and requests with a whole address. */
export class Proxy implements AsyncDisposable {
  /** What it was asked for. */
  readonly asked: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer((incoming, response) => {
      this.asked.push(incoming.url!);
      const { host: _, ...headers } = incoming.headers;
      request(incoming.url!, { headers }, (answer) => {
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
      }).end();
    });
    this.#server.on('connect', (incoming: IncomingMessage, client: Socket) => {
      this.asked.push(incoming.url!);
      const [host, port] = incoming.url!.split(':');
      const target = connect(Number(port), host, () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        target.pipe(client).pipe(target);
      });
      for (const socket of [client, target]) {
        this.#sockets.add(socket.on('error', () => undefined));
      }
    });
  }

  static async open(): Promise<Proxy> {
    const proxy = new Proxy();
    await once(proxy.#server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** A proxy that lets nobody out: what asks it reaches nothing. */
export class RefusingProxy implements AsyncDisposable {
  readonly asked: string[] = [];
  readonly #server = createServer((incoming, response) => {
    this.asked.push(incoming.url!);
    response.writeHead(502).end();
  });

  static async open(): Promise<RefusingProxy> {
    const proxy = new RefusingProxy();
    proxy.#server.on('connect', (incoming: IncomingMessage, socket: Socket) => {
      proxy.asked.push(incoming.url!);
      socket.on('error', () => undefined).end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    });
    await once(proxy.#server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
