/** Kafka code against what can go wrong: wrong addresses, wrong settings, brokers that cannot create a topic. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { loadRdkafka } from '../../src/lib/systems/topic/kafka/load.ts';
import { openKafkaTopic } from '../../src/lib/systems/topic/kafka/topic.ts';
import type { RefusedError } from '../../src/lib/systems/topic/limits.ts';
import { describeRdkafka, mockCluster } from '../support/mock-kafka.ts';
import { describeWith } from '../support/servers.ts';
import { itThorough } from '../support/thorough.ts';
import { Held, record, take } from './topic.ts';

const fresh = () => `test.${randomBytes(6).toString('hex')}`;

function addPartitions(brokers: string, topic: string, count: number): Promise<void> {
  const admin = loadRdkafka().AdminClient.create({ 'metadata.broker.list': brokers });
  return new Promise<void>((resolve, reject) => {
    admin.createPartitions(topic, count, (error) => (error ? reject(new Error(error.message)) : resolve()));
  }).finally(() => admin.disconnect());
}

function createTopic(brokers: string, topic: string, config: Record<string, string>): Promise<void> {
  const admin = loadRdkafka().AdminClient.create({ 'metadata.broker.list': brokers });
  return new Promise<void>((resolve, reject) => {
    admin.createTopic({ topic, num_partitions: 1, replication_factor: 1, config }, (error) =>
      error ? reject(new Error(error.message)) : resolve(),
    );
  }).finally(() => admin.disconnect());
}

/** A port on which nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describeRdkafka('a Kafka topic', () => {
  itThorough('says which brokers cannot be reached, and that a retry may help', async () => {
    const brokers = `127.0.0.1:${await freePort()}`;
    const properties = { 'sasl.username': 'u', 'sasl.password': 'geheim' };
    const error: unknown = await openKafkaTopic({ brokers, name: 't', properties }).catch(
      (fault: unknown) => fault,
    );
    expect(error).toMatchObject({ name: 'TopicError', code: 'broker_unavailable', retryable: true });
    expect(String(error)).toContain(brokers);
    expect(String(error)).not.toContain('geheim');
  });

  it('refuses a property that librdkafka does not know', async () => {
    const opening = openKafkaTopic({ brokers: 'localhost:1', name: 't', properties: { 'no.such': 'x' } });
    await expect(opening).rejects.toMatchObject({ code: 'bad_kafka_property', retryable: false });
  });

  it('takes the partitions there are where somebody else has made the topic', async () => {
    await using cluster = await mockCluster();
    const name = fresh();
    await cluster.createTopic(name);
    await using topic = await openKafkaTopic({ brokers: cluster.brokers, name, properties: {} });
    expect(await topic.create(3)).toEqual({ created: false, partitions: 4 });
  });
});

describeWith('Kafka', 'a Kafka topic on real brokers', (brokers) => {
  it('is not created by looking at it', async () => {
    await using topic = await openKafkaTopic({ brokers, name: fresh(), properties: {} });
    const missing = { code: 'topic_missing', retryable: false };
    await expect(topic.producer()).rejects.toMatchObject(missing);
    await expect(topic.bounds(0)).rejects.toMatchObject(missing);
    await expect(topic.reader({ partition: 0, from: 0, group: 'g' })).rejects.toMatchObject(missing);
    const handler = { assigned: () => Promise.resolve(), revoked: () => Promise.resolve() };
    await expect(topic.join('g', 'm', handler)).rejects.toMatchObject(missing);
    expect(await topic.committed('g', 0)).toBeNull();
    expect(await topic.partitions()).toBe(0);
  });

  it('is shared by a group in the protocol of Kafka 4, and refuses by name what does not go with it', async () => {
    const name = fresh();
    const properties = { 'group.protocol': 'consumer' };
    await using topic = await openKafkaTopic({ brokers, name, properties });
    await topic.create(3);
    const [first, second] = [new Held(), new Held()];
    await using one = await topic.join(name, 'one:1', first);
    await first.until(() => first.partitions.size === 3);
    await one.commit(0, 0);
    expect(await topic.committed(name, 0)).toBe(0);
    const other = await topic.join(name, 'two:2', second);
    await second.until(
      () => second.partitions.size > 0 && first.partitions.size + second.partitions.size === 3,
    );
    await other[Symbol.asyncDispose]();
    await first.until(() => first.partitions.size === 3);

    const wrong = { ...properties, 'session.timeout.ms': '9000' };
    await expect(openKafkaTopic({ brokers, name, properties: wrong })).rejects.toMatchObject({
      code: 'bad_kafka_property',
      message: expect.stringContaining('session.timeout.ms') as string,
      retryable: false,
    });
  }, 120_000);

  it.each(['classic', 'consumer'])(
    'brings a partition that is added within seconds (%s)',
    async (protocol) => {
      const name = fresh();
      const properties = { 'group.protocol': protocol };
      await using topic = await openKafkaTopic({ brokers, name, properties });
      await topic.create(1);
      await using producer = await topic.producer();
      await producer.send([record(null, 'first')]);
      const held = new Held();
      await using _member = await topic.join(name, 'one:1', held);
      await held.until(() => held.partitions.size === 1);
      await addPartitions(brokers, name, 4);
      await held.until(() => held.partitions.size === 4);
      const seen = new Set<number>();
      while (seen.size < 4)
        for (const { partition } of await producer.send([record(null, 'x')])) seen.add(partition);
    },
    120_000,
  );

  it.each(['gzip', 'snappy', 'lz4', 'zstd'])(
    'that is compressed with %s is read, or the codec is named',
    async (codec) => {
      const name = fresh();
      await createTopic(brokers, name, { 'compression.type': codec });
      await using topic = await openKafkaTopic({ brokers, name, properties: {} });
      await topic.create(1);
      await using producer = await topic.producer();
      await producer.send([record(null, 'x'.repeat(5000))]);
      await using reader = await topic.reader({ partition: 0, from: 0, group: 'g' });
      if (loadRdkafka().features.includes(codec)) {
        expect((await take(reader, 1))[0]!.value).toHaveLength(5000);
        return;
      }
      await expect(take(reader, 1)).rejects.toMatchObject({
        code: 'codec_missing',
        message: expect.stringContaining(`${name} holds messages compressed with ${codec}`) as string,
      });
      await expect(
        openKafkaTopic({ brokers, name, properties: { 'compression.type': codec } }),
      ).rejects.toMatchObject({
        code: 'bad_kafka_property',
        hint: expect.stringContaining('libzstd-dev') as string,
      });
    },
  );

  it.each([
    ['max.message.bytes', '2000', record('k', 'x'.repeat(5000)), 'message_too_large'],
    ['cleanup.policy', 'compact', record(null, 'without a key'), 'message_refused'],
  ])(
    'names what its %s of %s refuses, and takes the rest of the batch',
    async (setting, value, wrong, code) => {
      const name = fresh();
      await createTopic(brokers, name, { [setting]: value });
      await using topic = await openKafkaTopic({ brokers, name, properties: {} });
      await topic.create(1);
      await using producer = await topic.producer();
      const error: unknown = await producer
        .send([record('a', '1'), wrong, record('a', '2')])
        .catch((fault: unknown) => fault);
      expect(error).toMatchObject({ code, retryable: false });
      expect((error as RefusedError).records).toEqual([wrong]);
      await using reader = await topic.reader({ partition: 0, from: 0, group: 'g' });
      const taken = await take(reader, 2);
      expect(taken.map((one) => one.value!.toString()).sort()).toEqual(['1', '2']);
    },
  );

  it('is created once by three hosts at the same time', async () => {
    const name = fresh();
    const hosts = await Promise.all([3, 3, 5].map(() => openKafkaTopic({ brokers, name, properties: {} })));
    const outcomes = await Promise.all(hosts.map((host, n) => host.create(n === 2 ? 5 : 3)));
    expect(outcomes.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(outcomes.map(({ partitions }) => partitions)).size).toBe(1);
    for (const host of hosts) await host[Symbol.asyncDispose]();
  });

  it('loses none of a batch that the broker refuses as a whole', async () => {
    const properties = { 'message.max.bytes': '5000000', 'batch.size': '5000000' };
    await using topic = await openKafkaTopic({ brokers, name: fresh(), properties });
    await topic.create(1);
    await using producer = await topic.producer();
    const sizes = [400_000, 400_000, 400_000, 2_000_000, 400_000];
    const sending = producer.send(sizes.map((size) => record('k', Buffer.alloc(size))));
    await expect(sending).rejects.toMatchObject({ code: 'message_too_large' });
    expect(await topic.bounds(0)).toEqual({ first: 0, end: 4 });
    expect(await producer.send([record('k', 'after')])).toEqual([{ partition: 0, offset: 4 }]);
  });
});
