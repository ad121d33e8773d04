import { describe, expect, it } from 'vitest';
import { Notices, fromKafkaHeaders, toKafkaHeaders } from '../../src/lib/systems/topic/kafka/client.ts';
import { PendingCommits } from '../../src/lib/systems/topic/kafka/group-client.ts';
import { kafkaErrorCode, kafkaToTopicError } from '../../src/lib/systems/topic/kafka/kafka-error.ts';
import {
  memberProperties,
  producerProperties,
  readerProperties,
} from '../../src/lib/systems/topic/kafka/properties.ts';

describe('the properties of Kafka clients', () => {
  const connection = (properties: Record<string, string>) => ({
    brokers: 'a:1,b:2',
    properties,
    clientId: 'c',
  });

  it('let the user’s win, under any of their names', () => {
    const { global } = producerProperties(
      connection({ 'queue.buffering.max.ms': '50', 'client.id': 'mine' }),
    );
    expect(global).toMatchObject({ 'queue.buffering.max.ms': '50', 'client.id': 'mine' });
    expect(global).not.toHaveProperty(['linger.ms']);
  });

  it('keep those that a guarantee depends on', () => {
    const users = {
      acks: '0',
      'request.required.acks': '0',
      'enable.idempotence': 'false',
      partitioner: 'random',
    };
    const producer = producerProperties(connection({ ...users, 'bootstrap.servers': 'elsewhere:9' }));
    expect(producer.topic).toEqual({
      acks: 'all',
      partitioner: 'murmur2_random',
      'message.timeout.ms': 120_000,
    });
    expect(producer.global).toMatchObject({ 'enable.idempotence': true, 'metadata.broker.list': 'a:1,b:2' });
    expect(producer.global).not.toHaveProperty(['bootstrap.servers']);

    const prefetch = { records: 8, bytes: 4096 };
    const eager = connection({ 'auto.offset.reset': 'latest', 'enable.auto.commit': 'true' });
    const reader = readerProperties(eager, 'g', prefetch, '2.12.0');
    expect(reader.topic).toEqual({ 'auto.offset.reset': 'error' });
    expect(reader.global).toMatchObject({
      'enable.auto.commit': false,
      'queued.min.messages': 128,
      'group.id': 'g',
    });
  });

  it('use nothing that an older librdkafka does not know', () => {
    const { global } = readerProperties(connection({}), 'g', { records: 8, bytes: 4096 }, '2.0.2');
    expect(global).not.toHaveProperty(['fetch.queue.backoff.ms']);
    expect(global).toMatchObject({ 'queued.max.messages.kbytes': 4 });
  });

  it('leave to the brokers what is theirs in the group protocol of Kafka 4', () => {
    const ours = ['session.timeout.ms', 'heartbeat.interval.ms', 'partition.assignment.strategy'];
    const set = (properties: Record<string, string>) =>
      ours.filter((name) => name in memberProperties(connection(properties), 'g').global);
    expect(set({})).toEqual(ours);
    expect(set({ 'group.protocol': 'classic' })).toEqual(ours);
    expect(set({ 'group.protocol': 'consumer' })).toEqual([]);
    // Refused by librdkafka, by name.
    expect(set({ 'group.protocol': 'Consumer', 'session.timeout.ms': '9000' })).toEqual(ours.slice(0, 1));
  });

  it('add to what the user wants to debug', () => {
    expect(memberProperties(connection({ debug: 'msg' }), 'g').global).toMatchObject({
      debug: 'msg,consumer',
    });
  });
});

describe('the headers of Kafka', () => {
  it('are text, of which the last of a name wins', () => {
    expect(toKafkaHeaders({ a: '1', b: 'ž' })).toEqual([{ a: '1' }, { b: 'ž' }]);
    const found = fromKafkaHeaders([
      { a: Buffer.from('1') },
      { b: Buffer.from('ž') },
      { a: Buffer.from('2') },
    ]);
    expect(found).toEqual({ a: '2', b: 'ž' });
    expect(fromKafkaHeaders(undefined)).toEqual({});
  });

  it('are absent where they are no text, for as text with replacement characters two would be one', () => {
    const latin1 = (text: string) => Buffer.from(text, 'latin1');
    expect(
      fromKafkaHeaders([{ a: latin1('kamera-ä') }, { b: Buffer.from([0xff]) }, { c: '\ufffd' }]),
    ).toEqual({
      c: '\ufffd',
    });
    // Of two the last counts, which is none.
    expect(fromKafkaHeaders([{ a: Buffer.from('1') }, { a: latin1('ä') }])).toEqual({});
    expect(fromKafkaHeaders([{ a: latin1('ä') }, { a: Buffer.from('1') }])).toEqual({ a: '1' });
  });

  it('may have any name and are bounded', () => {
    const hostile = fromKafkaHeaders([{ ['__proto__']: Buffer.from('x') }, { toString: Buffer.from('y') }]);
    expect(Object.keys(hostile)).toEqual(['__proto__', 'toString']);
    expect(Object.getPrototypeOf(hostile)).toBe(Object.prototype);
    expect(fromKafkaHeaders([{ a: Buffer.from('1') }, { big: Buffer.alloc(70_000) }])).toEqual({ a: '1' });
  });
});

describe('the errors of librdkafka', () => {
  it.each([
    [{ code: -195, message: 'Local: Broker transport failure' }, 'broker_unavailable', true],
    [{ code: -1, message: 'authentication failure' }, 'kafka_login_failed', false],
    [{ code: 29, message: 'Broker: Topic authorization failed' }, 'kafka_permission_denied', false],
    [{ code: 44, message: 'Broker: Policy violation' }, 'kafka_refused', false],
    [{ code: 27, message: 'Broker: Group rebalance in progress' }, 'broker_unavailable', true],
  ])('%j become %s', (error, code, retryable) => {
    expect(kafkaToTopicError(error, 'testing', { brokers: 'a:1' })).toMatchObject({
      name: 'TopicError',
      code,
      retryable,
    });
  });

  it('have a number even where node-rdkafka gives only their text', () => {
    expect(kafkaErrorCode({ code: -1, message: 'message size too large' })).toBe(10);
    expect(kafkaErrorCode(new Error('Local: Fatal error'))).toBe(-150);
    expect(kafkaErrorCode(undefined)).toBe(-1);
  });
});

it('matches answers to commits with those who wait', async () => {
  const pending = new PendingCommits();
  const settled: string[] = [];
  const wait = (name: string, partition: number, offset: number) =>
    pending.add(partition, offset).then(
      () => settled.push(`${name} done`),
      () => settled.push(`${name} failed`),
    );
  const all = [wait('a', 0, 5), wait('b', 1, 5), wait('c', 0, 5), wait('d', 2, 1)];
  const topic = 't';
  pending.settle(undefined, [{ topic, partition: 0, offset: 5 }]);
  pending.settle({ message: 'no', code: 1, errno: 1, origin: 'kafka' }, [{ topic, partition: 1, offset: 5 }]);
  pending.settle(undefined, [{ topic, partition: 9, offset: 9 }]);
  expect(pending.size).toBe(2);
  pending.rejectAll(new Error('closed'));
  await Promise.all(all);
  expect(settled).toEqual(['a done', 'b failed', 'c failed', 'd failed']);
});

it('gives a notice once in a while', () => {
  const given: string[] = [];
  const notices = new Notices((text) => given.push(text));
  for (const text of ['a', 'a', 'b', 'a']) notices.give(text);
  expect(given).toEqual(['a', 'b']);
});
