/** Creates a Kafka topic; safe from two hosts at once. */
import type { Metadata } from 'node-rdkafka';
import { TopicError } from '../../../base/errors.ts';
import { pause } from '../../../base/flow/waiting.ts';
import { askMs, call, construct } from './client.ts';
import type { Surroundings } from './client.ts';
import type { GroupClient } from './group-client.ts';
import { codes, kafkaErrorCode, kafkaToTopicError } from './kafka-error.ts';
import { loadRdkafka } from './load.ts';
import type { ClientProperties } from './properties.ts';

/** Longest wait until every broker knows a topic that was created, ms. */
const spreadMs = 15_000;

export interface Creation {
  topic: string;
  partitions: number;
  properties: ClientProperties;
  surroundings: Surroundings;
  query: GroupClient;
}

/** 0 where the topic does not exist. */
export function partitionCount(metadata: Metadata, topic: string): number {
  return metadata.topics.find(({ name }) => name === topic)?.partitions.length ?? 0;
}

/** As `partitionCount`, but 0 too while a partition has no leader. */
function readyPartitions(metadata: Metadata, topic: string): number {
  const partitions = metadata.topics.find(({ name }) => name === topic)?.partitions ?? [];
  return partitions.some(({ leader }) => leader < 0) ? 0 : partitions.length;
}

/** Says whether it was this call that created the topic. Settles when all its partitions have leaders. */
export async function createTopic(creation: Creation): Promise<{ created: boolean; partitions: number }> {
  const { topic, query, surroundings } = creation;
  const before = await query.metadata();
  const existing = readyPartitions(before, topic);
  if (existing > 0) return { created: false, partitions: existing };
  const { brokers } = before;
  // Three copies survive the loss of a broker; where the cluster does not allow that number it may choose its own.
  let outcome = await ask(creation, Math.min(3, brokers.length));
  if (outcome === codes.invalidReplicationFactor || outcome === codes.policyViolation) {
    outcome = await ask(creation, -1);
  }
  // After a timeout the topic may still appear.
  if (outcome !== 0 && outcome !== codes.topicExists && outcome !== codes.timedOut) {
    const fault = { code: outcome, message: describe(outcome) };
    throw kafkaToTopicError(fault, `creating the topic ${topic}`, surroundings.brokers);
  }
  const giveUpAt = performance.now() + spreadMs;
  for (;;) {
    const partitions = readyPartitions(await query.metadata(), topic);
    if (partitions > 0) return { created: outcome === 0, partitions };
    if (performance.now() > giveUpAt) {
      throw new TopicError(
        `Kafka at ${surroundings.brokers}: the topic ${topic} was asked for, but is not ready`,
        {
          code: 'broker_unavailable',
          retryable: true,
        },
      );
    }
    await pause(50, new AbortController().signal);
  }
}

/** librdkafka's number of what came of it; 0 where the topic was created. */
async function ask({ topic, partitions, properties }: Creation, replicas: number): Promise<number> {
  const { AdminClient } = loadRdkafka();
  const admin = construct(() => AdminClient.create(properties.global));
  try {
    const wanted = { topic, num_partitions: partitions, replication_factor: replicas };
    await call<void>((done) => admin.createTopic(wanted, askMs, (error) => done(error, undefined)));
    return 0;
  } catch (error) {
    return kafkaErrorCode(error);
  } finally {
    admin.disconnect();
  }
}

function describe(number: number): string {
  const known = Object.entries(loadRdkafka().CODES.ERRORS).find(([, value]) => value === number);
  return known?.[0] ?? `error ${number}`;
}
