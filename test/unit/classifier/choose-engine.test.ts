/** Choosing an engine where some cannot be had. */
import { describe, expect, it } from 'vitest';
import { UsageError, VisionscaleError } from '../../../src/lib/base/errors.ts';
import type { Device, EngineName } from '../../../src/lib/models/classifier/classifier.ts';
import { chooseEngine } from '../../../src/lib/models/classifier/model-processes.ts';

const details = { code: 'engine_unavailable', hint: 'Install it.' };
const unavailable = new VisionscaleError('the fast one is not installed', details);

function run(
  engine: EngineName | 'auto',
  failures: Partial<Record<EngineName, Error>>,
  device: Device = 'cpu',
) {
  const notices: string[] = [];
  const tried: EngineName[] = [];
  const result = chooseEngine(
    { called: 'model m', engine, device },
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
    expect(notices).toEqual(['model m (onnx) ready']);
  });

  it('auto falls back, saying why and what to install', async () => {
    const { result, notices } = run('auto', { onnx: unavailable });
    await expect(result).resolves.toEqual({ engine: 'tfjs', opened: 'session of tfjs' });
    expect(notices).toEqual(['model m (tfjs) ready: the fast one is not installed. Install it.']);
    const second = run('auto', { onnx: unavailable, tfjs: new VisionscaleError('nor is this', details) });
    await expect(second.result).resolves.toEqual({ engine: 'wasm', opened: 'session of wasm' });
    expect(second.notices).toEqual(['model m (wasm) ready: the fast one is not installed. Install it.']);
  });

  it('auto goes past tfjs with a model that only others execute', async () => {
    const notSqueezeNet = new VisionscaleError('not SqueezeNet', { code: 'model_invalid' });
    const { result } = run('auto', { onnx: unavailable, tfjs: notSqueezeNet });
    await expect(result).resolves.toMatchObject({ engine: 'wasm' });
    await expect(run('auto', { onnx: notSqueezeNet }).result).rejects.toBe(notSqueezeNet);
  });

  it('auto does not hide what is wrong with the model', async () => {
    const mismatch = new VisionscaleError('2 labels', { code: 'labels_mismatch' });
    const { result, tried } = run('auto', { onnx: mismatch });
    await expect(result).rejects.toBe(mismatch);
    expect(tried).toEqual(['onnx']);
  });

  it('auto fails with the fastest engine’s reason where there is none', async () => {
    const none = new VisionscaleError('none', details);
    await expect(run('auto', { onnx: unavailable, tfjs: none, wasm: none }).result).rejects.toBe(unavailable);
  });

  it('takes no other than the engine asked for', async () => {
    const { result, notices, tried } = run('onnx', { onnx: unavailable });
    await expect(result).rejects.toBe(unavailable);
    expect(tried).toEqual(['onnx']);
    expect(notices).toEqual([]);
  });

  it('auto tries nothing but onnx for another device than the CPU', async () => {
    const { result, tried } = run('auto', { onnx: unavailable }, 'cuda');
    await expect(result).rejects.toBe(unavailable);
    expect(tried).toEqual(['onnx']);
  });

  it.each(['tfjs', 'wasm'] as const)('%s has no device but the CPU', async (engine) => {
    const { result, tried } = run(engine, {}, 'cuda');
    await expect(result).rejects.toBeInstanceOf(UsageError);
    expect(tried).toEqual([]);
    await expect(run(engine, {}).result).resolves.toMatchObject({ engine });
  });
});
