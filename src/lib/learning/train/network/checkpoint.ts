/** A training between two epochs, in a file: what `--resume` goes on from. Replaced whole or not at all. */
import { createHash, randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { VisionscaleError } from '../../../base/errors.ts';
import type { EpochMetrics } from '../events.ts';

export interface Checkpoint {
  /** Of everything that the training depends on. */
  fingerprint: string;
  /** Epochs that are behind it; the chance of each follows from its number and the seed. */
  epoch: number;
  /** Of the optimizer. */
  step: number;
  history: EpochMetrics[];
  bestEpoch: number;
  stoppedEarly: boolean;
  vector: Float32Array;
  slots: Float32Array[];
  /** Of normalisation. */
  averages: Float32Array;
  best: Float32Array;
}

const magic = 'visionscale-checkpoint-1\n';
const checksumBytes = 32;

/** Resolves when it is on the disk. */
export async function writeCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  const { vector, slots, averages, best, ...rest } = checkpoint;
  const arrays = [vector, ...slots, averages, best];
  const header = Buffer.from(
    `${magic}${JSON.stringify({ ...rest, lengths: arrays.map((array) => array.length) })}\n`,
  );
  const chunks = [header, ...arrays.map((a) => Buffer.from(a.buffer, a.byteOffset, a.byteLength))];
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  const next = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    {
      await using file = await open(next, 'wx', 0o600);
      for (const chunk of [...chunks, hash.digest()]) await file.writeFile(chunk);
      await file.sync();
    }
    await rename(next, path);
  } finally {
    await rm(next, { force: true });
  }
}

/** Undefined where there is none. Throws `checkpoint_invalid` where it is damaged or of another training. */
export async function readCheckpoint(path: string, fingerprint: string): Promise<Checkpoint | undefined> {
  let file: Buffer;
  try {
    file = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const content = file.subarray(0, -checksumBytes);
  const whole = createHash('sha256').update(content).digest().equals(file.subarray(-checksumBytes));
  if (!whole || !content.subarray(0, magic.length).equals(Buffer.from(magic))) {
    throw invalid(`${path} is not a checkpoint, or it is damaged`);
  }
  const end = content.indexOf('\n', magic.length);
  const header = JSON.parse(content.toString('utf8', magic.length, end)) as Omit<
    Checkpoint,
    'vector' | 'slots' | 'averages' | 'best'
  > & { lengths: number[] };
  const { lengths, ...rest } = header;
  if (rest.fingerprint !== fingerprint) {
    throw invalid(`${path} belongs to a training run with other images, classes or settings`);
  }
  // Copied: the arrays begin where the text ends, which may be anywhere.
  let from = end + 1;
  const arrays = lengths.map((length) => {
    const bytes = new Uint8Array(content.subarray(from, (from += length * 4)));
    return new Float32Array(bytes.buffer);
  });
  const [averages, best] = arrays.slice(-2);
  return { ...rest, vector: arrays[0]!, slots: arrays.slice(1, -2), averages: averages!, best: best! };
}

function invalid(message: string): VisionscaleError {
  return new VisionscaleError(message, {
    code: 'checkpoint_invalid',
    hint: 'Train without --resume to start over, or with the same settings as before.',
  });
}
