/**
 * One client of librdkafka for all partitions that a process reads of a topic: its threads, sockets and buffers do not grow
 * with them. It is polled while a reader waits that has nothing; what comes for others meanwhile is kept in their seats.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaConsumer, LibrdKafkaError, Message } from 'node-rdkafka';
import { asError, type Consumer } from './client.ts';
import { kafkaErrorCode } from './kafka-error.ts';
import type { Prefetch } from './properties.ts';

/** How long a poll that finds nothing blocks a thread of libuv's pool at a time, ms. */
const blockMs = 50;
/** Longest pause between two polls that do not block, ms. */
const longestPauseMs = 8;
/** How many clients of this process block one. Two of the pool's four threads stay free for files, names and questions to the cluster. */
const mostBlocking = 2;
let blocking = 0;

/** Most messages of one poll. */
const mostAtOnce = 500;
/**
 * A seat with so many times the records of its prefetch is full: two answers of a broker, if they are small. Its partition is
 * paused until it is nearly empty, which should be rare: librdkafka drops what it has of it, and asks the broker again.
 */
const fullAt = 128;
/** Of all seats together, beyond which everyone who holds more than a prefetch is full. */
const mostHeld: Prefetch = { records: 20_000, bytes: 32 * 1024 * 1024 };

/** A partition that is read, and what has come of it. */
export class Seat {
  readonly partition: number;
  readonly messages: Message[] = [];
  /** Faults that came, by their codes: of this partition or of another, librdkafka does not say whose. */
  readonly faults = new Map<number, unknown>();
  /** Of the messages held. */
  bytes = 0;
  /** The end that was seen last. */
  end: number | null = null;
  /** The next offset to come. */
  next: number;
  paused = false;
  /** Set while its reader waits. */
  wake: (() => void) | null = null;

  constructor(partition: number, next: number) {
    this.partition = partition;
    this.next = next;
  }
}

export class SharedReading {
  readonly #topic: string;
  readonly #prefetch: Prefetch;
  readonly #opening: Promise<Consumer>;
  readonly #seats = new Map<number, Seat>();
  readonly #taken = new Set<number>();
  readonly #held: Prefetch = { records: 0, bytes: 0 };
  #consumer: Consumer | undefined;
  #pumping = false;
  /** What has to be done while no poll is under way. */
  #between: (() => void)[] = [];
  #closed: Promise<void> | undefined;
  /** Mean size of the messages that came last, bytes. */
  #messageBytes = 0;

  /** `prefetch` is what this side holds of a partition; the client's properties bound what librdkafka does. */
  constructor(topic: string, prefetch: Prefetch, open: () => Promise<Consumer>) {
    this.#topic = topic;
    this.#prefetch = prefetch;
    this.#opening = open().then((consumer) => this.#opened(consumer));
    this.#opening.catch(() => undefined); // whoever takes a seat hears of it
  }

  /** Nobody may take a seat any more. */
  get isOver(): boolean {
    return this.#closed !== undefined;
  }

  /** A partition has one reader. */
  isTaken(partition: number): boolean {
    return this.#taken.has(partition);
  }

  async sit(partition: number, from: number): Promise<Seat> {
    this.#taken.add(partition);
    try {
      await this.#opening;
      const seat = new Seat(partition, from);
      // A poll under way may bring what was read here before.
      await this.#betweenPolls(() => {
        this.#assign(seat);
        this.#seats.set(partition, seat);
      });
      return seat;
    } catch (error) {
      await this.leave(partition);
      throw error;
    }
  }

  /** The last one closes the client. */
  async leave(partition: number): Promise<void> {
    const seat = this.#seats.get(partition);
    this.#seats.delete(partition);
    this.#taken.delete(partition);
    if (seat !== undefined) {
      this.#forget(seat);
      if (this.#taken.size > 0) this.#unassign(seat);
    }
    if (this.#taken.size === 0) this.#closed ??= this.#close();
    await this.#closed;
  }

  /** The next message; undefined where there is none yet. */
  take(seat: Seat): Message | undefined {
    const message = seat.messages.shift();
    if (message === undefined) return undefined;
    seat.bytes -= message.size;
    this.#held.records--;
    this.#held.bytes -= message.size;
    if (seat.paused && !this.#holdsMore(seat, 1)) this.#resume(seat);
    return message;
  }

  /** Settles when a message or a fault has come, or when `signal` aborts. */
  async wait(seat: Seat, signal: AbortSignal): Promise<void> {
    if (signal.aborted || seat.messages.length + seat.faults.size > 0) return;
    await new Promise<void>((resolve) => {
      const wake = () => {
        seat.wake = null;
        signal.removeEventListener('abort', wake);
        resolve();
      };
      seat.wake = wake;
      signal.addEventListener('abort', wake, { once: true });
      if (!this.#pumping) void this.#pump();
    });
  }

  /** Reads on from where the seat stands, where librdkafka has given up the partition. */
  again(seat: Seat): void {
    this.#unassign(seat);
    this.#assign(seat);
  }

  #opened(consumer: Consumer): Consumer {
    this.#consumer = consumer;
    const { kafka } = consumer;
    // Both are emitted within a poll, in the order of each partition.
    kafka.on('data', (message: Message) => this.#receive(message));
    kafka.on('partition.eof', ({ partition, offset }: { partition: number; offset: number }) => {
      const seat = this.#seats.get(partition);
      if (seat !== undefined) seat.end = offset;
    });
    return consumer;
  }

  get #kafka(): KafkaConsumer {
    return this.#consumer!.kafka;
  }

  #receive(message: Message): void {
    const seat = this.#seats.get(message.partition);
    // Of a reader that has left meanwhile, or what was assigned anew.
    if (seat === undefined || message.offset < seat.next) return;
    seat.next = message.offset + 1;
    seat.messages.push(message);
    seat.bytes += message.size;
    this.#held.records++;
    this.#held.bytes += message.size;
    seat.wake?.();
  }

  /** While a reader waits that has nothing. Between its last look and its end nothing else runs. */
  async #pump(): Promise<void> {
    this.#pumping = true;
    let pauseMs = 1;
    let mayBlock = false;
    while (this.#closed === undefined && this.#someoneWaits()) {
      const blocks = mayBlock && blocking < mostBlocking;
      const found = await this.#poll(blocks);
      for (const step of this.#between.splice(0)) step();
      if (found) pauseMs = 1;
      else if (mayBlock && !blocks) {
        await sleep(pauseMs);
        pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      }
      mayBlock = !found;
    }
    this.#pumping = false;
    for (const step of this.#between.splice(0)) step();
  }

  #betweenPolls(step: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const run = () => {
        try {
          step();
          resolve();
        } catch (error) {
          reject(asError(error as LibrdKafkaError));
        }
      };
      if (this.#pumping) this.#between.push(run);
      else run();
    });
  }

  #someoneWaits(): boolean {
    for (const { wake } of this.#seats.values()) if (wake !== null) return true;
    return false;
  }

  /** What is ready; or the first that comes. Whether anything came. */
  async #poll(blocks: boolean): Promise<boolean> {
    const before = this.#held.records;
    if (blocks) blocking++;
    try {
      const messages = blocks
        ? await this.#consumer!.poll(1, blockMs)
        : await this.#consumer!.poll(this.#room(), 0);
      if (messages.length > 0)
        this.#messageBytes = messages.reduce((sum, { size }) => sum + size, 0) / messages.length;
      this.#pauseFull();
      return messages.length > 0;
    } catch (error) {
      const code = kafkaErrorCode(error);
      for (const seat of this.#seats.values()) {
        seat.faults.set(code, error);
        seat.wake?.();
      }
      return this.#held.records > before;
    } finally {
      if (blocks) blocking--;
    }
  }

  #room(): number {
    const records = Math.min(mostAtOnce, this.#prefetch.records * this.#seats.size);
    const fitting = Math.floor(this.#prefetch.bytes / Math.max(1, this.#messageBytes));
    return Math.max(1, Math.min(records, fitting));
  }

  #holdsMore(seat: Seat, times: number): boolean {
    const { records, bytes } = this.#prefetch;
    return seat.messages.length > records * times || seat.bytes > bytes;
  }

  #pauseFull(): void {
    const { records, bytes } = this.#held;
    const times = records > mostHeld.records || bytes > mostHeld.bytes ? 1 : fullAt;
    const full = [...this.#seats.values()].filter((seat) => !seat.paused && this.#holdsMore(seat, times));
    if (full.length === 0) return;
    for (const seat of full) seat.paused = true;
    this.#kafka.pause(full.map(({ partition }) => ({ topic: this.#topic, partition })));
  }

  #resume(seat: Seat): void {
    seat.paused = false;
    this.#kafka.resume([{ topic: this.#topic, partition: seat.partition }]);
  }

  #assign({ partition, next: offset }: Seat): void {
    this.#kafka.incrementalAssign([{ topic: this.#topic, partition, offset }]);
  }

  #unassign(seat: Seat): void {
    // It would still be paused when it is assigned again.
    if (seat.paused) this.#resume(seat);
    this.#kafka.incrementalUnassign([{ topic: this.#topic, partition: seat.partition }]);
  }

  #forget(seat: Seat): void {
    this.#held.records -= seat.messages.length;
    this.#held.bytes -= seat.bytes;
    seat.messages.length = 0;
    seat.bytes = 0;
    seat.wake?.();
  }

  async #close(): Promise<void> {
    const consumer = await this.#opening.catch(() => undefined);
    await consumer?.[Symbol.asyncDispose]();
  }
}
