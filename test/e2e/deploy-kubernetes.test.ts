/** What the pods of deploy/kubernetes run before they begin, with the built binary. */
import { spawnSync } from 'node:child_process';
import { readFileSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { parse } from 'yaml';
import { Rig } from '../support/binary.ts';
import { writeColorModel } from '../support/color-model.ts';
import { itThorough } from '../support/thorough.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** What a pod waits for: the condition of its line of shell. */
function awaited(file: string): string {
  const patch = parse(readFileSync(`${root}deploy/kubernetes/pods/${file}`, 'utf8')) as {
    spec: { template: { spec: { initContainers: { args: [string] }[] } } };
  };
  return /^until (.+?); *do /.exec(patch.spec.template.spec.initContainers[0]!.args[0])![1]!;
}

itThorough(
  'a pod waits for the tables, and a consumer for a model too',
  async () => {
    await using rig = await Rig.open();
    symlinkSync(`${root}bin/visionscale.js`, join(rig.dir, 'visionscale'));
    const [tables, model] = [awaited('service.yaml'), awaited('consumer.yaml')];
    const holds = (condition: string, env: Record<string, string> = {}) => {
      const PATH = `${rig.dir}${delimiter}${process.env['PATH']}`;
      return (
        spawnSync('sh', ['-c', condition], {
          stdio: 'ignore',
          cwd: rig.dir,
          env: { ...rig.env, ...env, PATH },
        }).status === 0
      );
    };
    expect([holds(tables), holds(model)]).toEqual([false, false]);
    await rig.json(['init']);
    expect([holds(tables), holds(model), holds(model, { VISIONSCALE_MODEL: 'parts' })]).toEqual([
      true,
      false,
      true,
    ]);
    await rig.run(['model', 'add', writeColorModel(join(rig.dir, 'model'))]);
    expect(await rig.run(['model', 'use', 'colors', '--yes'])).toMatchObject({ code: 0 });
    expect(holds(model)).toBe(true);
  },
  60_000,
);
