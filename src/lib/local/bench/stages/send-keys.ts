/** Puts requests for images into a topic as `produce` does, as many as wanted, each with an id of its own. */
import { header, keyContentType } from '../../../systems/message/headers.ts';
import type { Topic } from '../../../systems/topic/topic.ts';

const batch = 1000;

/** `round` must differ from call to call on one topic: it is part of the ids. */
export async function sendKeys(
  topic: Topic,
  keys: readonly string[],
  count: number,
  round: number,
): Promise<void> {
  await using producer = await topic.producer();
  for (let from = 0; from < count; from += batch) {
    const records = Array.from({ length: Math.min(batch, count - from) }, (_, i) => {
      const n = from + i;
      const name = keys[n % keys.length]!;
      const key = Buffer.from(name);
      const headers = {
        [header.requestId]: `bench:${topic.name}:${round}:${n}`,
        [header.contentType]: keyContentType,
        [header.capturedAt]: new Date().toISOString(),
      };
      return { key, value: key, headers };
    });
    await producer.send(records);
  }
}
