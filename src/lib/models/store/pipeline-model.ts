/** The model that a pipeline's consumers run, whichever host they are on: a row in the database, the weights in the store. */
import { createHash } from 'node:crypto';
import type { Pool } from 'pg';
import { ObjectError, VisionscaleError } from '../../base/errors.ts';
import { readChosenModels, setBeltModel } from '../../systems/database/tables/belt-models.ts';
import { setActiveDigest, type PublishedModel, readPublished, savePublished } from '../../systems/database/tables/models.ts';
import type { ObjectStore } from '../../systems/objects/store.ts';
import { type Manifest, parseManifest } from '../format/manifest.ts';
import { inSharedMemory, invalidModel } from '../format/model-files.ts';
import { loadModel, type LoadedModel } from '../format/model.ts';
import { outputOfGraph } from '../format/output-kind.ts';
import { parseOnnx } from '../onnx/onnx.ts';
import { checkFile } from '../onnx/scan.ts';
import type { ModelStore } from './store.ts';

/** Publishes it and makes every consumer of the pipeline switch to it; for one belt alone where `belt` is not null. */
export async function activateForPipeline(
  deps: PublishDeps,
  { pipeline, belt }: { pipeline: string; belt: string | null },
  model: LoadedModel,
): Promise<void> {
  await publishModel(deps, model);
  const { digest } = model.info;
  if (belt === null) await setActiveDigest(deps.pool, pipeline, digest);
  else await setBeltModel(deps.pool, { pipeline, belt }, digest);
}

export interface ModelInUse extends Omit<PublishedModel, 'manifest'> {
  /** Whose model it is; null: the pipeline's, which all other belts take. */
  belt: string | null;
  manifest: Manifest;
}

/** What is known of them without loading them: the pipeline's, where one was chosen, and those of its belts. */
export async function readModelsInUse(pool: Pool, pipeline: string): Promise<ModelInUse[]> {
  const { pipelines, byBelt } = await readChosenModels(pool, pipeline);
  const chosen = [...(pipelines === null ? [] : [[null, pipelines] as const]), ...byBelt];
  const found: ModelInUse[] = [];
  for (const [belt, { digest }] of chosen) {
    const published = await readPublished(pool, digest);
    if (published === null) continue; // the row refers to it
    found.push({ ...published, belt, manifest: parseManifest(JSON.stringify(published.manifest)) });
  }
  return found;
}

/** From this host's model store; what it lacks is fetched, verified, and kept there for the next start. */
export async function loadByDigest(
  deps: PublishDeps,
  models: ModelStore,
  digest: string,
): Promise<LoadedModel> {
  const here = (await models.list()).find((entry) => entry.manifest?.digest === digest);
  if (here !== undefined) return loadModel(here.path);
  const model = await fetchModel(deps, digest);
  const { name, version, labels } = model.info;
  const { labels: _, digest: __, inputSize: ___, ...manifest } = model.manifest!;
  // The store may be read-only on this host: then it is fetched at every start.
  await models
    .install({ manifest: { ...manifest, name, version }, weights: model.weights, labels })
    .catch(() => undefined);
  return model;
}

/** Models in the object store, by digest, for consumers on other hosts. */
interface PublishDeps {
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

/**
 * Fetches and verifies: what does not have its digest is refused. Throws `model_not_published`, `model_invalid`, or the
 * signal's reason.
 */
export async function fetchModel(
  { pool, store }: PublishDeps,
  digest: string,
  signal?: AbortSignal,
): Promise<LoadedModel> {
  const row = await readPublished(pool, digest);
  if (row === null) {
    throw new VisionscaleError(`model ${digest} is not published`, {
      code: 'model_not_published',
      hint: 'Publish it from a host that has it: visionscale model publish <name>',
    });
  }
  const weights = await store
    .get(weightsKey(digest), { maxBytes: maxWeights, ...(signal && { signal }) })
    .catch((error: unknown) => {
      if (!(error instanceof ObjectError && error.ofObject)) throw error;
      throw new VisionscaleError(`the weights of ${row.name}@${row.version} are not in the object store`, {
        code: 'model_not_published',
        hint: `Publish it again: visionscale model publish ${row.name}@${row.version}`,
        cause: error,
      });
    });
  return modelFromParts(row.manifest, weights);
}

/** `manifest` must name everything, labels and digest included. Throws `model_invalid`, also for other weights than it names. */
function modelFromParts(manifest: unknown, bytes: Uint8Array): LoadedModel {
  const parsed = parseManifest(JSON.stringify(manifest));
  const { name, version, labels, digest, preprocessing, engines, expected } = parsed;
  if (name === undefined || version === undefined || labels === undefined || digest === undefined) {
    throw invalidModel('the published manifest lacks name, version, labels or digest', {
      hint: 'Publish the model again.',
    });
  }
  const found = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  if (found !== digest) {
    throw invalidModel(`the weights of ${name} in the object store have ${found}, not ${digest}`, {
      hint: 'They were damaged or replaced: publish the model again.',
    });
  }
  // Shared, so that every worker thread reads the very bytes that were verified.
  const weights = inSharedMemory(bytes);
  checkFile(weights);
  const { output = outputOfGraph(parseOnnx(weights)).output } = parsed;
  const info = { name, version, digest, labels, ...(expected !== undefined && { expected }) };
  return {
    info,
    weights,
    preprocessing,
    output,
    manifest: parsed,
    ...(engines !== undefined && { engines }),
  };
}
