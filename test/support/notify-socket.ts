/** A stand-in for systemd's socket, with python3, and for its program `systemd-notify` where that is not installed. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const havePython = spawnSync('python3', ['--version']).status === 0;

const script = fileURLToPath(new URL('./notify-socket.py', import.meta.url));

export interface NotifySocket extends AsyncDisposable {
  address: string;
  /** A search path on which there is a `systemd-notify`. */
  path: string;
  /** What came: a datagram is lines of NAME=value. */
  received: string[];
  /** Resolves when a line has come that matches. */
  until(pattern: RegExp): Promise<void>;
}

/** `dir` takes the socket: a short path, for the kernel allows 107 bytes. */
export async function openNotifySocket(dir: string): Promise<NotifySocket> {
  const address = join(dir, 'notify');
  const child = spawn('python3', [script, address], { stdio: ['pipe', 'pipe', 'inherit'] });
  const received: string[] = [];
  const waiting = new Set<() => void>();
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    received.push(JSON.parse(line) as string);
    for (const look of waiting) look();
  });
  const until = (pattern: RegExp) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!received.some((datagram) => pattern.test(datagram))) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  await until(/^listening$/);
  received.length = 0;
  return {
    address,
    path: searchPath(dir),
    received,
    until,
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit');
      child.stdin.end();
      await ended;
    },
  };
}

function searchPath(dir: string): string {
  const path = process.env['PATH'] ?? '';
  if (spawnSync('systemd-notify', ['--version']).status === 0) return path;
  const bin = join(dir, 'bin');
  mkdirSync(bin);
  const standIn = join(bin, 'systemd-notify');
  writeFileSync(
    standIn,
    `#!/usr/bin/env python3
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto("\\n".join(sys.argv[1:]).encode(), os.environ["NOTIFY_SOCKET"])
`,
  );
  chmodSync(standIn, 0o755);
  return `${bin}:${path}`;
}
