/** The verb `produce`: the keys of images not yet produced in their round, through the topic. */
import type { Pool } from 'pg';
import { errorMessage, faultCode, isRetryable } from '../base/errors.ts';
import { orderedGroups } from '../base/flow/ordered-groups.ts';
import { outageMs, retry } from '../base/flow/retry.ts';
import { pause } from '../base/flow/waiting.ts';
import type { ProduceResult } from '../base/results.ts';
import { Bell } from '../systems/database/bell.ts';
import {
  beginRound,
  completeRound,
  countImages,
  markProduced,
  openRound,
  pendingPage,
  type PendingImage,
  unmarkUnanswered,
} from '../systems/database/tables/images.ts';
import { unansweredPage } from '../systems/database/tables/ingested.ts';
import { keyMessage, requestMessage } from '../systems/message/record.ts';
import type { ObjectStore } from '../systems/objects/store.ts';
import type { Producer, Topic } from '../systems/topic/topic.ts';

export interface ProduceDeps {
  pool: Pool;
  topic: Topic;
  report: (event: ProduceEvent) => void;
}

export interface ProduceOptions {
  /** Open a new round: everything is asked for once more. An unfinished one is finished first. */
  again: boolean;
  /** Send again what was sent and has no outcome: the topic was lost. */
  missing?: { pipeline: string; store: ObjectStore };
  /** Most keys to produce. */
  limit?: number;
  /** Most keys a second. */
  rate?: number;
  /** Partitions of the topic where it has to be created. */
  partitions: number;
  belt?: string;
  /** Go on with what is inserted later, until the signal; whatever is away is waited for. */
  follow?: boolean;
  /** How long what is away is waited for, in milliseconds; default: five minutes, for ever while following. */
  giveUpAfterMs?: number | undefined;
  signal: AbortSignal;
}

export type ProduceEvent =
  | { kind: 'topic'; name: string; created: boolean; partitions: number; wanted: number }
  | { kind: 'round'; images: number; resumed: boolean }
  | { kind: 'pending'; images: number }
  | { kind: 'produced'; images: number }
  /** With `missing`: images that came by HTTP, sent again; and those that are not in the store, but were in the topic alone. */
  | { kind: 'posted'; sent: number; gone: number }
  /** Everything there was is produced; what comes is waited for (again, where something was away). */
  | { kind: 'following' }
  /** Something is away; the step is tried again. */
  | { kind: 'waiting'; reason: string; code: string };

export type { ProduceResult } from '../base/results.ts';

/** Images a page, read and sent together. */
const pageSize = 1000;
/** Images that came by HTTP, looked for in the store at a time. */
const postedPageSize = 32;
/** So many pages are on their way to the topic or being marked: bounds memory, and what is sent again after a crash. */
const pagesInFlight = 4;
/** Rung by a trigger of image_info. */
const imagesChannel = 'visionscale_images';
/** How often a follower looks though nothing rang, in milliseconds. */
const pollMs = 1000;

/**
 * A key is marked produced only after the topic has acknowledged it. Killed in between, the next run sends it again
 * under the same request id, and the consumer's record of that request makes it one.
 */
export async function produce(deps: ProduceDeps, options: ProduceOptions): Promise<ProduceResult> {
  const { pool, topic, report } = deps;
  const { follow = false, limit = Infinity, signal } = options;
  const began = performance.now();
  let waited = true;
  // Sent twice under the same request ids is sent once.
  const patiently = <T>(step: () => Promise<T>): Promise<T> =>
    retry(step, {
      signal,
      forMs: options.giveUpAfterMs ?? (follow ? Infinity : outageMs),
      onWait: (error) => {
        waited = true;
        report({ kind: 'waiting', reason: errorMessage(error), code: faultCode(error) });
      },
    });
  // A person who waits is told at once what is away; a service that starts before its servers waits for them.
  const atStart = <T>(step: () => Promise<T>): Promise<T> =>
    follow || options.giveUpAfterMs !== undefined ? patiently(step) : step();

  const { created, partitions } = await atStart(() => topic.create(options.partitions));
  report({ kind: 'topic', name: topic.name, created, partitions, wanted: options.partitions });
  const round = await atStart(() => (options.again ? beginRound(pool) : openRound(pool)));
  if (round) report({ kind: 'round', images: round.images, resumed: round.resumed });
  if (options.missing) await unmarkUnanswered(pool, options.missing.pipeline);
  const counts = await atStart(() => countImages(pool));
  report({ kind: 'pending', images: Math.min(counts.images - counts.produced, options.limit ?? Infinity) });

  const result: ProduceResult = {
    produced: 0,
    topic: topic.name,
    partitions: Array<number>(partitions).fill(0),
    images: counts.images,
    left: counts.images - counts.produced,
    seconds: 0,
  };
  await using producer = await atStart(() => topic.producer({ bulk: !follow }));
  let taken = 0;
  /** From the first key to the last; true where it came to the end. */
  const pass = async (): Promise<boolean> => {
    let ended = false;
    const sent = orderedGroups(
      (stop) =>
        pages(
          (after, limit) => patiently(() => pendingPage(pool, after, limit)),
          { ...options, limit: limit - taken, signal: stop },
          () => (ended = true),
        ),
      async (page) => ({ page, placements: await patiently(() => send(producer, page, options.belt)) }),
      { inFlight: pagesInFlight, signal },
    );
    for await (const group of sent) {
      const acknowledged = group.flatMap(({ page }) => page);
      taken += acknowledged.length;
      const marked = await patiently(() => markProduced(pool, acknowledged));
      result.produced += marked;
      result.left -= marked;
      report({ kind: 'produced', images: marked });
      for (const { partition } of group.flatMap(({ placements }) => placements))
        result.partitions[partition] = (result.partitions[partition] ?? 0) + 1;
    }
    return ended;
  };
  if (options.missing)
    report({ kind: 'posted', ...(await sendPosted(pool, producer, options.missing, signal)) });
  try {
    await using bell = follow ? new Bell(pool, imagesChannel) : null;
    let rung = bell?.rings('') ?? 0;
    // A pass that reached the end has produced everything that was due when the round was opened.
    if ((await pass()) && round) await patiently(() => completeRound(pool, round.id));
    while (bell && !signal.aborted && taken < limit) {
      if (waited) report({ kind: 'following' });
      waited = false;
      await bell.wait('', rung, pollMs, signal);
      rung = bell.rings('');
      await pass();
    }
    if (follow) result.left = await pendingCount(pool);
  } catch (error) {
    // Told to stop while something was away: the next run goes on from there.
    if (!(follow && signal.aborted && isRetryable(error))) throw error;
  }
  result.seconds = (performance.now() - began) / 1000;
  return result;
}

async function pendingCount(pool: Pool): Promise<number> {
  const { images, produced } = await countImages(pool);
  return images - produced;
}

/** Keyset pages in key order: no cursor is held open, and what was marked meanwhile does not shift the next page. */
async function* pages(
  read: (after: string, limit: number) => Promise<PendingImage[]>,
  options: ProduceOptions,
  onEnd: () => void,
): AsyncGenerator<PendingImage[]> {
  const { limit = Infinity, rate, signal } = options;
  const size = rate === undefined ? pageSize : Math.max(1, Math.min(pageSize, Math.floor(rate / 10)));
  const began = performance.now();
  let taken = 0;
  for (let after = ''; !signal.aborted && taken < limit;) {
    const page = await read(after, Math.min(size, limit - taken));
    const last = page.at(-1);
    if (last === undefined) {
      onEnd();
      return;
    }
    yield page;
    after = last.key;
    taken += page.length;
    if (rate !== undefined) await pause(began + (taken / rate) * 1000 - performance.now(), signal);
  }
}

/** Under the request ids they had, so that what is in the topic after all counts once. */
async function sendPosted(
  pool: Pool,
  producer: Producer,
  { pipeline, store }: NonNullable<ProduceOptions['missing']>,
  signal: AbortSignal,
): Promise<{ sent: number; gone: number }> {
  const result = { sent: 0, gone: 0 };
  for (let after = ''; !signal.aborted;) {
    const page = await unansweredPage(pool, pipeline, after, postedPageSize);
    if (page.length === 0) break;
    after = page.at(-1)!.id;
    const there = await Promise.all(page.map(({ key }) => store.head(key)));
    const stored = page.filter((_, n) => there[n] !== null);
    await producer.send(
      stored.map(({ acceptedAt, belt, ...image }) =>
        requestMessage({ ...image, capturedAt: acceptedAt, belt: belt ?? undefined }),
      ),
    );
    result.sent += stored.length;
    result.gone += page.length - stored.length;
  }
  return result;
}

async function send(producer: Producer, page: PendingImage[], belt: string | undefined) {
  const capturedAt = new Date();
  return producer.send(page.map(({ key, round }) => keyMessage({ key, round, capturedAt, belt })));
}
