/** Whether this CPU's int8 instructions need weights of 7 bits. */
import { readFile } from 'node:fs/promises';

/**
 * Without VNNI, x64 adds two products of uint8 and int8 in 16 bits, which overflow with 8-bit weights: wrong scores, no
 * error. Where the CPU cannot be asked, x64 is taken to be without.
 */
export async function needsReducedRange(
  arch: string = process.arch,
  cpuinfo = '/proc/cpuinfo',
): Promise<boolean> {
  if (arch !== 'x64') return false;
  const text = await readFile(cpuinfo, 'utf8').catch(() => '');
  const flags = /^flags\s*:(.*)$/m.exec(text)?.[1]?.trim().split(/\s+/) ?? [];
  return !flags.some((flag) => flag === 'avx512_vnni' || flag === 'avx_vnni');
}
