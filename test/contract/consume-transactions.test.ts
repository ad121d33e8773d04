/** A Kafka topic that transactions write to: their markers take offsets and never come as records. */
import { randomBytes } from 'node:crypto';
import type { LibrdKafkaError } from 'node-rdkafka';
import { expect, it } from 'vitest';
import { call } from '../../src/lib/systems/topic/kafka/client.ts';
import { loadRdkafka } from '../../src/lib/systems/topic/kafka/load.ts';
import { openKafkaTopic } from '../../src/lib/systems/topic/kafka/topic.ts';
import { setUp } from '../support/fake-consumer.ts';
import { describeWith } from '../support/servers.ts';

describeWith('Kafka', 'a topic written by transactions', (brokers) => {
  const transaction = async (topic: string, keys: string[], end: 'commit' | 'abort') => {
    const { Producer } = loadRdkafka();
    const producer = new Producer({
      'metadata.broker.list': brokers,
      'transactional.id': randomBytes(4).toString('hex'),
    });
    const step = (run: (done: (error: LibrdKafkaError) => void) => void) =>
      call<void>((done) => run((error) => done(error, undefined)));
    await step((done) => producer.connect({}, done));
    await step((done) => producer.initTransactions(10_000, done));
    await step((done) => producer.beginTransaction(done));
    for (const key of keys) producer.produce(topic, 0, Buffer.from(key));
    await step((done) => producer.flush(10_000, done));
    if (end === 'commit') await step((done) => producer.commitTransaction(10_000, done));
    else await step((done) => producer.abortTransaction(10_000, done));
    await step((done) => producer.disconnect(done));
  };

  it('is drained to its end, and no lag is left', async () => {
    const name = `test.${randomBytes(6).toString('hex')}`;
    await using topic = await openKafkaTopic({ brokers, name, properties: {} });
    await topic.create(1);
    await transaction(name, ['a', 'b'], 'commit');
    await transaction(name, ['never'], 'abort');
    // Three records, two markers; the abort's marker may move the stable end only after a moment.
    await expect.poll(async () => (await topic.bounds(0)).end, { timeout: 10_000 }).toBe(5);
    const { pool, run, outcomes } = await setUp([], topic);
    await run();
    expect(await outcomes()).toEqual({ a: null, b: null });
    const { rows } = await pool.query('select next_offset, last_offset from positions');
    expect(rows).toEqual([{ next_offset: 5, last_offset: 1 }]);

    // What comes behind the gap is read from there.
    await transaction(name, ['c'], 'commit');
    await run();
    expect(Object.keys(await outcomes())).toEqual(['a', 'b', 'c']);
    expect((await pool.query('select next_offset from positions')).rows).toEqual([{ next_offset: 7 }]);
  });
});
