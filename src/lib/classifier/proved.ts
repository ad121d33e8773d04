/**
 * Opens no model for the first time where a crash would cost something: what has not been tried on this host, with this
 * engine and size, is tried in a process of its own first. A note of what has passed makes every later start cost nothing.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { Device, EngineName } from './classifier.ts';
import { tryModel } from './trial.ts';

export interface Proof {
  /** `sha256:` and 64 hex digits of the weights; anything else is computed from them. */
  digest: string;
  engine: EngineName;
  device: Device;
  side: number;
}

/** More notes than any host has models; the oldest go. */
const maxNotes = 500;

/** Where a model store keeps them. */
export function proofsIn(store: string): string {
  return join(store, '.proved');
}

/** Throws what `tryModel` does. */
export async function proveModel(weights: Uint8Array, proof: Proof, directory: string): Promise<void> {
  const note = noteOf({ ...proof, digest: digestOf(weights, proof.digest) });
  if (existsSync(join(directory, note))) return;
  const { engine, device, side } = proof;
  await tryModel({ weights, engines: [engine], device, side, inputs: 'two' });
  write(directory, note);
}

/** For what a trial has just shown. */
export function noteProved(weights: Uint8Array, proof: Omit<Proof, 'digest'>, directory: string): void {
  write(directory, noteOf({ ...proof, digest: digestOf(weights, '') }));
}

function digestOf(weights: Uint8Array, said: string): string {
  if (/^sha256:[0-9a-f]{64}$/.test(said)) return said;
  return `sha256:${createHash('sha256').update(weights).digest('hex')}`;
}

/** What passes with one runtime on one processor may crash with another: a home directory may be shared, or moved. */
function noteOf({ digest, engine, device, side }: Proof): string {
  const host = [process.platform, process.arch, process.version, cpus()[0]?.model ?? '', version()];
  return createHash('sha256')
    .update(JSON.stringify([digest, engine, device, side, ...host]))
    .digest('hex');
}

function version(): string {
  // The same file from src/lib/classifier and from dist/lib/classifier.
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** A store that may not be written costs a trial at every start, no more. */
function write(directory: string, note: string): void {
  try {
    mkdirSync(directory, { recursive: true });
    const next = join(directory, `.${randomBytes(6).toString('hex')}`);
    writeFileSync(next, '');
    renameSync(next, join(directory, note));
    const all = readdirSync(directory);
    if (all.length <= maxNotes) return;
    const age = (name: string) => statSync(join(directory, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
    const [oldest] = all.sort((a, b) => age(a) - age(b));
    rmSync(join(directory, oldest!), { force: true });
  } catch {
    // Read-only, full, of another user.
  }
}
