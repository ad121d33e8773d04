/** The topics that tell what became of the messages of another: opened, and created, when something is to be sent. */
import { type OutboxKind, outboxKinds } from '../database/tables/outbox.ts';
import type { Growth, Producer, Topic } from '../topic/topic.ts';

/** What is not acknowledged stays in the outbox: nothing is worth a long wait, least of all at the end. In milliseconds. */
const patience = { timeoutMs: 5000, flushMs: 500 };

const suffixes: Record<OutboxKind, string> = { result: 'results', dead: 'dead' };

/** Where the results, or the dead letters, of a topic are published. */
export function resultTopicName(topic: string, kind: OutboxKind): string {
  return `${topic}.${suffixes[kind]}`;
}

/** The longest name of a topic that leaves room for theirs. */
export const longestTopicName = 249 - '.results'.length;

interface Opened {
  topic: Topic;
  producer: Producer;
}

/** Shared by the partitions of a process. Disposing closes what was opened. */
export class ResultTopics implements AsyncDisposable {
  readonly #source: Topic;
  readonly #open: (name: string) => Promise<Topic>;
  readonly #opened = new Map<OutboxKind, Promise<Opened>>();

  /** `source` is the topic the images come from: theirs get as many partitions. */
  constructor(source: Topic, open: (name: string) => Promise<Topic>) {
    this.#source = source;
    this.#open = open;
  }

  /** How many partitions each has; 0: it does not exist. */
  async look(): Promise<{ name: string; partitions: number }[]> {
    const states = [];
    for (const kind of outboxKinds) {
      await using topic = await this.#open(resultTopicName(this.#source.name, kind));
      states.push({ name: topic.name, partitions: await topic.partitions() });
    }
    return states;
  }

  /** Both, where they are missing, without opening a producer. */
  async create(): Promise<{ name: string; created: boolean; partitions: number }[]> {
    const partitions = await this.#source.partitions();
    const states = [];
    for (const kind of outboxKinds) {
      await using topic = await this.#open(resultTopicName(this.#source.name, kind));
      states.push({ name: topic.name, ...(await topic.create(partitions)) });
    }
    return states;
  }

  /** Those that exist. */
  async grow(partitions: number): Promise<({ name: string } & Growth)[]> {
    const grown = [];
    for (const kind of outboxKinds) {
      await using topic = await this.#open(resultTopicName(this.#source.name, kind));
      if ((await topic.partitions()) === 0) continue;
      grown.push({ name: topic.name, ...(await topic.grow(partitions)) });
    }
    return grown;
  }

  /** Tried anew at the next call where it failed. */
  async producer(kind: OutboxKind): Promise<Producer> {
    let opening = this.#opened.get(kind);
    if (opening === undefined) {
      opening = this.#openKind(kind);
      this.#opened.set(kind, opening);
      opening.catch(() => this.#opened.delete(kind));
    }
    return (await opening).producer;
  }

  /** The topic was deleted: it is made anew at the next call. */
  async forget(kind: OutboxKind, failed: Producer): Promise<void> {
    const opening = this.#opened.get(kind);
    const opened = await opening?.catch(() => undefined);
    if (opening === undefined || opened?.producer !== failed) return;
    if (this.#opened.get(kind) === opening) {
      this.#opened.delete(kind);
      await close(opened);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = await Promise.allSettled(this.#opened.values());
    this.#opened.clear();
    const opened = all.filter((one) => one.status === 'fulfilled');
    await Promise.all(opened.map(({ value }) => close(value)));
  }

  async #openKind(kind: OutboxKind): Promise<Opened> {
    const topic = await this.#open(resultTopicName(this.#source.name, kind));
    try {
      await topic.create(await this.#source.partitions());
      return { topic, producer: await topic.producer(patience) };
    } catch (error) {
      await topic[Symbol.asyncDispose]();
      throw error;
    }
  }
}

async function close({ topic, producer }: Opened): Promise<void> {
  await producer[Symbol.asyncDispose]();
  await topic[Symbol.asyncDispose]();
}
