/**
 * `npm run train-bundled [<dir>]`: makes models/squeezenet again by the commands that users have: draws parts, trains on
 * them from scratch, measures the result on others, and puts it in its place if it is good enough. What is in `<dir>`
 * already is used, so that it goes on where it was stopped.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { drawParts } from './lib/local/drawings/draw.ts';
import { loadModel } from './lib/models/format/model.ts';
import { partsModelDirectory } from './lib/models/store/entry.ts';
import { openModelStore } from './lib/models/store/store.ts';

const name = 'belt-parts';
const knows = 'visionscale’s drawings of machine parts and packages, not photographs';
const version = '1';
const training = { count: 14_400, seed: 1 };
const fresh = { count: 2000, seed: 2 };
const epochs = 20;
const batchSize = 64;
/** Width and height of the network's input in pixels: enough for these pictures, and four times as fast as 224. */
const inputSize = 112;
const leastTop1 = 0.97;
/** Share of fresh pictures that may be called unknown. */
const mostUnknown = 0.01;

/** The same file from src and from dist. */
const binary = fileURLToPath(new URL('../bin/visionscale.js', import.meta.url));

/** Runs one of our own commands; its progress is the reader's, its result the caller's. */
async function visionscale(args: readonly string[]): Promise<unknown> {
  const child = spawn(process.execPath, [binary, ...args, '--json'], {
    stdio: ['inherit', 'pipe', 'inherit'],
  });
  const out: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`visionscale ${args[0]} ended with exit code ${code}`);
  return JSON.parse(Buffer.concat(out).toString());
}

/** Drawn into another place and renamed: what has its name is whole. */
async function drawn(directory: string, options: { count: number; seed: number }): Promise<string> {
  if (await stat(directory).catch(() => undefined)) return directory;
  process.stderr.write(`drawing ${options.count} pictures into ${directory}\n`);
  await rm(`${directory}.part`, { recursive: true, force: true });
  await drawParts(`${directory}.part`, options);
  await rename(`${directory}.part`, directory);
  return directory;
}

const work = resolve(process.argv[2] ?? 'data/train-bundled');
const models = join(work, 'models');
await mkdir(work, { recursive: true });
const pictures = await drawn(join(work, 'train'), training);
const others = await drawn(join(work, 'fresh'), fresh);
const recipe = ['--mode', 'scratch', '--input-size', `${inputSize}`, '--epochs', `${epochs}`];
const chance = ['--batch-size', `${batchSize}`, '--seed', '1'];
const holdOut = ['--val-split', '0.08'];
// Nothing of this user's own data or models is touched.
const places = ['--data-dir', work, '--models', models, '--out', join(work, 'training-report')];
await visionscale([
  'train',
  pictures,
  '--name',
  name,
  ...recipe,
  ...chance,
  ...holdOut,
  ...places,
  '--resume',
]);
const judged = (await visionscale([
  'evaluate',
  others,
  ...['--model', name, '--models', models, '--out', join(work, 'evaluation')],
])) as { top1: number; top5: number; unknown: number | null };
if (judged.top1 < leastTop1) {
  throw new Error(`${(100 * judged.top1).toFixed(1)} % on fresh pictures is less than ${100 * leastTop1} %`);
}

if (judged.unknown === null || judged.unknown > mostUnknown) {
  throw new Error(`${judged.unknown} of the fresh pictures are called unknown, more than ${mostUnknown}`);
}

const { path } = await openModelStore(models).find(name);
const { manifest, info } = await loadModel(path);
const { labels: _, ...rest } = manifest!;
const metrics = {
  top1: judged.top1,
  top5: judged.top5,
  measuredOn: `${fresh.count} fresh pictures: npm run make-parts -- --count ${fresh.count} --seed ${fresh.seed} <dir>`,
};
const source = `npm run train-bundled: ${training.count} drawn pictures (seed ${training.seed}), from scratch`;
await mkdir(partsModelDirectory, { recursive: true });
for (const file of ['model.onnx', 'labels.txt']) await cp(join(path, file), join(partsModelDirectory, file));
await writeFile(
  join(partsModelDirectory, 'model.json'),
  `${JSON.stringify({ ...rest, name, version, knows, source, metrics, digest: info.digest }, undefined, 2)}\n`,
);
process.stdout.write(
  `${name}@${version}: ${(100 * judged.top1).toFixed(2)} % of ${fresh.count} fresh pictures; written to ${partsModelDirectory}\n`,
);
