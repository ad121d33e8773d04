/** Choosing an engine where some cannot be had. */
import { describe, expect, it } from 'vitest';
import { chooseEngine } from '../../../src/lib/classifier/choose-engine.ts';
import type { EngineName } from '../../../src/lib/classifier/classifier.ts';
import { VisionscaleError } from '../../../src/lib/errors.ts';

const unavailable = new VisionscaleError('the fast one is not installed', {
  code: 'engine_unavailable',
  hint: 'Install it.',
});

function run(wanted: EngineName | 'auto', failures: Partial<Record<EngineName, Error>>) {
  const notices: string[] = [];
  const tried: EngineName[] = [];
  const result = chooseEngine(
    wanted,
    (text) => notices.push(text),
    (engine) => {
      tried.push(engine);
      const failure = failures[engine];
      return failure === undefined ? Promise.resolve(`session of ${engine}`) : Promise.reject(failure);
    },
  );
  return { result, notices, tried };
}

describe('chooseEngine', () => {
  it('auto takes the fastest', async () => {
    const { result, notices, tried } = run('auto', {});
    await expect(result).resolves.toEqual({ engine: 'onnx', opened: 'session of onnx' });
    expect(tried).toEqual(['onnx']);
    expect(notices).toEqual(['engine onnx']);
  });

  it('auto falls back, saying why and what to install', async () => {
    const { result, notices } = run('auto', { onnx: unavailable });
    await expect(result).resolves.toEqual({ engine: 'wasm', opened: 'session of wasm' });
    expect(notices).toEqual(['engine wasm: the fast one is not installed. Install it.']);
  });

  it('auto does not hide what is wrong with the model', async () => {
    const mismatch = new VisionscaleError('2 labels', { code: 'labels_mismatch' });
    const { result, tried } = run('auto', { onnx: mismatch });
    await expect(result).rejects.toBe(mismatch);
    expect(tried).toEqual(['onnx']);
  });

  it('auto fails with the fastest engine’s reason where there is none', async () => {
    const none = new VisionscaleError('none', { code: 'engine_unavailable' });
    await expect(run('auto', { onnx: unavailable, wasm: none }).result).rejects.toBe(unavailable);
  });

  it('takes no other than the engine asked for', async () => {
    const { result, notices, tried } = run('onnx', { onnx: unavailable });
    await expect(result).rejects.toBe(unavailable);
    expect(tried).toEqual(['onnx']);
    expect(notices).toEqual([]);
  });
});
