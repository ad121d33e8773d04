/** A TCP proxy in front of a server, which can let bytes through slowly, or hold them for ever. */
import { once } from 'node:events';
import { createServer, connect, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Throttle {
  /** Adds this to every piece that comes back from the server, in milliseconds; 0: none. */
  delayMs: number;
  /** Bytes a second that a connection gets from the server. */
  bytesPerSecond: number;
}

export interface Proxy extends AsyncDisposable {
  readonly port: number;
  readonly throttle: Throttle;
}

const pieceBytes = 4096;

/** Listens on a free port of `host`, or on the given one. What is thrown into it goes on to `to`; disposing hangs up. */
export async function startProxy(
  host: string,
  to: { host: string; port: number } | { path: string },
  onPort = 0,
): Promise<Proxy> {
  const throttle: Throttle = { delayMs: 0, bytesPerSecond: Infinity };
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(to);
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.setNoDelay(true);
      socket
        .on('error', () => undefined)
        .on('close', () => {
          open.delete(socket);
          client.destroy();
          upstream.destroy();
        });
    }
    client.pipe(upstream);
    upstream.pipe(slowed(throttle)).pipe(client);
  });
  server.listen(onPort, host);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return {
    port,
    throttle,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of open) socket.destroy();
      await once(server, 'close');
    },
  };
}

function slowed(throttle: Throttle): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const go = async () => {
        for (let at = 0; at < chunk.length;) {
          const { delayMs, bytesPerSecond } = throttle;
          const slow = delayMs > 0 || bytesPerSecond !== Infinity;
          const piece = chunk.subarray(at, slow ? at + pieceBytes : chunk.length);
          if (slow) await sleep(delayMs + (piece.length / bytesPerSecond) * 1000);
          this.push(piece);
          at += piece.length;
        }
      };
      go().then(
        () => done(),
        (error: unknown) => done(error as Error),
      );
    },
  });
}
