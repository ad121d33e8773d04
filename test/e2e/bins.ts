/** Bins and the results topic through the built binary: rules that change under load, and consumers killed while they publish. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { parseRules } from '../../src/lib/systems/bins/rules-file.ts';
import { type Database, openDatabase } from '../../src/lib/systems/database/open.ts';
import { useBins } from '../../src/lib/systems/database/tables/bins.ts';
import { readBacklog } from '../../src/lib/systems/database/tables/outbox.ts';
import { openTopic } from '../../src/lib/systems/topic/open.ts';
import type { Topic } from '../../src/lib/systems/topic/topic.ts';
import { Rig, type Running } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';

interface Row {
  id: string;
  category: string;
  bin: string;
  binReason: string;
  binVersion: number;
}

const first = 'bins: {left: [red], right: ["gr*", blue]}';
const second = 'bins: {left: [green], right: ["re*", "bl*"]}';
const expected: Record<number, Record<string, string>> = {
  1: { red: 'left', green: 'right', blue: 'right' },
  2: { red: 'right', green: 'left', blue: 'right' },
};

/** `settings` says where database, topic and store are; nothing of them needs to exist. */
export function binsSuite(title: string, settings: () => Record<string, string>): void {
  describe(title, () => {
    let rig: Rig;
    let database: Database;
    let topic: Topic;
    let results: Topic;

    beforeAll(async () => {
      rig = await Rig.open(settings());
      rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
      rig.env['VISIONSCALE_WORKERS'] = '1';
      mkdirSync(join(rig.dir, 'images'));
      for (const [n, color] of colors.entries())
        writeFileSync(join(rig.dir, 'images', `${color}.png`), await colorImage(color, n));
      await rig.json(['init']);
      await rig.json(['upload', 'images']);
      const config = loadConfig(rig.env);
      database = await openDatabase(config.database);
      const open = (name: string) =>
        openTopic(
          config.topic.kind === 'kafka'
            ? { ...config.topic, name }
            : { kind: 'embedded', name, pool: database.pool },
        );
      topic = await open(config.topic.name);
      results = await open(`${config.topic.name}.results`);
    });
    afterAll(async () => {
      await results?.[Symbol.asyncDispose]();
      await topic?.[Symbol.asyncDispose]();
      await database?.[Symbol.asyncDispose]();
      await rig?.[Symbol.asyncDispose]();
    });

    const rows = async () =>
      (
        await database.pool.query<Row>(
          `select request_id as id, category, bin, bin_reason as "binReason", bin_version as "binVersion"
           from prediction_results`,
        )
      ).rows;
    const backlog = async () => (await readBacklog(database.pool, 'default', topic.name)).results;
    const consume = async (): Promise<Running> => {
      const consumer = rig.start(['consume', '--group']);
      await consumer.said(/consuming/);
      return consumer;
    };
    const send = async (messages: number) => {
      await using producer = await topic.producer();
      const record = (n: number) => ({
        key: Buffer.from(`${n}`),
        value: Buffer.from(`${colors[n % 3]}.png`),
        headers: {},
      });
      for (let sent = 0; sent < messages; sent += 10) {
        await producer.send(Array.from({ length: 10 }, (_, n) => record(sent + n)));
        await sleep(20);
      }
    };
    const until = async (condition: () => Promise<boolean>) => {
      while (!(await condition())) await sleep(5);
    };
    /** As often as each came. */
    const published = async () => {
      const messages: Row[] = [];
      for (let partition = 0; partition < (await results.partitions()); partition++) {
        const { first, end } = await results.bounds(partition);
        if (first === end) continue;
        await using reader = await results.reader({ partition, from: first, group: 'robot' });
        for await (const { offset, value } of reader.records(new AbortController().signal)) {
          messages.push(JSON.parse(value!.toString()) as Row);
          if (offset + 1 >= end) break;
        }
      }
      return messages;
    };

    it('checks rules against the labels and puts them in force', async () => {
      const file = (name: string, content: string) => {
        writeFileSync(join(rig.dir, name), content);
        return name;
      };
      const wrong = file('wrong.yaml', 'bins: {left: [rde, "bleu*"], right: [green]}');
      const check = await rig.run(['bins', 'check', wrong, '--json']);
      expect([check.code, JSON.parse(check.stdout)]).toMatchObject([
        1,
        {
          ok: false,
          unknown: [{ bin: 'left', pattern: 'rde', near: ['red'] }],
          empty: [{ bin: 'left', pattern: 'bleu*', near: ['blue'] }],
          unmapped: ['red', 'blue'],
        },
      ]);
      const refused = await rig.run(['bins', 'use', wrong]);
      expect([refused.code, refused.stderr]).toEqual([
        1,
        expect.stringMatching(/no label "rde" \(did you mean "red"\?\).*--force/s),
      ]);
      expect(await rig.json(['bins', 'use', file('a.yaml', first)])).toMatchObject({
        version: 1,
        created: true,
      });
      const shown = await rig.run(['bins', 'show']);
      expect(shown.stdout).toContain('# version 1, in force, from "a.yaml"');
      const again = await rig.json(['bins', 'use', file('b.yaml', shown.stdout)]);
      expect(again).toMatchObject({ version: 1, created: false, former: 1 });
      expect(await rig.json(['bins', 'list'])).toMatchObject([
        { version: 1, active: true, source: 'a.yaml' },
      ]);
      expect((await rig.run(['bins', 'rollback'])).stderr).toContain('has no previous bins');
      const other = await rig.run(['bins', 'use', file('c.yaml', second)]);
      expect([other.code, other.stderr]).toEqual([
        0,
        expect.stringMatching(/labels that go to another bin: \d/),
      ]);
      expect(await rig.json(['bins', 'rollback'])).toMatchObject({ version: 1, created: false, former: 2 });
      expect(await rig.json(['bins', 'history'])).toMatchObject([
        { former: 2, current: 1 },
        { former: 1, current: 2 },
        { former: null, current: 1 },
      ]);
    }, 60_000);

    it('changes the rules under load: no message is lost, and every row and message is of the version it names', async () => {
      await useBins(database.pool, 'default', parseRules(first), 'test');
      const consumer = await consume();
      const messages = 300;
      const sending = send(messages);
      // While there is something left to sort, however fast this machine is.
      const switches = 9;
      for (let n = 0; n < switches; n++) {
        await until(async () => (await rows()).length > (n * messages) / 10);
        await useBins(database.pool, 'default', parseRules(n % 2 === 0 ? second : first), 'test');
      }
      await sending;
      await until(async () => (await rows()).length >= messages);
      await until(async () => (await backlog()) === 0);
      consumer.process.kill('SIGTERM');
      expect((await consumer.ended).code).toBe(0);

      const found = await rows();
      expect(found).toHaveLength(messages);
      expect(new Set(found.map(({ binVersion }) => binVersion))).toEqual(new Set([1, 2]));
      for (const { category, bin, binReason, binVersion } of found)
        expect([bin, binReason]).toEqual([expected[binVersion]![category], 'mapped']);
      const told = await published();
      const byId = new Map(told.map((message) => [message.id, message]));
      expect(told).toHaveLength(messages);
      for (const row of found) expect(byId.get(row.id)).toMatchObject(row);
      writeFileSync(join(rig.dir, 'tried.yaml'), first);
      expect(await rig.json(['bins', 'try', '--key', 'red.png', '--file', 'tried.yaml'])).toMatchObject({
        bin: 'left',
        reason: 'mapped',
        version: null,
      });
      const left = await rig.json<{ bin: string }[]>(['results', '--bin', 'left', '--limit', '5']);
      expect(left.map(({ bin }) => bin)).toEqual(Array(5).fill('left'));
    }, 120_000);

    it('publishes every row, whenever the consumer is killed', async () => {
      const before = (await rows()).length;
      const messages = 600;
      const sending = send(messages);
      let left = 0;
      let kills = 0;
      while (left < 2 && kills < 8) {
        const consumer = await consume();
        // Between a row and its publication, as well as can be seen from outside.
        await until(async () => (await backlog()) > 0);
        consumer.process.kill('SIGKILL');
        await consumer.ended;
        kills++;
        if ((await backlog()) > 0) left++;
      }
      await sending;
      const consumer = await consume();
      await until(async () => (await rows()).length >= before + messages);
      await until(async () => (await backlog()) === 0);
      consumer.process.kill('SIGTERM');
      expect((await consumer.ended).code).toBe(0);

      expect(left).toBe(2);
      const found = (await rows()).map(({ id }) => id).sort();
      expect(found).toHaveLength(before + messages);
      expect(new Set(found).size).toBe(found.length);
      const told = (await published()).map(({ id }) => id);
      expect([...new Set(told)].sort()).toEqual(found);
      expect(await rig.json(['status'])).toMatchObject({
        unpublished: { results: 0, deadLetters: 0, oldestSeconds: null },
        bins: { source: expect.any(String) as string },
      });
    }, 240_000);
  });
}
