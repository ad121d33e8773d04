/** What `status` reads one after the other belongs together, whatever is recorded meanwhile. */
import { expect, it, onTestFinished } from 'vitest';
import { status } from '../../src/lib/pipeline/status.ts';
import type { Topic } from '../../src/lib/systems/topic/topic.ts';
import { testDatabase } from '../support/database.ts';

async function setUp() {
  const { pool, ...database } = await testDatabase();
  onTestFinished(() => database[Symbol.asyncDispose]());
  const recordUpTo = (offset: number) =>
    pool.query(
      `insert into positions (pipeline, topic, partition, next_offset) values ('p', 't', 0, $1)
       on conflict (pipeline, topic, partition) do update set next_offset = excluded.next_offset`,
      [offset],
    );
  /** Of one partition, at whose end something happens right after it was asked for. */
  const topic = (end: number, then: () => Promise<unknown>) =>
    ({
      name: 't',
      partitions: () => Promise.resolve(1),
      committed: () => Promise.resolve(null),
      async bounds() {
        await then();
        return { first: 0, end };
      },
    }) as unknown as Topic;
  return { pool, recordUpTo, topic };
}

it('does not take what is recorded while it asks for a topic that was created again', async () => {
  const { pool, recordUpTo, topic } = await setUp();
  await recordUpTo(5);
  const busy = topic(5, () => recordUpTo(6));
  const { problems, partitions } = await status(pool, 't', busy, 'p');
  expect(problems).toEqual([]);
  expect(partitions).toMatchObject([{ position: 5, lag: 0 }]);
});

it('says so of one that was', async () => {
  const { pool, recordUpTo, topic } = await setUp();
  await recordUpTo(6);
  const { problems } = await status(
    pool,
    't',
    topic(5, () => Promise.resolve()),
    'p',
  );
  expect(problems).toEqual([expect.stringMatching(/^partition 0 ends before this pipeline's position/)]);
});
