/** What is classified in a run: good images whose category is known, and every kind of bad object. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ObjectStore } from '../../src/lib/systems/objects/store.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { testData } from '../support/servers.ts';
import type { FaultsOptions } from './options.ts';
import { badObject, objectKinds } from './poison.ts';

export type Expected = { category: string } | { codes: readonly string[] };

export interface Images {
  /** For VISIONSCALE_MODEL. */
  model: string;
  /** What `upload` and `produce` bring; below a directory of their own. */
  uploads: { dir: string; keys: string[] };
  /** Good ones that anybody may ask for again and again. */
  common: string[];
  /** Keys of bad objects, or of none, that no upload would let through. */
  bad: string[];
  expected: Map<string, Expected>;
  /** Writes more good ones into a directory of their own. */
  more(count: number): Promise<{ dir: string; keys: number }>;
}

interface Sample {
  body: Buffer;
  category: string;
  extension: string;
}

/** Writes the files for `upload` below `dir`; `store` gets the bad objects. */
export async function makeImages(
  options: FaultsOptions,
  dir: string,
  count: number,
  badCount: number,
  store: ObjectStore,
): Promise<Images> {
  const { model, samples } =
    options.model === 'colors' ? await coloured(dir) : await photographs(options.testData!);
  const expected = new Map<string, Expected>();
  const uploads = { dir: join(dir, 'uploads'), keys: [] as string[] };
  const write = async (key: string, n: number, into = uploads.dir) => {
    const { body, category, extension } = samples[n % samples.length]!;
    const name = `${key}${extension}`;
    const path = join(into, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, body);
    expected.set(name, { category });
    return name;
  };
  const common: string[] = [];
  for (let n = 0; n < Math.min(60, samples.length); n++) common.push(await write(`common/${n}`, n));
  uploads.keys.push(...common);
  for (let n = common.length; n < count; n++) {
    uploads.keys.push(await write(`belt ${n % 4}/${String(n).padStart(6, '0')}`, n));
  }

  const bad: string[] = [];
  for (let n = 0; n < badCount; n++) {
    const { body, codes } = await badObject(objectKinds[n % objectKinds.length]!, n);
    const key = `bad/${n}.jpg`;
    if (body !== null) await store.put(key, body, { contentType: 'image/jpeg' });
    expected.set(key, { codes });
    bad.push(key);
  }
  let lots = 0;
  const more = async (wanted: number) => {
    const lot = ++lots;
    const into = join(dir, `more-${lot}`);
    for (let n = 0; n < wanted; n++) await write(`later ${lot}/${n}`, n, into);
    return { dir: into, keys: wanted };
  };
  return { model, uploads, common, bad, expected, more };
}

/** Images of one colour each, and a model that tells the three. */
async function coloured(dir: string): Promise<{ model: string; samples: Sample[] }> {
  const samples: Sample[] = [];
  for (let n = 0; n < 60; n++) {
    const category = colors[n % 3]!;
    const format = n % 2 === 0 ? 'png' : 'jpeg';
    samples.push({ body: await colorImage(category, n, format), category, extension: `.${format}` });
  }
  return { model: writeColorModel(join(dir, 'model')), samples };
}

/** The real network on real photographs; its answers are those of the reference. */
async function photographs(root: string): Promise<{ model: string; samples: Sample[] }> {
  const { model, photographs: from, golden } = testData(root);
  const answers = JSON.parse(await readFile(golden, 'utf8')) as Record<string, { category: string }[]>;
  const samples: Sample[] = [];
  for (const [file, [best]] of Object.entries(answers)) {
    samples.push({ body: await readFile(join(from, file)), category: best!.category, extension: '.jpg' });
  }
  return { model, samples };
}
