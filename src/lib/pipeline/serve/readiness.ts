/** Whether images could be taken in now: database, topic and store are asked, no more often than they need to be. */
import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { VisionscaleError } from '../../base/errors.ts';
import type { ObjectStore } from '../../systems/objects/store.ts';
import type { Topic } from '../../systems/topic/topic.ts';

export interface ReadinessDeps {
  pool: Pool;
  topic: Topic;
  store: ObjectStore;
  /** Directories of this machine that images or rows are written to. */
  disks?: Disks | undefined;
}

export interface Disks {
  database?: string;
  store?: string;
}

export interface Readiness {
  ready: boolean;
  /** `ok`, or the code of what is wrong. */
  checks: { database: string; topic: string; store: string };
}

/** With less than this a disk counts as full, in bytes: PostgreSQL alone takes steps of 16 MiB. */
const leastFree = 32 * 1024 * 1024;
const timeoutMs = 2000;
/** How long an answer holds, in milliseconds: asking often must not cost often. */
const holdsMs = 500;

export function readiness({ pool, topic, store, disks = {} }: ReadinessDeps): () => Promise<Readiness> {
  const database = check(async () => {
    await pool.query('select 1');
    await needRoom(disks.database);
  });
  const ofTopic = check(async () => {
    if ((await topic.partitions()) === 0) throw missing('topic_missing');
  });
  const ofStore = check(async () => {
    if (!(await store.exists({ quick: true }))) throw missing('store_missing');
    await needRoom(disks.store);
  });
  const ask = async (): Promise<Readiness> => {
    const [databaseSays, topicSays, storeSays] = await Promise.all([database(), ofTopic(), ofStore()]);
    const checks = { database: databaseSays, topic: topicSays, store: storeSays };
    return { ready: Object.values(checks).every((verdict) => verdict === 'ok'), checks };
  };
  let asked = -Infinity;
  let answer: Promise<Readiness> | undefined;
  return () => {
    const now = performance.now();
    if (answer === undefined || now - asked >= holdsMs) [asked, answer] = [now, ask()];
    return answer;
  };
}

async function needRoom(directory: string | undefined): Promise<void> {
  if (directory === undefined) return;
  const { bavail, bsize, files, ffree } = await statfs(directory);
  // File systems without a fixed number of files say that they have 0 of them.
  if (bavail * bsize < leastFree || (files > 0 && ffree === 0)) throw missing('disk_full');
}

/** `ok`, or the code of what is wrong. One that hangs is not begun a second time. */
function check(run: () => Promise<unknown>): () => Promise<string> {
  let running: Promise<string> | undefined;
  return async () => {
    running ??= run()
      .then(() => 'ok', codeOf)
      .finally(() => (running = undefined));
    const late = new AbortController();
    const verdict = await Promise.race([running, timeout(late.signal)]);
    late.abort();
    return verdict;
  };
}

function timeout(signal: AbortSignal): Promise<string> {
  return sleep(timeoutMs, 'timeout', { signal }).catch(() => 'timeout');
}

function codeOf(error: unknown): string {
  return error instanceof VisionscaleError ? error.code : 'failed';
}

function missing(code: string): VisionscaleError {
  return new VisionscaleError(code, { code });
}
