import { describe, expect, it } from 'vitest';
import type { Classification } from '../../../src/lib/base/classification.ts';
import type { Classifier } from '../../../src/lib/models/classifier/classifier.ts';
import { SwitchingClassifier } from '../../../src/lib/models/classifier/switching.ts';

/** Answers when told to; refuses once closed, and closes only when everything accepted is answered. */
function classifier(name: string) {
  const model = { name, version: '1', digest: `sha256:${name}`, labels: ['x'] };
  const answers: (() => void)[] = [];
  const accepted: Promise<unknown>[] = [];
  const state = { closed: false };
  const it: Classifier = {
    engine: 'onnx',
    model,
    workers: 1,
    classify: () => {
      if (state.closed) return Promise.reject(new Error(`${name} is closed`));
      const answer = new Promise<Classification>((resolve) => {
        answers.push(() => resolve({ top: [], stages: { decode: 0, preprocess: 0, infer: 0 }, model }));
      });
      accepted.push(answer);
      return answer;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(accepted);
      state.closed = true;
    },
  };
  return { it, state, answerAll: () => answers.splice(0).forEach((answer) => answer()) };
}

describe('SwitchingClassifier', () => {
  it('finishes with the former model what it has accepted, and gives the rest to the next', async () => {
    const [a, b] = [classifier('a'), classifier('b')];
    const switching = new SwitchingClassifier(a.it);
    const before = switching.classify(new Uint8Array(1));
    switching.switchTo(b.it);
    const after = switching.classify(new Uint8Array(1));
    expect(switching.model.name).toBe('b');
    b.answerAll();
    expect((await after).model.name).toBe('b');
    expect(a.state.closed).toBe(false);
    a.answerAll();
    expect((await before).model.name).toBe('a');
    await switching[Symbol.asyncDispose]();
    expect([a.state.closed, b.state.closed]).toEqual([true, true]);
  });
});
