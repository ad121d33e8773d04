/** Ends this process for certain: from outside, for what hangs in native code stops timers, exit handlers and the exit itself. */
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/** A shell that sleeps and then kills; the end of its input, which comes with the end of the process, ends it before. */
const script = `
exec 3<&0
sleep "$2" &
timer=$!
(read -r _ <&3; kill "$timer") &
wait "$timer" && kill -KILL "$1"
`;

/** By SIGKILL, where it has not ended by itself in `ms` milliseconds. */
export function endWithin(ms: number): void {
  // Where there is no shell, or no process to be had for it.
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), ms).unref();
  if (process.platform === 'win32') return;
  const shell = spawn('/bin/sh', ['-c', script, 'end-within', `${process.pid}`, `${Math.ceil(ms / 1000)}`], {
    env: { PATH: '/usr/bin:/bin' },
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  shell.on('error', () => undefined);
  shell.unref();
  // Where there is no file descriptor left there is none of these.
  const input = shell.stdin as Socket | undefined;
  input?.on('error', () => undefined).unref();
}
