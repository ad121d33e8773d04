/** The keeper's door: counts the processes that use the server by the connections they hold open. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo, ListenOptions, Socket } from 'node:net';
import { parseKeeperMessage, readLines } from './protocol.ts';
import type { GuestMessage, KeeperMessage } from './protocol.ts';

export interface Door {
  /** The path of its unix socket, or its port on loopback. */
  at: string | number;
  /** What a guest has to show. */
  token: string;
  /** Tells every guest, and whoever comes from now on. */
  tell(message: KeeperMessage): void;
  /** Resolves once nobody has been inside for the linger; whoever comes later is told `stopping`. */
  empty: Promise<void>;
  guests(): number;
  /** Lets nobody in any more; those inside may stay. */
  shut(): void;
  /** Stops listening and hangs up. */
  close(): void;
}

export interface DoorOptions {
  /** Of a unix socket; a free loopback port unless told. */
  path?: string;
  lingerMs: number;
  /** How long the first guest may take to come, ms. */
  firstGuestMs?: number;
}

/** How long a connection may take to show the token, ms. */
const introduction = 5_000;

/** A guest that is killed leaves too: the kernel closes its connection. */
export async function openDoor({ path, lingerMs, firstGuestMs = 5_000 }: DoorOptions): Promise<Door> {
  const token = randomBytes(32).toString('base64url');
  const inside = new Set<Socket>();
  let current: KeeperMessage = { state: 'starting' };
  let shut = false;
  let nobodyThere: () => void;
  const empty = new Promise<void>((resolve) => (nobodyThere = resolve));

  const leave = () => {
    shut = true;
    nobodyThere();
  };
  let leaving = setTimeout(leave, firstGuestMs);

  const server = createServer((socket) => {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    socket.on('error', () => undefined); // 'close' follows
    const stranger = setTimeout(() => socket.destroy(), introduction);
    readLines(socket, (line) => {
      if (inside.has(socket)) return;
      if (!isToken(parseKeeperMessage<GuestMessage>(line)?.token, token)) {
        socket.destroy();
        return;
      }
      clearTimeout(stranger);
      if (shut) {
        send(socket, { state: 'stopping' });
        return;
      }
      clearTimeout(leaving);
      inside.add(socket);
      send(socket, current);
    });
    socket.on('close', () => {
      clearTimeout(stranger);
      if (inside.delete(socket) && inside.size === 0) leaving = setTimeout(leave, lingerMs);
    });
  });
  const where: ListenOptions = path === undefined ? { host: '127.0.0.1', port: 0 } : { path };
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(where, resolve);
  });

  return {
    at: path ?? (server.address() as AddressInfo).port,
    token,
    empty,
    guests: () => inside.size,
    shut: () => void (shut = true),
    close() {
      clearTimeout(leaving);
      server.close();
      for (const socket of inside) socket.destroy();
    },
    tell(message) {
      current = message;
      for (const socket of inside) send(socket, message);
    },
  };
}

function send(socket: Socket, message: KeeperMessage): void {
  socket.write(`${JSON.stringify(message)}\n`);
}

function isToken(shown: unknown, token: string): boolean {
  if (typeof shown !== 'string') return false;
  const [a, b] = [Buffer.from(shown), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}
