/** Clients of node-rdkafka: connect once, disconnect once, say what goes wrong; and a consumer that is polled, one poll at a time. */
import { isUtf8 } from 'node:buffer';
import type {
  Client,
  KafkaClientEvents,
  LibrdKafkaError,
  Metadata,
  MessageHeader,
  ConsumerTopicConfig,
  KafkaConsumer,
  Message,
  TopicPartition,
  TopicPartitionOffset,
} from 'node-rdkafka';
import { errorMessage, TopicError } from '../../../base/errors.ts';
import type { Token } from '../../aws-login.ts';
import { connectFault, tlsFilesFault } from './connect-fault.ts';
import { kafkaErrorCode } from './kafka-error.ts';
import { codecHint, loadRdkafka } from './load.ts';
import type { ClientProperties } from './properties.ts';

/** Longest wait for an answer about the cluster, ms. It blocks a thread of libuv's pool. */
export const askMs = 5_000;

/** Whom a client talks to, and who is told what no result depends on. */
export interface Surroundings {
  brokers: string;
  /** librdkafka's, as the user has set them. */
  properties: Readonly<Record<string, string>>;
  notice: (text: string) => void;
  /** Where logins take tokens that end. */
  token?: (() => Promise<Token>) | undefined;
}

/** Makes a client of which the settings may be wrong. */
export function construct<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw badProperty(error);
  }
}

function badProperty(error: unknown, properties: Surroundings['properties'] = {}): TopicError {
  const said = errorMessage(error);
  const files = tlsFilesFault(properties);
  if (files !== undefined) return new TopicError(files, { code: 'bad_kafka_property', cause: error });
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
  { brokers, properties, notice, token }: Surroundings,
): Promise<Metadata> {
  let detail: { severity: number; text: string } | undefined;
  let connecting = true;
  client.on('event.log', ({ severity, fac, message }: { severity: number; fac: string; message: string }) => {
    if (!connecting || fac !== 'FAIL' || severity > (detail?.severity ?? Infinity)) return;
    detail = { severity, text: message.replace(/^.*?\]: /, '') };
  });
  client.on('event.error', (error) => {
    const text = errorMessage(error);
    // One connection less is no news: brokers close idle ones. Of what keeps it from connecting the error tells.
    const isNews = !connecting && text !== 'broker transport failure';
    if (isNews && !closing.has(client)) notice(`Kafka at ${brokers}: ${text}`);
  });
  if (token !== undefined)
    await keepLoggedIn(client, token, (text) => notice(`Kafka at ${brokers}: ${text}`));
  return new Promise((resolve, reject) => {
    client.connect({ timeout: askMs, allTopics: false }, (error: LibrdKafkaError | null, metadata) => {
      connecting = false;
      // What has no number comes from before the first connection: properties that do not go together.
      if (error && kafkaErrorCode(error) === -1) reject(badProperty(error, properties));
      else if (error) void connectFault(error, detail?.text, { brokers, properties }).then(reject);
      else resolve(metadata);
    });
  });
}

/** Brokers ask again before a token ends; librdkafka answers with the last one it was given. */
async function keepLoggedIn(
  client: Client<KafkaClientEvents>,
  token: () => Promise<Token>,
  notice: (text: string) => void,
): Promise<void> {
  const give = async () => {
    const { value, expiresAt } = await token();
    client.setOauthBearerToken(value);
    again(Math.max(1000, (expiresAt - Date.now()) * tokenShare));
  };
  const again = (ms: number) => {
    setTimeout(() => {
      if (closing.has(client)) return;
      give().catch((error: unknown) => {
        notice(errorMessage(error));
        again(tokenAgainMs);
      });
    }, ms).unref();
  };
  await give();
}

/** A token is replaced when so much of its time is over; what fails is tried again after ms. */
const tokenShare = 0.7;
const tokenAgainMs = 5_000;

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

const quietMs = 30_000;

/** Passes notices on, each text at most once in half a minute: librdkafka repeats itself while brokers are away. */
export class Notices {
  readonly #onNotice: (text: string) => void;
  readonly #given = new Map<string, number>();

  constructor(onNotice: ((text: string) => void) | undefined) {
    this.#onNotice = onNotice ?? (() => undefined);
  }

  readonly give = (text: string): void => {
    const now = performance.now();
    if (now - (this.#given.get(text) ?? -Infinity) < quietMs) return;
    if (this.#given.size > 100) this.#given.clear();
    this.#given.set(text, now);
    this.#onNotice(text);
  };
}

/** Text beyond this is not read: it bounds what a foreign producer can make a consumer hold. */
const maxHeaderBytes = 64 * 1024;

/** Headers as node-rdkafka has them, and as the topic has them. */
export function toKafkaHeaders(headers: Record<string, string>): MessageHeader[] {
  return Object.entries(headers).map(([name, value]) => ({ [name]: value.toWellFormed() }));
}

/**
 * UTF-8 text; of several with one name the last counts. Bytes that are no text are left out, for as text with
 * replacement characters two different values would be the same. What is beyond 64 KiB together is left out too.
 */
export function fromKafkaHeaders(headers: readonly MessageHeader[] | undefined): Record<string, string> {
  const text = new Map<string, string>();
  let bytes = 0;
  for (const header of headers ?? []) {
    for (const [name, value] of Object.entries(header)) {
      const raw = Buffer.from(value);
      bytes += name.length + raw.length;
      if (bytes > maxHeaderBytes) return Object.fromEntries(text);
      if (isUtf8(raw)) text.set(name, raw.toString());
      else text.delete(name);
    }
  }
  return Object.fromEntries(text);
}

/** A node-rdkafka consumer that is polled, one poll at a time, and closed once, never during a poll. */
interface ConsumerCallbacks {
  rebalance_cb?: (error: LibrdKafkaError | undefined, partitions: TopicPartition[]) => void;
  offset_commit_cb?: (error: LibrdKafkaError | undefined, offsets: TopicPartitionOffset[]) => void;
}

export class Consumer implements AsyncDisposable {
  readonly kafka: KafkaConsumer;
  #polls: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;

  private constructor(kafka: KafkaConsumer) {
    this.kafka = kafka;
  }

  /** Throws a TopicError: `bad_kafka_property`, `broker_unavailable`, or why the brokers refuse this client. */
  static async open(
    { global, topic }: ClientProperties,
    surroundings: Surroundings,
    callbacks: ConsumerCallbacks = {},
    prepare?: (kafka: KafkaConsumer) => void,
  ): Promise<Consumer> {
    const { KafkaConsumer } = loadRdkafka();
    const kafka = construct(
      () => new KafkaConsumer({ ...global, ...callbacks }, topic as ConsumerTopicConfig),
    );
    prepare?.(kafka);
    await connect(kafka, surroundings);
    return new Consumer(kafka);
  }

  /**
   * Up to `most` messages: waits up to `waitMs` for each (node-rdkafka's way: 0 takes what is ready). The wait blocks
   * a thread of libuv's pool. Rejects with a LibrdKafkaError.
   */
  poll(most: number, waitMs: number): Promise<Message[]> {
    const poll = this.#polls.then(() => {
      if (this.#closed) return [];
      this.kafka.setDefaultConsumeTimeout(waitMs);
      return call<Message[]>((done) => this.kafka.consume(most, done));
    });
    this.#polls = poll.catch(() => undefined);
    return poll;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    hush(this.kafka);
    await this.#polls;
    await new Promise<void>((resolve) => this.kafka.disconnect(() => resolve()));
  }
}
