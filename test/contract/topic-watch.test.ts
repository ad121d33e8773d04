/** The watch over Kafka, for who reads and sends nothing: brokers that go away, and a topic that is deleted. */
import { randomBytes } from 'node:crypto';
import { expect, it, vi } from 'vitest';
import { askTopic, ServerWatch } from '../../src/lib/pipeline/server-watch.ts';
import { loadRdkafka } from '../../src/lib/systems/topic/kafka/load.ts';
import { openKafkaTopic } from '../../src/lib/systems/topic/kafka/topic.ts';
import type { Topic } from '../../src/lib/systems/topic/topic.ts';
import { describeRdkafka, mockCluster } from '../support/mock-kafka.ts';
import { describeWith } from '../support/servers.ts';
import { itThorough } from '../support/thorough.ts';

const fresh = () => `test.watch.${randomBytes(6).toString('hex')}`;

function deleteTopic(brokers: string, topic: string): Promise<void> {
  const admin = loadRdkafka().AdminClient.create({ 'metadata.broker.list': brokers });
  return new Promise<void>((resolve, reject) => {
    admin.deleteTopic(topic, (error) => (error ? reject(new Error(error.message)) : resolve()));
  }).finally(() => admin.disconnect());
}

/** As the commands watch it; `asked` resolves when it has answered so often. */
function watched(topic: Topic, existing: boolean) {
  const watch = new ServerWatch();
  const { ask, where } = askTopic(topic, { existing })!;
  let answers = 0;
  const asks = watch.watch('topic', { where, ask: () => ask().finally(() => answers++) });
  return {
    watch,
    asked: (times: number) => vi.waitFor(() => expect(answers).toBeGreaterThanOrEqual(times), 20_000),
    [Symbol.dispose]: () => asks[Symbol.dispose](),
  };
}

/** Promised are 5 s; a machine that does much else gets twice that. */
const awayMs = 10_000;

describeRdkafka('the watch over brokers', () => {
  itThorough(
    'says that they are away, though nobody reads or sends',
    async () => {
      await using cluster = await mockCluster();
      const name = fresh();
      await cluster.createTopic(name);
      await using topic = await openKafkaTopic({ brokers: cluster.brokers, name, properties: {} });
      using seen = watched(topic, true);
      await seen.asked(2);
      expect(seen.watch.away).toEqual([]);
      await cluster[Symbol.asyncDispose]();
      await vi.waitFor(
        () =>
          expect(seen.watch.away).toMatchObject([
            { server: 'topic', reason: expect.stringContaining('Kafka') as string },
          ]),
        awayMs,
      );
    },
    60_000,
  );
});

describeWith('Kafka', 'the watch over a topic on real brokers', (brokers) => {
  it('tells who needs the topic that it was deleted and that it is back; whoever makes it waits for brokers only', async () => {
    const name = fresh();
    await using topic = await openKafkaTopic({ brokers, name, properties: {} });
    await topic.create(1);
    using reader = watched(topic, true);
    using sender = watched(topic, false);
    await Promise.all([reader.asked(2), sender.asked(2)]);
    expect([reader.watch.away, sender.watch.away]).toEqual([[], []]);
    await deleteTopic(brokers, name);
    await vi.waitFor(
      () =>
        expect(reader.watch.away).toMatchObject([
          { server: 'topic', reason: `the topic ${name} does not exist` },
        ]),
      awayMs,
    );
    expect(sender.watch.away).toEqual([]);
    await topic.create(1);
    await vi.waitFor(() => expect(reader.watch.away).toEqual([]), awayMs);
  }, 60_000);
});
