/** Whether a process is still the one it was: pids are used again, and say nothing across containers. */
import { execFile } from 'node:child_process';
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { promisify } from 'node:util';
import { errorCode } from './files.ts';

const run = promisify(execFile);

/** All that processes started by us see of the caller's environment: neither PG* nor NODE_OPTIONS. */
export const cleanEnvironment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
};

/** Names the set of processes among which a pid has a meaning: this boot of this machine, this container. */
export async function processSpace(): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
  return boot === '' ? hostname() : `${boot.trim()} ${namespace}`;
}

/** When a process started, in a form that tells it from a later one with the same pid; null where there is none. */
export async function processStart(pid: number): Promise<string | null> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (errorCode(error) !== 'EPERM') return null;
  }
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
    if (stat === null) return null;
    // "pid (name) state ppid …": the name may hold anything, so count from its end. Field 22 is the start time.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const dead = fields[0] === 'Z' || fields[0] === 'X';
    return dead ? null : (fields[19] ?? 'unknown');
  }
  if (process.platform === 'win32') return 'unknown';
  return run('ps', ['-o', 'lstart=', '-p', String(pid)], { env: cleanEnvironment }).then(
    ({ stdout }) => stdout.trim(),
    () => null,
  );
}

/** The command line of a process, '' where it cannot be read. */
export async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return text.replaceAll('\0', ' ');
  }
  if (process.platform === 'win32') return '';
  return run('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { env: cleanEnvironment }).then(
    ({ stdout }) => stdout,
    () => '',
  );
}
