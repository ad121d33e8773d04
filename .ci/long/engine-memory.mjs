// One engine's part of engine-memory: photographs through the pool; for tfjs then a session alone, to count its tensors.
import console from 'node:console';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import process from 'node:process';
import { engines } from '../../dist/lib/models/classifier/engines/engines.js';
import { loadModel } from '../../dist/lib/models/format/model.js';
import { openClassifier } from '../../dist/lib/models/classifier/pool.js';

const [engine, total, data] = [process.argv[2], Number(process.argv[3]), process.argv[4]];
const block = 500;
const mostGrowth = 50; // MiB between the first and the last line: a lost input an image would be 0.6 MiB each

const directory = join(data, 'images/imagenet-sample');
const photographs = readdirSync(directory)
  .filter((name) => /\.jpe?g$/i.test(name))
  .map((name) => readFileSync(join(directory, name)));
const model = await loadModel(join(data, 'models/squeezenet1_1-imagenet/squeezenet1_1.onnx'));
const mebibytes = () => Math.round(process.memoryUsage.rss() / 2 ** 20);

/** Prints a line every 500 calls, the first when everything is warm. */
async function watch(title, measure, once) {
  const found = [];
  for (let i = 1; i <= total; i++) {
    await once(i);
    if (i % block !== 0) continue;
    found.push(measure());
    console.log(`${engine} ${title}: ${i} images, ${found.at(-1)}`);
  }
  return found.at(-1) - found[0];
}

const classifier = await openClassifier({ model, engine, workers: 1 });
const grown = await watch('MiB resident', mebibytes, (i) =>
  classifier.classify(new Uint8Array(photographs[i % photographs.length])),
);
await classifier[Symbol.asyncDispose]();

let tensors = 0;
if (engine === 'tfjs') {
  const tf = createRequire(import.meta.url)('@tensorflow/tfjs-node');
  const images = new Float32Array(3 * 224 * 224).fill(0.5);
  const session = await engines.tfjs.open(model.weights, { side: 224 });
  tensors = await watch(
    'tensors',
    () => tf.memory().numTensors,
    () => session.run(images, 1),
  );
}
console.log(`${engine}: ${grown} MiB more at the end than after ${block} images, ${tensors} tensors more`);
process.exitCode = grown > mostGrowth || tensors !== 0 ? 1 : 0;
