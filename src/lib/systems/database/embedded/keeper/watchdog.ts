/** Stops PostgreSQL when the keeper is killed and cannot do it any more. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { cleanEnvironment } from '../processes.ts';

/**
 * A shell that waits for the end of its input, which comes when the keeper ends in any way; then fast shutdown, and
 * after 15 s the immediate one.
 */
const script = `
trap '' HUP INT TERM
read -r _
kill -INT "$1" 2>/dev/null || exit 0
n=0
while kill -0 "$1" 2>/dev/null; do
  n=$((n + 1))
  if [ "$n" -gt 75 ]; then kill -QUIT "$1" 2>/dev/null; exit 0; fi
  sleep 0.2
done
`;

export interface Watchdog {
  dismiss(): void;
}

/** Without a shell (Windows) nobody watches: the next start deals with a server that was left behind. */
export function watch(server: ChildProcess): Watchdog {
  if (server.pid === undefined || process.platform === 'win32') return { dismiss: () => undefined };
  const shell = spawn('/bin/sh', ['-c', script, 'watchdog', String(server.pid)], {
    env: cleanEnvironment,
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true, // out of reach of a signal to the keeper's process group
  });
  shell.on('error', () => undefined);
  shell.stdin.on('error', () => undefined);
  return { dismiss: () => void shell.kill('SIGKILL') };
}
