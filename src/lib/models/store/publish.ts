/** Models in the object store, by digest, for consumers on other hosts. */
import type { Pool } from 'pg';
import { VisionscaleError } from '../../base/errors.ts';
import { type PublishedModel, readPublished, savePublished } from '../../systems/database/tables/models.ts';
import type { ObjectStore } from '../../systems/objects/store.ts';
import type { LoadedModel } from '../format/model.ts';
import { modelFromParts } from './from-parts.ts';

export interface PublishDeps {
  pool: Pool;
  store: ObjectStore;
}

/** Larger weights are not fetched: `loadModel` takes no larger ones either. */
const maxWeights = 512 * 2 ** 20;

/** Where a model's weights lie in the store: beside the images, in a folder that no upload makes. */
export function weightsKey(digest: string): string {
  return `.visionscale/models/${digest.replace(':', '-')}.onnx`;
}

/** The weights first, the row after, so that a row's weights are always there. Again changes nothing. */
export async function publishModel(
  { pool, store }: PublishDeps,
  model: LoadedModel,
): Promise<PublishedModel> {
  const { name, version, digest, labels } = model.info;
  const key = weightsKey(digest);
  if ((await store.head(key))?.bytes !== model.weights.length) {
    await store.put(key, Buffer.from(model.weights), { contentType: 'application/octet-stream' });
  }
  const { preprocessing, output } = model;
  const manifest = { ...model.manifest, name, version, digest, labels, preprocessing, output };
  const published = { digest, name, version, manifest, bytes: model.weights.length };
  await savePublished(pool, published);
  return published;
}

/** Fetches and verifies: what does not have its digest is refused. Throws `model_not_published`, `model_invalid`. */
export async function fetchModel({ pool, store }: PublishDeps, digest: string): Promise<LoadedModel> {
  const row = await readPublished(pool, digest);
  if (row === null) {
    throw new VisionscaleError(`model ${digest} is not published`, {
      code: 'model_not_published',
      hint: 'Publish it from a host that has it: visionscale model publish <name>',
    });
  }
  const weights = await store.get(weightsKey(digest), { maxBytes: maxWeights });
  return modelFromParts(row.manifest, weights);
}
