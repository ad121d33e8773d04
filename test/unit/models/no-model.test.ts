/** What a person is told who has chosen no model. */
import { describe, expect, it } from 'vitest';
import { defaultManifest } from '../../../src/lib/models/format/manifest.ts';
import { noModel } from '../../../src/lib/models/store/chosen.ts';
import type { ModelEntry } from '../../../src/lib/models/store/entry.ts';

function entry(name: string, details: Partial<ModelEntry> = {}): ModelEntry {
  const common = { version: '1', path: '/x', digest: undefined, bytes: 1, bundled: false, fault: undefined };
  return { ...common, name, manifest: defaultManifest, ...details };
}

const bundled = entry('belt-parts', {
  bundled: true,
  manifest: { ...defaultManifest, knows: 'parts, not photographs' },
});

describe('noModel', () => {
  it('offers the ImageNet model, and does not offer to choose the bundled one', () => {
    const { code, hint } = noModel([bundled]);
    expect(code).toBe('no_model');
    expect(hint).toContain('model pull squeezenet1_1');
    expect(hint).not.toContain('model use');
  });

  it('names the bundled model only with what it knows', () => {
    expect(noModel([bundled]).hint).toContain(
      'belt-parts, the bundled model, only recognises parts, not photographs: --model belt-parts',
    );
    expect(noModel([]).hint).not.toContain('bundled');
  });

  it('names a whole model of the store first', () => {
    const { hint } = noModel([entry('broken', { fault: 'model.onnx is missing' }), entry('mine'), bundled]);
    expect(hint).toMatch(/^Choose one of the store: visionscale model use mine@1 /);
  });
});
