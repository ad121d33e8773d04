/** TensorFlow is for users to bring: no installation tries it, and the line that brings it fits the place. */
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { tensorFlowInstall } from '../../../src/lib/models/classifier/engines/tensorflow.ts';
import { tfjsPackage } from '../../../src/lib/pipeline/doctor/packages.ts';

const name = '@tensorflow/tfjs-node';
const json = (path: string) =>
  JSON.parse(readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')) as Record<string, object>;

describe('@tensorflow/tfjs-node', () => {
  it('is an optional peer, and in no list that npm installs from', () => {
    const { dependencies, optionalDependencies, devDependencies, peerDependencies, peerDependenciesMeta } =
      json('package.json');
    for (const installed of [dependencies, optionalDependencies, devDependencies])
      expect(Object.keys(installed!)).not.toContain(name);
    expect(peerDependencies).toHaveProperty([name]);
    expect(peerDependenciesMeta).toHaveProperty([name, 'optional'], true);
    const locked = Object.keys(json('package-lock.json')['packages']!);
    expect(locked.filter((path) => path.includes('tfjs') || path.includes('node-pre-gyp'))).toEqual([]);
  });

  it('comes with a line for where visionscale is: a project, the whole machine, a checkout', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'visionscale-install-'));
    onTestFinished(() => rm(dir, { recursive: true }));
    await mkdir(join(dir, 'project'));
    await writeFile(join(dir, 'project/package.json'), '{}');
    const at = (path: string) => tensorFlowInstall(join(dir, path));
    expect(at('project/node_modules/visionscale')).toBe(`npm install ${name}@4.22.0`);
    expect(at('lib/node_modules/visionscale')).toBe(`npm install -g ${name}@4.22.0`);
    expect(at('src/visionscale')).toBe(`npm install --no-save --save-dev ${name}@4.22.0`);
  });

  it('is what doctor tells of', () => {
    expect(tfjsPackage.install).toContain(tensorFlowInstall());
    expect(tfjsPackage.purpose).toContain('train --mode scratch');
  });
});
