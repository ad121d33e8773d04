/** What a process has used: time computed, all its threads together, however long it waited for a core; memory. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** The unit of /proc/<pid>/stat on every Linux there is, in milliseconds. */
const clockTickMs = 10;

/** In milliseconds; undefined where it cannot be told (no such process any more). */
export async function cpuTimeMs(pid: number): Promise<number | undefined> {
  return process.platform === 'linux' ? cpuTimeMsNow(pid) : fromPs(pid);
}

/** The same at once; undefined on other systems than Linux, too. */
export function cpuTimeMsNow(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field, the name, may hold anything, spaces and brackets too.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * clockTickMs;
  } catch {
    return undefined;
  }
}

/** Resident, in bytes; 0 where it cannot be told. */
export function memoryOf(pid: number): number {
  try {
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return Number(kibibytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** POSIX: `[[dd-]hh:]mm:ss`, with hundredths on macOS. */
async function fromPs(pid: number): Promise<number | undefined> {
  const text = await new Promise<string>((resolve) => {
    execFile('ps', ['-o', 'time=', '-p', `${pid}`], { timeout: 2000 }, (error, stdout) =>
      resolve(error ? '' : stdout.trim()),
    );
  });
  return parsePsTime(text);
}

export function parsePsTime(text: string): number | undefined {
  const found = /^(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+(?:\.\d+)?)$/.exec(text);
  if (found === null) return undefined;
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = found.slice(1).map((part) => Number(part ?? 0));
  return Math.round((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000);
}
