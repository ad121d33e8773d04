/** The verb `classify --server`: the files of a directory through a server, several at a time, their labels as they come. */
import { createHash } from 'node:crypto';
import { errorMessage, ImageError, isRetryable } from '../../base/errors.ts';
import { readImageFile } from '../../base/files/read-file.ts';
import type { FoundFile } from '../../base/files/walk.ts';
import { forEachConcurrently } from '../../base/flow/for-each.ts';
import { outageMs, retry } from '../../base/flow/retry.ts';
import { pause } from '../../base/flow/waiting.ts';
import { sniffImage } from '../../models/images/sniff.ts';
import type { ClassifyOptions, LeftOut } from './classify.ts';
import { filesOf, leftOut } from './classify.ts';
import type { LabelsFile, RemoteImage } from './labels-file.ts';
import { type ServerClient, waitAsTold } from './server-client.ts';

export interface RemoteDeps {
  client: ServerClient;
  /** Where labels are kept, and what an earlier run has found out. */
  labels: LabelsFile | undefined;
  report: (event: RemoteEvent) => Promise<void> | void;
}

export interface RemoteOptions extends ClassifyOptions {
  /** Images on their way at a time. */
  concurrency: number;
  /** How long what is away is waited for, in milliseconds; default: five minutes. */
  giveUpAfterMs?: number | undefined;
  /** Most images a second. */
  rate?: number;
  /** The same: images that were sent before are not classified again. */
  run: string;
}

export type RemoteEvent =
  /** `before`: by an earlier run, as the labels file says. */
  | { kind: 'classified'; result: RemoteImage; before: boolean }
  | LeftOut
  /** The server is away or busy; it is tried again. */
  | { kind: 'waiting'; reason: string };

/**
 * A bad file is told and stops nothing. Throws a ServerError when the server refuses us, or stays away for minutes. Sent
 * again under the key of its content and path, an image counts once, however often the run is interrupted.
 */
export async function classifyRemotely(deps: RemoteDeps, options: RemoteOptions): Promise<void> {
  const { client, labels, report } = deps;
  const { signal, maxBytes, concurrency, rate, run, giveUpAfterMs = outageMs } = options;
  const inTurn = pacer(rate, signal);

  async function classifyFile({ file, path, relative }: FoundFile): Promise<void> {
    try {
      const bytes = await readImageFile(file, maxBytes);
      await sniffImage(bytes);
      const sha256 = digest(bytes);
      const known = labels?.known(relative, sha256);
      if (known !== undefined) {
        await report({ kind: 'classified', result: known, before: true });
        return;
      }
      await inTurn();
      if (signal.aborted) return;
      const image = { bytes, name: relative, idempotencyKey: digest(`${sha256} ${relative} ${run}`) };
      const found = await patiently(() => client.classify(image, signal));
      const { id, category, confidence, top, bin, model } = found;
      // An older server tells none.
      const novelty = typeof found.novelty === 'number' ? found.novelty : null;
      const label = { category, confidence, top, novelty, model: model.name, modelDigest: model.digest };
      const result = { image: relative, ...label, bin, id };
      await labels?.add(sha256, result);
      await report({ kind: 'classified', result, before: false });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ImageError)) throw error;
      await report({ kind: 'rejected', rejection: { path, reason: error.message } });
    }
  }

  const patiently = <T>(attempt: () => Promise<T>): Promise<T> =>
    retry(
      () =>
        attempt().catch(async (error: unknown) => {
          if (isRetryable(error)) await report({ kind: 'waiting', reason: errorMessage(error) });
          await waitAsTold(error, signal);
          throw error;
        }),
      { signal, forMs: giveUpAfterMs },
    );

  await forEachConcurrently(filesOf(options, signal), concurrency, async (found) => {
    await ('file' in found ? classifyFile(found.file) : report(leftOut(found)));
  });
}

/** Resolves when it is one's turn, so that no more than `rate` a second begin. */
function pacer(rate: number | undefined, signal: AbortSignal): () => Promise<void> {
  let next = 0;
  return async () => {
    if (rate === undefined) return;
    const now = performance.now();
    next = Math.max(now, next + 1000 / rate);
    if (next > now) await pause(next - now, signal);
  };
}

function digest(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex');
}
