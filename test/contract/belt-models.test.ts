/** Which models a pipeline's consumers are to run: the pipeline's and its belts', and the history of both. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VisionscaleError } from '../../src/lib/base/errors.ts';
import { oneModel } from '../../src/lib/pipeline/consume/models.ts';
import {
  listBeltModels,
  readChosenModels,
  setBeltModel,
} from '../../src/lib/systems/database/tables/belt-models.ts';
import { savePublished, setActiveDigest } from '../../src/lib/systems/database/tables/models.ts';
import { listModelSwitches, listSwitches } from '../../src/lib/systems/database/tables/switches.ts';
import { header } from '../../src/lib/systems/message/record.ts';
import { testDatabase, type TestDatabase } from '../support/database.ts';
import { fakeClassifier } from '../support/fake-classifiers.ts';
import { setUp } from '../support/fake-consumer.ts';

describe('models of belts', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await testDatabase();
  });
  afterAll(() => database[Symbol.asyncDispose]());

  const publish = async (name: string): Promise<string> => {
    const digest = `sha256:${randomBytes(32).toString('hex')}`;
    await savePublished(database.pool, { digest, name, version: '1', manifest: {}, bytes: 3e9 });
    return digest;
  };

  it('are chosen beside the pipeline’s, belt by belt, and go with nothing but themselves', async () => {
    const { pool } = database;
    const [a, b] = [await publish('a'), await publish('b')];
    await setActiveDigest(pool, 'p', a);
    await setBeltModel(pool, { pipeline: 'p', belt: 'north' }, b);
    await setBeltModel(pool, { pipeline: 'p', belt: "it's 1" }, a);
    await setBeltModel(pool, { pipeline: 'other', belt: 'north' }, a);
    const large = (digest: string) => ({ digest, bytes: 3e9 });
    expect(await readChosenModels(pool, 'p')).toEqual({
      pipelines: large(a),
      byBelt: new Map([
        ['north', large(b)],
        ["it's 1", large(a)],
      ]),
    });
    await setBeltModel(pool, { pipeline: 'p', belt: 'north' }, null);
    expect(await listBeltModels(pool, 'p')).toEqual([{ belt: "it's 1", digest: a, name: 'a', version: '1' }]);
    expect(await readChosenModels(pool, 'nobody')).toEqual({ pipelines: null, byBelt: new Map() });
  });

  it('have a history of their own, which the pipeline’s does not show', async () => {
    const { pool } = database;
    const [a, b] = [await publish('a'), await publish('b')];
    const belt = { pipeline: 'h', belt: 'north' };
    await setActiveDigest(pool, 'h', a);
    for (const digest of [b, b, null, null, b]) await setBeltModel(pool, belt, digest);
    await setBeltModel(pool, { ...belt, belt: 'south' }, a);
    const seen = (rows: { belt: string | null; former: string | null; current: string | null }[]) =>
      rows.map((row) => [row.belt, row.former, row.current]);
    const north = [
      ['north', null, b],
      ['north', b, null],
      ['north', null, b],
    ];
    expect(seen(await listModelSwitches(pool, 'h', { limit: 10 }))).toEqual([
      ['south', null, a],
      ...north,
      [null, null, a],
    ]);
    expect(seen(await listModelSwitches(pool, 'h', { belt: 'north', limit: 2 }))).toEqual(north.slice(0, 2));
    expect(await listSwitches(pool, 'h', 'model', 10)).toHaveLength(1);
  });

  it('must be published', async () => {
    const nowhere = setBeltModel(database.pool, { pipeline: 'p', belt: 'x' }, `sha256:${'0'.repeat(64)}`);
    await expect(nowhere).rejects.toThrow(/foreign key/);
  });
});

describe('a belt whose model cannot be opened', () => {
  const away = () =>
    new VisionscaleError('the model of belt north cannot be opened: damaged', {
      code: 'belt_model_unavailable',
      retryable: true,
    });

  /** Messages of two belts in one partition, and a consumer for which the north's model is as `north` says. */
  async function belts(north: () => Promise<void>) {
    const consumer = await setUp([]);
    const producer = await consumer.topic.producer();
    await producer.send(
      ['north', 'south'].map((belt) => ({
        key: null,
        value: Buffer.from(belt),
        headers: { [header.belt]: belt },
      })),
    );
    await producer[Symbol.asyncDispose]();
    const classified: string[] = [];
    const classifier = fakeClassifier('any');
    const models = {
      ...oneModel({
        ...classifier,
        classify: (image) => {
          classified.push(Buffer.from(image).toString());
          return classifier.classify(image);
        },
      }),
      async lend(belt: string | null, { onOpen }: { onOpen: (reason: string) => void }) {
        if (belt === 'north') {
          onOpen('it is being opened');
          await north();
        }
        return oneModel(this.pipelines).lend(belt, { signal: consumer.stop.signal, onOpen });
      },
    };
    return { ...consumer, classified, run: () => consumer.run({ stallTimeoutMs: 3000 }, { models }) };
  }

  it('waits with the reason, and the image of another behind it is classified meanwhile', async () => {
    let damaged = true;
    const { run, seen, classified, outcomes } = await belts(() =>
      damaged ? Promise.reject(away()) : Promise.resolve(),
    );
    const running = run();
    await seen((event) => event.kind === 'waiting' && event.reason === away().message);
    while (classified.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect([classified, await outcomes()]).toEqual([['south'], {}]);
    damaged = false;
    await running;
    expect(await outcomes()).toEqual({ north: null, south: null });
  });

  it('is no stall while that takes long', async () => {
    let open: () => void = () => undefined;
    const opening = new Promise<void>((resolve) => (open = resolve));
    const { run, seen, events, outcomes } = await belts(() => opening);
    const running = run();
    await seen((event) => event.kind === 'waiting' && event.reason === 'it is being opened');
    // Longer than a stall would take to be seen.
    await new Promise((resolve) => setTimeout(resolve, 5000));
    open();
    await running;
    expect(events.filter((event) => event.kind === 'stalled')).toEqual([]);
    expect(await outcomes()).toEqual({ north: null, south: null });
  });
});
