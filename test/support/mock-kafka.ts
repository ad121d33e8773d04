/** librdkafka's mock cluster: brokers on loopback, in memory, for tests of the Kafka code with npm alone. */
import type { Metadata } from 'node-rdkafka';
import { describe, expect, it } from 'vitest';
import { loadRdkafka } from '../../src/lib/systems/topic/kafka/load.ts';

/** A suite that needs node-rdkafka: skipped by name where it was not built (npm 12 runs no install scripts), failing in CI. */
export function describeRdkafka(title: string, run: () => void): void {
  try {
    loadRdkafka();
  } catch (error) {
    const [fault] = (error as Error).message.split('\n');
    if (process.env.CI) {
      it(`${title}: node-rdkafka is there`, () => expect.fail(fault));
      return;
    }
    describe.skip(`${title} [skipped: ${fault}]`, () => {
      it('is skipped', () => undefined);
    });
    return;
  }
  describe(title, run);
}

export interface MockCluster extends AsyncDisposable {
  brokers: string;
  /** With 4 partitions, the only count it makes. */
  createTopic(name: string): Promise<void>;
}

/** The brokers live as long as the client that owns them: until disposed. 5 MiB are kept of each partition. */
export async function mockCluster(count = 1): Promise<MockCluster> {
  const { Producer } = loadRdkafka();
  // Not every build of node-rdkafka has the first one in its types.
  const settings: Record<string, string | number | boolean> = {
    'test.mock.num.brokers': count,
    'metadata.broker.list': 'unused:1',
    'allow.auto.create.topics': true,
  };
  const owner = new Producer(settings);
  await new Promise<void>((resolve, reject) => {
    owner.connect({ timeout: 5_000 }, (error) => (error ? reject(new Error(error.message)) : resolve()));
  });
  const metadata = (topic?: string) =>
    new Promise<Metadata>((resolve, reject) => {
      owner.getMetadata(
        { timeout: 5_000, ...(topic !== undefined && { topic, allTopics: false }) },
        (error, found) => (error ? reject(new Error(error.message)) : resolve(found)),
      );
    });
  const { brokers } = await metadata();
  let closing: Promise<void> | undefined;
  return {
    brokers: brokers.map(({ host, port }) => `${host}:${port}`).join(),
    async createTopic(name) {
      while (((await metadata(name)).topics[0]?.partitions.length ?? 0) === 0) continue;
    },
    [Symbol.asyncDispose]: () => (closing ??= new Promise((resolve) => owner.disconnect(0, () => resolve()))),
  };
}
