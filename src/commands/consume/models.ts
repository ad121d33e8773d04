/** What a consumer classifies with: a model that the settings name, else those that were chosen for its pipeline and its belts. */
import type { Pool } from 'pg';
import { loadModel, openClassifier } from '../../compose.ts';
import type { Patience } from '../../lib/base/flow/retry.ts';
import { HeldModels } from '../../lib/models/classifier/held.ts';
import type { LoadedModel } from '../../lib/models/format/model.ts';
import { ensureModel } from '../../lib/models/pull/offer.ts';
import { loadByDigest } from '../../lib/models/store/pipeline-model.ts';
import { openModelStore } from '../../lib/models/store/store.ts';
import { followModels } from '../../lib/pipeline/consume/follow-models.ts';
import {
  ChosenForPipeline,
  type ModelEvent,
  type Models,
  oneModel,
} from '../../lib/pipeline/consume/models.ts';
import { readChosenModels } from '../../lib/systems/database/tables/belt-models.ts';
import type { ObjectStore } from '../../lib/systems/objects/store.ts';
import type { Context } from '../shared/run.ts';

export interface ModelSources {
  pool: Pool;
  store: ObjectStore;
  patiently: Patience;
}

export interface OpenModels extends AsyncDisposable {
  models: Models;
}

/** Opens the pipeline's model, and from then on follows what is chosen, until it is disposed. */
export async function openModels(context: Context, sources: ModelSources): Promise<OpenModels> {
  const { config, log } = context;
  const { pool, store, patiently } = sources;
  const chosen = await patiently(() => readChosenModels(pool, config.pipeline));
  if (config.model !== undefined) {
    const belts = [...chosen.byBelt.keys()];
    if (belts.length > 0) {
      log.warn(
        { belts },
        `belts have models of their own, but ${config.model} is used for all: --model is given`,
      );
    }
    await ensureModel(context);
    const classifier = await openClassifier(context);
    return { models: oneModel(classifier), [Symbol.asyncDispose]: () => classifier[Symbol.asyncDispose]() };
  }

  const models = openModelStore(config.models);
  let local: LoadedModel | undefined;
  if (chosen.pipelines === null) {
    await ensureModel(context);
    local = await loadModel(config);
  }
  let followed: ChosenForPipeline | undefined;
  const held = new HeldModels({
    memoryBytes: config.modelMemoryBytes,
    open: async (digest, mayGrow) => {
      const own = local?.info.digest === digest ? local : undefined;
      const model = own ?? (await loadByDigest({ pool, store }, models, digest));
      return openClassifier(context, model, { mayGrow });
    },
    onClosed: ({ name, version, digest }) =>
      log.info({ digest }, `closed ${name} ${version} to make room for another model`),
    onFailed: (digest, reason) => followed?.failed(digest, reason),
  });
  try {
    const wanted = chosen.pipelines ?? { digest: local!.info.digest, bytes: local!.weights.length };
    using first = await patiently(() => held.lend(wanted, { keep: true }));
    local = undefined;
    const { classifier } = first;
    const report = (event: ModelEvent) => logModel(context, event);
    followed = new ChosenForPipeline(held, { first: classifier, chosen, report });
    const stop = new AbortController();
    const signal = AbortSignal.any([context.signal, stop.signal]);
    const following = followModels(pool, config.pipeline, followed, signal);
    return {
      models: followed,
      async [Symbol.asyncDispose]() {
        stop.abort();
        await following;
        await held[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await held[Symbol.asyncDispose]();
    throw error;
  }
}

function logModel({ log }: Context, event: ModelEvent): void {
  const { digest } = event;
  const belt = event.belt ?? undefined;
  const whose = belt === undefined ? 'the active model' : `the model of belt ${belt}`;
  switch (event.kind) {
    case 'switched':
      log.info(
        { belt, digest },
        `${belt === undefined ? '' : `belt ${belt} `}now runs ${event.model} ${event.version}`,
      );
      break;
    case 'switch failed': {
      const { reason, former = 'its former one' } = event;
      log.error({ belt, digest }, `${whose} cannot be used: ${reason}; still using ${former}`);
      break;
    }
    case 'not opened':
      log.error({ belt, digest }, `${whose} cannot be used: ${event.reason}; its images wait`);
      break;
  }
}
