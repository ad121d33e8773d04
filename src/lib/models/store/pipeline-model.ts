/** The model that a pipeline's consumers run, whichever host they are on: a row in the database, the weights in the store. */
import { readActiveDigest, setActiveDigest } from '../../systems/database/tables/models.ts';
import { loadModel, type LoadedModel } from '../format/model.ts';
import { fetchModel, publishModel, type PublishDeps } from './publish.ts';
import type { ModelStore } from './store.ts';

/** Publishes it and makes every consumer of the pipeline switch to it. */
export async function activateForPipeline(
  deps: PublishDeps,
  pipeline: string,
  model: LoadedModel,
): Promise<void> {
  await publishModel(deps, model);
  await setActiveDigest(deps.pool, pipeline, model.info.digest);
}

/** The pipeline's active model; null where nobody has chosen one. */
export async function loadPipelineModel(
  deps: PublishDeps,
  models: ModelStore,
  pipeline: string,
): Promise<LoadedModel | null> {
  const digest = await readActiveDigest(deps.pool, pipeline);
  return digest === null ? null : loadByDigest(deps, models, digest);
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
