/** What a benchmark ran on. */
import { cpus, loadavg, totalmem } from 'node:os';
import { usableCores } from '../../base/sandbox/parallelism.ts';

export interface Machine {
  cpu: string;
  cores: number;
  platform: string;
  node: string;
  memoryBytes: number;
  /** Runnable processes in the minute before: what else was going on. */
  load: number;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: usableCores(),
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    memoryBytes: totalmem(),
    load: loadavg()[0]!,
  };
}
