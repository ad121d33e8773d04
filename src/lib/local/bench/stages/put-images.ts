/** Uploads the images of the benchmark to its scratch place, once. */
import { openImagesApart } from '../../../models/images/apart.ts';
import { upload, type UploadResult } from '../../../pipeline/upload/upload.ts';
import { imageTable } from '../../../systems/database/tables/images.ts';
import type { Scratch } from '../scratch.ts';
import type { StageInput } from '../stage.ts';

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
