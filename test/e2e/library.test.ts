/** Another program that imports the package: `import { … } from 'visionscale'`, as docs/library.md shows. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Classified, RequestOutcome, Result, Score } from '../../src/library.ts';
import { Rig } from '../support/binary.ts';
import { plainJpeg } from '../support/images.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs a module beside a node_modules in which visionscale is installed; its last line of output is JSON. */
async function program(rig: Rig, code: string): Promise<{ code: number | null; out: string; err: string }> {
  await mkdir(join(rig.dir, 'node_modules'), { recursive: true });
  await symlink(root, join(rig.dir, 'node_modules', 'visionscale')).catch(() => undefined);
  await writeFile(join(rig.dir, 'program.mjs'), code);
  const child = spawn(process.execPath, ['program.mjs'], { cwd: rig.dir, env: rig.env });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code: child.exitCode, out, err };
}

interface Told {
  local: Classified[];
  broken: Classified[];
  top: Score[];
  refused: string;
  upload: unknown;
  produce: unknown;
  submitted: { id: string; imageKey: string };
  again: unknown;
  followed: Result[];
  consume: unknown;
  outcomes: RequestOutcome[];
  results: Result[];
}

describe('the library', () => {
  it('runs a pipeline and ends by itself, without a word', async () => {
    await using rig = await Rig.open({ VISIONSCALE_MODEL: join(root, 'models/squeezenet') });
    await mkdir(join(rig.dir, 'images'));
    for (const [n, colour] of ['red', 'green', 'blue', 'white', 'black', 'orange'].entries())
      await writeFile(join(rig.dir, 'images', `${n}.jpg`), await plainJpeg(colour));
    const { code, out, err } = await program(
      rig,
      `import { readFile, readdir } from 'node:fs/promises';
       import { classify, createClassifier, createPipeline } from 'visionscale';

       const [name] = (await readdir('images')).sort();
       const local = [];
       for await (const one of classify('images')) local.push(one);
       await writeBroken();
       const broken = [];
       for await (const one of classify('broken.jpg')) broken.push(one);

       const classifier = await createClassifier();
       const { top } = await classifier.classify(await readFile('images/' + name));
       const refused = await classifier.classify(Buffer.from('no image')).catch((error) => error.code);
       await classifier[Symbol.asyncDispose]();

       const pipeline = createPipeline({ settings: { VISIONSCALE_PIPELINE: 'embedded-in-a-program' } });
       const init = await pipeline.init();
       const upload = await pipeline.upload(['images']);
       const produce = await pipeline.produce();
       const submitted = await pipeline.submit(await readFile('images/' + name), { name, belt: 'north', idempotencyKey: 'one' });
       const again = await pipeline.submit(await readFile('images/' + name), { name, belt: 'north', idempotencyKey: 'one' });
       const followed = [];
       const stop = new AbortController();
       const following = (async () => {
         for await (const result of pipeline.follow(stop.signal)) if (followed.push(result) === 7) stop.abort();
       })();
       const consume = await pipeline.consume({ untilDrained: true });
       await following;
       const outcomes = await pipeline.outcomes([submitted.id]);
       const results = await pipeline.results({ limit: 100 });
       await pipeline[Symbol.asyncDispose]();
       console.log(JSON.stringify({ local, broken, top, refused, init, upload, produce, submitted, again, followed, consume, outcomes, results }));

       async function writeBroken() {
         const { writeFile } = await import('node:fs/promises');
         await writeFile('broken.jpg', (await readFile('images/' + name)).subarray(0, 40));
       }`,
    );
    expect(err).toBe('');
    expect(code).toBe(0);
    const told = JSON.parse(out) as Told;
    expect(told.local).toHaveLength(6);
    expect(told.local.map(({ kind }) => kind)).toEqual(Array(6).fill('classified'));
    expect(told.broken).toMatchObject([{ kind: 'rejected', path: 'broken.jpg' }]);
    expect(told.local[0]).toMatchObject({ image: '0.jpg', category: told.top[0]!.category });
    expect(told.refused).toBe('not_an_image');
    expect(told.upload).toMatchObject({ uploaded: 6, rejected: [] });
    expect(told.produce).toMatchObject({ produced: 6, left: 0 });
    const { id, imageKey } = told.submitted;
    expect(told.again).toEqual({ id, imageKey });
    expect(told.consume).toMatchObject({ predicted: 7, deadLettered: 0 });
    expect(told.followed).toHaveLength(7);
    expect(told.outcomes).toMatchObject([
      { kind: 'result', id, imageKey, result: { belt: 'north', pipeline: 'embedded-in-a-program' } },
    ]);
    expect(new Set(told.results.map((row) => row.id)).size).toBe(7);
  });

  it('throws what a command would say, and stops a consumer at its signal', async () => {
    await using rig = await Rig.open();
    await writeFile(join(rig.dir, 'red.jpg'), await plainJpeg('red'));
    const { err, out } = await program(
      rig,
      `import { classify, createPipeline, VisionscaleError } from 'visionscale';
       const caught = [];
       const trial = async (run) => {
         try { await run(); } catch (error) { caught.push([error instanceof VisionscaleError, error.code, error.message]); }
       };
       await trial(() => createPipeline({ settings: { VISIONSCALE_PARTITIONS: 'many' } }));
       await trial(() => createPipeline({ settings: { AWS_SECRET_ACCESS_KEY: 'hidden' } }));
       await trial(() => classify('red.jpg').next());

       const stop = new AbortController();
       const settings = { VISIONSCALE_MODEL: ${JSON.stringify(join(root, 'models/squeezenet'))} };
       const pipeline = createPipeline({ signal: stop.signal, settings });
       await pipeline.init();
       const consuming = pipeline.consume();
       const following = pipeline.follow().next();
       await pipeline.upload(['red.jpg']);
       await pipeline.produce();
       const { value } = await following;
       stop.abort();
       const result = await consuming;
       await pipeline[Symbol.asyncDispose]();
       console.log(JSON.stringify({ caught, key: value.imageKey, result }));`,
    );
    expect(err).toBe('');
    expect(JSON.parse(out)).toMatchObject({
      caught: [
        [true, 'usage', expect.stringContaining('VISIONSCALE_PARTITIONS')],
        [true, 'usage', expect.stringContaining('AWS_SECRET_ACCESS_KEY')],
        [true, 'no_model', expect.any(String)],
      ],
      key: 'red.jpg',
      result: { predicted: 1 },
    });
    expect(out).not.toContain('hidden');
  });
});
