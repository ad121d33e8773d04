/** Stack traces name the sources, where the bundle has its maps. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { packageRoot } from '../../src/lib/base/package.ts';
import { sourceStack } from '../../src/lib/base/source-stack.ts';
import { ensureBuilt } from '../support/build.ts';

beforeAll(ensureBuilt);

/** The line, from 1, and the column of `text`. */
function position(file: string, text: string): [number, number] {
  const lines = readFileSync(file, 'utf8').split('\n');
  const n = lines.findIndex((line) => line.includes(text));
  return [n + 1, lines[n]!.indexOf(text) + 1];
}

test('a place in the bundle becomes the place in the source', () => {
  const built = join(packageRoot, 'dist/lib/base/end-within.js');
  const source = join(packageRoot, 'src/lib/base/end-within.ts');
  const bundle = readFileSync(built, 'utf8').includes('function endWithin')
    ? built
    : join(packageRoot, 'dist', /chunks\/[\w-]+\.js/.exec(readFileSync(built, 'utf8'))![0]);
  const stack = `Error: so\n    at endWithin (${pathToFileURL(bundle).href}:${position(bundle, "spawn('/bin/sh'".replaceAll("'", '"')).join(':')})`;
  expect(sourceStack(stack)).toBe(
    `Error: so\n    at endWithin (${source}:${position(source, "spawn('/bin/sh'").join(':')})`,
  );
});

test('a place without a map stays', () => {
  const stack = 'Error: so\n    at file:///nowhere/at-all.js:1:2\n    at node:internal/timers:1:2';
  expect(sourceStack(stack)).toBe(stack);
});
