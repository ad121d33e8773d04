/** What producers and consumers of node-rdkafka share: connect once, disconnect once, say what goes wrong. */
import type { Client, KafkaClientEvents, LibrdKafkaError, Metadata } from 'node-rdkafka';
import { errorMessage, TopicError } from '../../../base/errors.ts';
import { codecHint } from './codecs.ts';
import { errorCode, toTopicError } from './kafka-error.ts';

/** Longest wait for an answer about the cluster, ms. It blocks a thread of libuv's pool. */
export const askMs = 5_000;

/** Whom a client talks to, and who is told what no result depends on. */
export interface Surroundings {
  brokers: string;
  notice: (text: string) => void;
}

/** Makes a client of which the settings may be wrong. */
export function construct<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw badProperty(error);
  }
}

function badProperty(error: unknown): TopicError {
  const said = errorMessage(error);
  const isMissing = /not available at build time/.test(said);
  return new TopicError(`librdkafka refuses a property: ${said}`, {
    code: 'bad_kafka_property',
    hint: isMissing
      ? `Choose another, or give librdkafka what it lacks.\n${codecHint}`
      : 'Check the KAFKA_CONF_* settings against librdkafka’s CONFIGURATION.md.',
    cause: error,
  });
}

const closing = new WeakSet<object>();

/** To be called before disconnecting: what a client says from then on is no news. */
export function hush(client: object): void {
  closing.add(client);
}

/** Connects and asks the brokers something, so that a client that was opened has reached one. */
export async function connect(
  client: Client<KafkaClientEvents>,
  { brokers, notice }: Surroundings,
): Promise<Metadata> {
  let detail: string | undefined;
  client.on('event.log', ({ severity, fac, message }: { severity: number; fac: string; message: string }) => {
    if (severity <= 3 && fac === 'FAIL') detail = message.replace(/^.*?\]: /, '');
  });
  client.on('event.error', (error) => {
    const text = errorMessage(error);
    // One connection less is no news: brokers close idle ones.
    if (!closing.has(client) && text !== 'broker transport failure') notice(`Kafka at ${brokers}: ${text}`);
  });
  return new Promise((resolve, reject) => {
    client.connect({ timeout: askMs, allTopics: false }, (error: LibrdKafkaError | null, metadata) => {
      // What has no number comes from before the first connection: properties that do not go together.
      if (error && errorCode(error) === -1) reject(badProperty(error));
      else if (error) reject(toTopicError(error, 'connecting', brokers, detail));
      else resolve(metadata);
    });
  });
}

/** A call of node-rdkafka with a Node callback. */
export function call<T>(
  run: (done: (error: LibrdKafkaError | null | undefined, result: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    run((error, result) => {
      if (error) reject(asError(error));
      else resolve(result);
    });
  });
}

/** librdkafka's errors are errors, though their type does not say so. */
export function asError(error: LibrdKafkaError): Error & LibrdKafkaError {
  return Object.assign(error, { name: 'LibrdKafkaError' });
}
