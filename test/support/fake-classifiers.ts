/** Classifiers that a test opens, and sees closed; one answers at once with its model's name. */
import type { Classifier } from '../../src/lib/models/classifier/classifier.ts';
import { HeldModels } from '../../src/lib/models/classifier/held.ts';

const MiB = 2 ** 20;
/** What a process of a model without weights is reckoned as. */
export const processBytes = 80 * MiB;

export interface FakeClassifiers {
  held: HeldModels;
  /** What was opened and closed, in order: `+a`, `-a`. */
  seen: string[];
  /** What opening a model does before it succeeds; it may throw, or wait. */
  opening: Map<string, () => Promise<void>>;
  /** Asks for another process of it. */
  mayGrow: Map<string, () => boolean>;
  clock: { now: number };
  /** Told of what could not be opened. */
  failed: { tell: (digest: string, reason: string) => void };
}

/** Room for so many processes besides what is kept. */
export function fakeClassifiers(room: number): FakeClassifiers {
  const seen: string[] = [];
  const opening = new Map<string, () => Promise<void>>();
  const mayGrow = new Map<string, () => boolean>();
  const clock = { now: 0 };
  const failed = { tell: (_digest: string, _reason: string) => undefined as void };
  const held = new HeldModels({
    memoryBytes: room * processBytes,
    async open(digest, grow) {
      await opening.get(digest)?.();
      seen.push(`+${digest}`);
      mayGrow.set(digest, grow);
      return fakeClassifier(digest, () => seen.push(`-${digest}`));
    },
    onFailed: (digest, reason) => failed.tell(digest, reason),
    now: () => clock.now,
  });
  return { held, seen, opening, mayGrow, clock, failed };
}

export function fakeClassifier(name: string, onClosed: () => void = () => undefined): Classifier {
  const model = { name, version: '1', digest: name, labels: ['x'] };
  let closing: Promise<void> | undefined;
  return {
    engine: 'onnx',
    model,
    workers: 1,
    classify: () =>
      Promise.resolve({
        top: [{ category: 'x', confidence: 90 }],
        stages: { decode: 0, preprocess: 0, infer: 0 },
        model,
      }),
    [Symbol.asyncDispose]: () => (closing ??= Promise.resolve(onClosed())),
  };
}

export const wanted = (digest: string) => ({ digest, bytes: 0 });

/** Lets everything happen that waits for nothing outside. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));
