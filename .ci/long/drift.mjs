// See drift: classifies images as they are and as a worse camera would show them, and draws belts from the answers.
import console from 'node:console';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import sharp from 'sharp';
import { openClassifier } from '../../dist/lib/models/classifier/pool.js';
import { loadModel } from '../../dist/lib/models/format/model.js';
import { BeltWatch } from '../../dist/lib/pipeline/drift/belt.js';

const [path, belt, other, falseImages = '5000000'] = process.argv.slice(2);
const most = 500; // pictures of each kind
const streams = 200;

let state = 1;
/** From 0 to 1: mulberry32. */
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let x = Math.imul(state ^ (state >>> 15), 1 | state);
  x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
  return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
}

/** Some of all folders, the same every time. */
function pictures(directory) {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.jpe?g$/i.test(name))
    .sort();
  for (let i = files.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [files[i], files[j]] = [files[j], files[i]];
  }
  return files.slice(0, most).map((name) => readFileSync(join(directory, name)));
}

const model = await loadModel(path);
const classifier = await openClassifier({ model, engine: 'onnx', workers: 1 });

/** What a consumer would see of each picture. */
async function seen(images, change) {
  const answers = [];
  for (const image of images) {
    const bytes = change === null ? image : await change(sharp(image)).jpeg({ quality: 92 }).toBuffer();
    const { top, novelty } = await classifier.classify(new Uint8Array(bytes));
    answers.push({
      category: top[0].category,
      confidence: top[0].confidence,
      unknown: novelty === undefined ? null : novelty >= 1,
    });
  }
  return answers;
}

const mine = pictures(belt);
const usual = await seen(mine, null);
const changes = {
  'dimmed to a half': await seen(mine, (image) => image.linear(0.5)),
  'dimmed to a quarter': await seen(mine, (image) => image.linear(0.25)),
  'blurred, 4 pixels': await seen(mine, (image) => image.blur(4)),
  'blurred, 8 pixels': await seen(mine, (image) => image.blur(8)),
  'swapped for the other': await seen(pictures(other), null),
};
await classifier[Symbol.asyncDispose]();

const any = (answers) => answers[Math.floor(random() * answers.length)];

/** What is found in so many images; the watch's reference comes of its first ones. */
function* found(watch, answers, images, from) {
  for (let n = 0; n < images; n++) {
    if (!watch.add({ ...any(answers), time: from + n })) continue;
    const first = watch.firstShown();
    if (first !== null) watch.compareWith(first, true);
    for (const { drift, over } of watch.judge()) if (!over) yield { n: n + 1, drift };
  }
}

/** A watch of 1,000 images without an alarm: false ones are counted below. */
function unmoved() {
  const watch = new BeltWatch(undefined);
  return [...found(watch, usual, 1000, 0)].length === 0 ? watch : unmoved();
}

const mean = (answers) =>
  (answers.reduce((sum, { confidence }) => sum + confidence, 0) / answers.length).toFixed(1);
const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? '–';
console.log(`mean confidence as it is: ${mean(usual)} %`);
console.log(
  '| change | mean confidence | noticed within 500 | after (median, 95 %) | error of "since" (median, 95 %) | first by |',
);
for (const [name, answers] of Object.entries(changes)) {
  const after = [];
  const errors = [];
  const kinds = {};
  for (let stream = 0; stream < streams; stream++) {
    const watch = unmoved();
    const [first] = found(watch, answers, 500, 1000);
    if (first === undefined) continue;
    after.push(first.n);
    errors.push(Math.abs(first.drift.since - 1000));
    kinds[first.drift.kind] = (kinds[first.drift.kind] ?? 0) + 1;
  }
  after.sort((a, b) => a - b);
  errors.sort((a, b) => a - b);
  const by = Object.entries(kinds).map(([kind, count]) => `${kind} ${count}`);
  console.log(
    `| ${name} | ${mean(answers)} % | ${after.length} of ${streams} | ${at(after, 0.5)}, ${at(after, 0.95)} images | ` +
      `${at(errors, 0.5)}, ${at(errors, 0.95)} images | ${by.join(', ')} |`,
  );
}

const life = 50_000;
let alarms = 0;
let images = 0;
for (; images < Number(falseImages); images += life) {
  for (const alarm of found(new BeltWatch(undefined), usual, life, 0)) if (alarm) alarms++;
}
console.log(
  `unchanged: ${alarms} alarms in ${images / 1e6} million images, ${((alarms / images) * life).toFixed(3)} in ${life}`,
);
