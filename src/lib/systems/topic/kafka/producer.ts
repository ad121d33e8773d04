/** Sends batches to Kafka: idempotent, acknowledged by all replicas, each record's delivery report awaited. */
import type {
  DeliveryReport,
  LibrdKafkaError,
  Producer as RdkafkaProducer,
  ProducerTopicConfig,
} from 'node-rdkafka';
import { errorMessage, TopicError } from '../../../base/errors.ts';
import { pause } from '../../../base/flow/waiting.ts';
import type { OutgoingRecord } from '../../message/record.ts';
import { checkHeaders, messageRefused, messageTooLarge } from '../limits.ts';
import type { Placement, Producer } from '../topic.ts';
import { connect, construct, hush, type Surroundings, toKafkaHeaders } from './client.ts';
import { codes, isForbidden, kafkaErrorCode, kafkaToTopicError } from './kafka-error.ts';
import { loadRdkafka } from './load.ts';
import type { ClientProperties } from './properties.ts';

/** Longest wait on closing for what is still under way, unless told, ms. */
const longestFlushMs = 10_000;

/** Travels through librdkafka with its record and comes back in the delivery report. */
type Ticket = (error: unknown, placement: Placement) => void;

export class KafkaProducer implements Producer {
  readonly #topic: string;
  readonly #properties: ClientProperties;
  readonly #surroundings: Surroundings;
  readonly #flushMs: number;
  readonly #closing = new AbortController();
  #client: Promise<RdkafkaProducer> | undefined;
  readonly #underWay = new Set<Ticket>();
  #polling: Promise<void> | undefined;
  /** What librdkafka said before it failed for good. */
  #denied: unknown = null;
  #closed: Promise<void> | undefined;

  private constructor(
    topic: string,
    properties: ClientProperties,
    surroundings: Surroundings,
    flushMs: number,
  ) {
    this.#topic = topic;
    this.#properties = properties;
    this.#surroundings = surroundings;
    this.#flushMs = flushMs;
  }

  static async open(
    topic: string,
    properties: ClientProperties,
    surroundings: Surroundings,
    flushMs = longestFlushMs,
  ): Promise<KafkaProducer> {
    const producer = new KafkaProducer(topic, properties, surroundings, flushMs);
    await producer.#connected();
    return producer;
  }

  async send(records: readonly OutgoingRecord[]): Promise<Placement[]> {
    checkHeaders(records);
    const outcomes = await Promise.all(await this.#produce(records));
    const refused: { record: OutgoingRecord; outcome: Outcome }[] = [];
    for (const [at, record] of records.entries()) {
      const outcome = outcomes[at];
      if (outcome === undefined || !isOwnFault(outcome)) continue;
      // The broker refuses a whole batch of librdkafka's for its sum: alone, a record is refused for itself only.
      const [alone] = await Promise.all(await this.#produce([record]));
      outcomes[at] = alone ?? outcome;
      if (alone && isOwnFault(alone)) refused.push({ record, outcome: alone });
    }
    const failed = outcomes.find((outcome) => outcome.refused !== undefined && !isOwnFault(outcome));
    if (failed) throw this.#fault(failed.error);
    if (refused.length > 0) throw refusal(refused);
    return outcomes.map(({ placement }) => placement);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    const giveUp = setTimeout(() => this.#closing.abort(), this.#flushMs);
    await this.#polling;
    clearTimeout(giveUp);
    for (const ticket of this.#underWay) ticket(closed(), nowhere);
    if (client) await disconnect(client, this.#flushMs);
  }

  /** Hands everything to librdkafka, waiting while its queue is full. One outcome a record, in order. */
  async #produce(records: readonly OutgoingRecord[]): Promise<Promise<Outcome>[]> {
    const client = await this.#connected();
    const outcomes: Promise<Outcome>[] = [];
    for (const record of records) {
      const { promise, ticket } = this.#ticket();
      outcomes.push(promise);
      for (;;) {
        const error = produce(client, this.#topic, record, ticket);
        if (error === undefined) break;
        if (kafkaErrorCode(error) !== codes.queueFull) {
          ticket(error, nowhere);
          break;
        }
        if (this.#closing.signal.aborted) break;
        await pause(5, this.#closing.signal); // #poll frees places meanwhile
      }
    }
    return outcomes;
  }

  #ticket(): { promise: Promise<Outcome>; ticket: Ticket } {
    let ticket: Ticket = () => undefined;
    const promise = new Promise<Outcome>((resolve) => {
      ticket = (error, placement) => {
        this.#underWay.delete(ticket);
        resolve(error ? { placement, refused: kafkaErrorCode(error), error } : { placement });
      };
    });
    this.#underWay.add(ticket);
    this.#polling ??= this.#poll();
    return { promise, ticket };
  }

  /** Delivery reports come only while librdkafka is polled: as long as records are under way. */
  async #poll(): Promise<void> {
    const client = await this.#client;
    if (client === undefined) return;
    for (
      let wait = 1;
      this.#underWay.size > 0 && !this.#closing.signal.aborted;
      wait = Math.min(wait + 1, 10)
    ) {
      if (client.isConnected()) client.poll();
      await pause(wait, this.#closing.signal);
    }
    this.#polling = undefined;
  }

  #connected(): Promise<RdkafkaProducer> {
    if (this.#closed) throw closed();
    return (this.#client ??= this.#connect());
  }

  async #connect(): Promise<RdkafkaProducer> {
    const { Producer } = loadRdkafka();
    const { global, topic } = this.#properties;
    const client = construct(() => new Producer({ ...global, dr_cb: true }, topic as ProducerTopicConfig));
    client.on('delivery-report', (error: LibrdKafkaError | null, report: DeliveryReport) => {
      (report.opaque as Ticket)(error, { partition: report.partition, offset: report.offset });
    });
    client.on('event.error', (error) => {
      if (isForbidden(error)) this.#denied = error;
    });
    try {
      await connect(client, this.#surroundings);
    } catch (error) {
      this.#client = undefined;
      throw error;
    }
    return client;
  }

  #fault(error: unknown): TopicError {
    const place = { ...this.#surroundings, topic: this.#topic };
    if (kafkaErrorCode(error) === codes.fatal) {
      // An idempotent producer that lost its place cannot go on; a new one can.
      const broken = this.#client;
      this.#client = undefined;
      void broken?.then(
        (client) => disconnect(client, this.#flushMs),
        () => undefined,
      );
      if (this.#denied !== null) return kafkaToTopicError(this.#denied, 'sending', place);
      return new TopicError('Kafka’s idempotent producer failed for good', {
        code: 'producer_fatal',
        retryable: true,
        cause: error,
      });
    }
    return kafkaToTopicError(error, 'sending', place);
  }
}

interface Outcome {
  placement: Placement;
  /** librdkafka's number of what went wrong. */
  refused?: number;
  error?: unknown;
}

/** Codes that speak of one record, or of the batch that librdkafka put it into. */
const ownFaults = [codes.messageTooLarge, codes.invalidRecord, codes.invalidTimestamp] as number[];

function isOwnFault({ refused }: Outcome): boolean {
  return refused !== undefined && ownFaults.includes(refused);
}

function refusal(refused: readonly { record: OutgoingRecord; outcome: Outcome }[]): TopicError {
  const records = refused.map(({ record }) => record);
  const other = refused.find(({ outcome }) => outcome.refused !== codes.messageTooLarge);
  return other ? messageRefused(records, errorMessage(other.outcome.error)) : messageTooLarge(records);
}

function closed(): TopicError {
  return new TopicError('the producer was closed', { code: 'producer_closed', retryable: true });
}

const nowhere: Placement = { partition: -1, offset: -1 };

function produce(client: RdkafkaProducer, topic: string, record: OutgoingRecord, ticket: Ticket): unknown {
  try {
    client.produce(topic, null, record.value, record.key, null, ticket, toKafkaHeaders(record.headers));
    return undefined;
  } catch (error) {
    return error;
  }
}

function disconnect(client: RdkafkaProducer, flushMs: number): Promise<void> {
  hush(client);
  return new Promise((resolve) => client.disconnect(flushMs, () => resolve()));
}
