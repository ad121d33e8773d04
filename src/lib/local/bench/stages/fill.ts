/** Fills the scratch place of a benchmark: its images uploaded, and requests for them as `produce` sends them. */
import { openImagesApart } from '../../../models/images/apart.ts';
import { upload, type UploadResult } from '../../../pipeline/upload/upload.ts';
import { imageTable } from '../../../systems/database/tables/images.ts';
import { header, keyContentType } from '../../../systems/message/record.ts';
import type { Topic } from '../../../systems/topic/topic.ts';
import type { Scratch } from '../scratch.ts';
import type { StageInput } from '../stage.ts';

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

/** Their keys are their names. */
export async function putImages(input: StageInput, scratch: Scratch): Promise<UploadResult> {
  const { images, limits, signal } = input;
  await using looking = openImagesApart(limits);
  return await upload(
    {
      store: scratch.store,
      images: imageTable(scratch.database.pool),
      check: (bytes) => looking.check(bytes),
      report: () => undefined,
      signal,
    },
    { paths: images.all.map(({ path }) => path), maxBytes: limits.maxBytes },
  );
}
