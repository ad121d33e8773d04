/** A belt that sends all the time, beside `produce`: good keys, every kind of bad message, and some of it twice. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isRetryable } from '../../src/lib/base/errors.ts';
import { header, keyContentType, type OutgoingRecord } from '../../src/lib/systems/message/record.ts';
import type { Producer, Topic } from '../../src/lib/systems/topic/topic.ts';
import type { Expected, Images } from './images.ts';
import { badMessage, messageKinds } from './poison.ts';
import type { Random } from './random.ts';

export interface BeltOptions {
  /** Messages a second. */
  rate: number;
  poison: number;
  duplicates: number;
}

/** Sent again at the earliest after so many others, so that the two seldom meet in one transaction. */
const longestEcho = 60;
const everyMs = 100;

export class Belt {
  /** What every request id must end as. */
  readonly expected = new Map<string, Expected>();
  /** What messages without a request id must end as, by their value in hex. */
  readonly expectedByValue = new Map<string, Expected>();
  readonly counts = { good: 0, poison: 0, duplicates: 0, resent: 0 };
  #topic: Topic;
  #images: Images;
  #options: BeltOptions;
  #random: Random;
  #stop = new AbortController();
  #running: Promise<void> | undefined;
  #n = 0;
  #poisoned = 0;
  #echoes: OutgoingRecord[] = [];

  constructor(topic: Topic, images: Images, random: Random, options: BeltOptions) {
    this.#topic = topic;
    this.#images = images;
    this.#random = random;
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Sends what it has begun with and ends. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** A burst of what was sent before, into any partition. */
  echo(count: number): void {
    this.#echoNow = count;
  }
  #echoNow = 0;

  async #run(): Promise<void> {
    await using producer = await this.#topic.producer();
    const began = performance.now();
    let sent = 0;
    while (!this.#stop.signal.aborted) {
      const due = Math.floor(((performance.now() - began) / 1000) * this.#options.rate) - sent;
      if (due > 0) {
        // What an outage held up does not come in one flood.
        const batch = Array.from({ length: Math.min(due, 50) }, () => this.#next()).concat(this.#burst());
        await this.#send(producer, batch);
        sent += due;
      }
      await sleep(everyMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  /** Until the topic has it: what was acknowledged to nobody is sent again with the same ids. */
  async #send(producer: Producer, batch: OutgoingRecord[]): Promise<void> {
    for (;;) {
      try {
        await producer.send(batch);
        return;
      } catch (error) {
        if (!isRetryable(error)) throw error;
        this.counts.resent += batch.length;
        await sleep(200);
      }
    }
  }

  #next(): OutgoingRecord {
    const random = this.#random;
    if (this.#echoes.length > longestEcho && random.next() < this.#options.duplicates) return this.#again();
    this.#n++;
    const record =
      random.next() < this.#options.poison ? this.#bad() : this.#good(random.pick(this.#images.common));
    this.#echoes.push(record);
    if (this.#echoes.length > 4 * longestEcho) this.#echoes.shift();
    return record;
  }

  /** The same message once more, half of the time under another key, which is likely to be another partition. */
  #again(): OutgoingRecord {
    this.counts.duplicates++;
    const record = this.#random.pick(this.#echoes);
    return this.#random.next() < 0.5 ? record : { ...record, key: this.#key() };
  }

  #burst(): OutgoingRecord[] {
    const count = Math.min(this.#echoNow, this.#echoes.length);
    this.#echoNow = 0;
    return Array.from({ length: count }, () => this.#again());
  }

  #key(): Buffer {
    return Buffer.from(`belt ${this.#random.whole(0, 1e9)}`);
  }

  #good(imageKey: string, expected = this.#images.expected.get(imageKey)!): OutgoingRecord {
    this.counts.good += 'category' in expected ? 1 : 0;
    this.counts.poison += 'category' in expected ? 0 : 1;
    const value = Buffer.from(imageKey);
    // One in ten brings no request id: then its place in the topic is its id.
    if (this.#random.next() < 0.1) {
      this.expectedByValue.set(value.toString('hex'), expected);
      return { key: this.#key(), value, headers: this.#headers({}) };
    }
    return { key: this.#key(), value, headers: this.#headers({}, expected) };
  }

  #bad(): OutgoingRecord {
    const n = this.#poisoned++;
    const { bad } = this.#images;
    // Half are objects that are no image, half are messages that are no key.
    if (n % 2 === 0 && bad.length > 0) return this.#good(bad[(n / 2) % bad.length]!);
    const kind = messageKinds[((n - 1) / 2) % messageKinds.length]!;
    const { value, headers, codes, byPlace } = badMessage(kind, this.#n);
    this.counts.poison++;
    if (byPlace) {
      this.expectedByValue.set(value.toString('hex'), { codes });
      return { key: this.#key(), value, headers: this.#headers(headers) };
    }
    return { key: this.#key(), value, headers: this.#headers(headers, { codes }) };
  }

  #headers(given: Record<string, string>, expected?: Expected): Record<string, string> {
    const id = `belt:${this.#n}`;
    if (expected) this.expected.set(id, expected);
    return {
      [header.contentType]: keyContentType,
      [header.capturedAt]: new Date().toISOString(),
      ...(expected && { [header.requestId]: id }),
      ...given,
    };
  }
}
