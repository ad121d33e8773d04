/** Whether images could be taken in now: database, topic and store are asked, no more often than they need to be. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { VisionscaleError } from '../errors.ts';
import type { ObjectStore } from '../objects/store.ts';
import type { Topic } from '../topic/topic.ts';

export interface ReadinessDeps {
  pool: Pool;
  topic: Topic;
  store: ObjectStore;
}

export interface Readiness {
  ready: boolean;
  /** `ok`, or the code of what is wrong. */
  checks: { database: string; topic: string; store: string };
}

const timeoutMs = 2000;
/** How long an answer holds, in milliseconds: asking often must not cost often. */
const holdsMs = 500;

export function readiness({ pool, topic, store }: ReadinessDeps): () => Promise<Readiness> {
  const database = check(() => pool.query('select 1'));
  const ofTopic = check(async () => {
    if ((await topic.partitions()) === 0) throw missing('topic_missing');
  });
  const ofStore = check(async () => {
    if (!(await store.exists())) throw missing('store_missing');
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
