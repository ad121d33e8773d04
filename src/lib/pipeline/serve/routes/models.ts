/** Models that are published: which are in use, and switches between them, as safe as `model use` is. */
import type { FastifyRequest } from 'fastify';
import type { Pool } from 'pg';
import { VisionscaleError } from '../../../base/errors.ts';
import { sharedAnswer } from '../../../base/flow/shared-answer.ts';
import { parseManifest } from '../../../models/format/manifest.ts';
import { entryLabel } from '../../../models/store/entry.ts';
import {
  chosenSide,
  formerDigest,
  type ModelChange,
  modelChange,
  modelSwitches,
  requireFit,
  type SwitchSide,
} from '../../../models/store/model-switch.ts';
import { fetchModel } from '../../../models/store/pipeline-model.ts';
import { requireAgreement, verifyModel } from '../../../models/store/verify.ts';
import { recentBelts } from '../../../systems/database/tables/activity.ts';
import { readChosenModels, setBeltModel } from '../../../systems/database/tables/belt-models.ts';
import {
  type ListedModel,
  listPublished,
  type PublishedModel,
  readPublished,
  setActiveDigest,
} from '../../../systems/database/tables/models.ts';
import { jsonBody } from '../admission/json-body.ts';
import { accountOf, type App, refuseOtherMethods, type SharedByRoutes } from '../context.ts';
import { Problem, refusedAs } from '../problem.ts';
import { answer, historyQuery, problems } from '../schemas/common.ts';
import * as schemas from '../schemas/models.ts';

/** Older ones are for the command. */
const mostModels = 200;
/** However many look, it is asked once in so many milliseconds. */
const listMs = 1000;
/** Labels named in an answer at most, of those added and of those removed; and lines about bins. */
const mostNamed = 100;
/** Of a reason against it, which may name every rule. */
const mostReason = 2000;

interface Wanted {
  /** Null: the belt takes the pipeline's model again. */
  digest: string | null;
  belt: string | null;
  confirm: boolean;
  force: boolean;
}

export function modelRoutes(app: App, { deps, options }: SharedByRoutes): void {
  const { pool, store } = deps;
  const { pipeline } = options;

  const read = async () => {
    const [published, chosen, recent] = await Promise.all([
      listPublished(pool, mostModels),
      readChosenModels(pool, pipeline),
      recentBelts(pool, pipeline, 1000),
    ]);
    const users = [[null, chosen.pipelines] as const, ...chosen.byBelt];
    return {
      models: published.map((model) => ({
        ...told(model),
        usedBy: users.flatMap(([belt, used]) => (used?.digest === model.digest ? [belt] : [])),
      })),
      belts: [...new Set([...chosen.byBelt.keys(), ...recent])].toSorted(),
    };
  };
  // Asked again at once after a switch.
  let list = sharedAnswer(read, listMs);
  app.get(
    '/v1/models',
    {
      schema: {
        summary: 'Published models, the latest first, and which belts run them',
        response: {
          200: answer('The models', schemas.publishedModels),
          ...problems(401, 403),
        },
      },
    },
    () => list(),
  );

  app.get(
    '/v1/models/history',
    {
      schema: {
        summary: 'Who switched the models of the pipeline and its belts, the latest first',
        querystring: historyQuery,
        response: {
          200: answer('The switches', schemas.modelHistory),
          ...problems(400, 401, 403),
        },
      },
    },
    async ({ query: { limit } }) => ({
      switches: await modelSwitches(pool, pipeline, { limit, belt: null }),
    }),
  );

  const answers = {
    200: answer('It runs this model now', schemas.modelUsed),
    ...problems(400, 401, 403, 404, 413, 415, 422, 429),
    409: {
      description: 'What would change',
      content: { 'application/problem+json': { schema: schemas.unconfirmed } },
    },
  };
  app.post(
    '/v1/models/use',
    {
      config: { right: 'operate' },
      schema: { summary: 'Switch the pipeline or a belt to a published model', response: answers },
    },
    async (request) => {
      const { digest, belt = null, ...how } = await jsonBody(request, schemas.useModel);
      if (digest === null && belt === null)
        throw new Problem(400, 'invalid_request', 'digest: null is for a belt, and no belt is named');
      return switchTo(request, { digest, belt, ...how });
    },
  );
  app.post(
    '/v1/models/rollback',
    {
      config: { right: 'operate' },
      schema: { summary: 'Go back to the model before the latest switch', response: answers },
    },
    async (request) => {
      const { belt = null, ...how } = await jsonBody(request, schemas.rollbackModel);
      const digest = await formerDigest(pool, pipeline, belt).catch(refusedAs({ no_former: 409 }));
      return switchTo(request, { digest, belt, ...how });
    },
  );
  refuseOtherMethods(app, '/v1/models', ['GET', 'HEAD']);
  refuseOtherMethods(app, '/v1/models/history', ['GET', 'HEAD']);
  for (const url of ['/v1/models/use', '/v1/models/rollback']) refuseOtherMethods(app, url, ['POST']);

  async function switchTo(request: FastifyRequest, { digest, belt, confirm, force }: Wanted) {
    const row = digest === null ? null : await publishedModel(pool, digest);
    const change = await modelChange(pool, {
      pipeline,
      belt,
      after: row && chosenSide({ ...row, belt, manifest: manifestOf(row) }),
      local: null,
    }).catch(refusedAs({ no_model: 409 }));
    const against = [
      faultOf(() => requireFit(change)),
      row && faultOf(() => requireAgreement({ ...row, manifest: manifestOf(row) })),
    ].filter((fault) => fault !== null);
    if (!confirm || (against.length > 0 && !force)) throw unconfirmed(change, belt, against);
    if (digest !== null) await verified(digest);
    const account = accountOf(request);
    if (belt !== null) await setBeltModel(pool, { pipeline, belt }, digest, account);
    else if (digest !== null) await setActiveDigest(pool, pipeline, digest, account);
    list = sharedAnswer(read, listMs);
    const { name, version } = change.after;
    return { digest: change.after.digest, name, version, belt };
  }

  // Weights take memory: one after the other.
  let verifying = false;
  /** What consumers are about to fetch is there, is what it says it is, and answers. */
  async function verified(digest: string): Promise<void> {
    if (verifying) throw new Problem(429, 'busy', 'another model is being checked', { retryAfter: 2 });
    verifying = true;
    try {
      await verifyModel(await fetchModel({ pool, store }, digest));
    } catch (error) {
      // The row was there: it is the weights that are not.
      refusedAs({ model_invalid: 422, labels_mismatch: 422, model_not_published: 409 })(error);
    } finally {
      verifying = false;
    }
  }
}

/** Throws a Problem (404). */
export async function publishedModel(pool: Pool, digest: string): Promise<PublishedModel> {
  const row = await readPublished(pool, digest);
  if (row !== null) return row;
  throw new Problem(404, 'model_not_published', `model ${digest} is not published`, {
    hint: 'Publish it from a host that has it: visionscale model publish <name>',
  });
}

function manifestOf({ manifest }: Pick<PublishedModel, 'manifest'>) {
  return parseManifest(JSON.stringify(manifest));
}

function told(model: ListedModel) {
  const { digest, name, version, labels, publishedAt } = model;
  const { metrics, created, parent, knows, source, training, expected } = manifestOf(model);
  return {
    digest,
    name,
    version,
    labels,
    publishedAt,
    metrics: metrics ?? null,
    created: created ?? null,
    parent: parent ?? null,
    knows: knows ?? null,
    source: source ?? null,
    training: training ?? null,
    expected: expected
      ? {
          images: expected.images,
          confidence: expected.confidence,
          ...(expected.unknown !== undefined && { unknown: expected.unknown }),
        }
      : null,
  };
}

function faultOf(check: () => void): string | null {
  try {
    check();
    return null;
  } catch (error) {
    if (error instanceof VisionscaleError) return error.message;
    throw error;
  }
}

function unconfirmed(change: ModelChange, belt: string | null, force: string[]): Problem {
  const { before, after, labels, bins } = change;
  const side = ({ name, version, digest, labels, top1 }: SwitchSide) => ({
    name,
    version,
    digest,
    labels: labels.length,
    top1,
  });
  const some = (all: readonly string[]) => ({ count: all.length, some: all.slice(0, mostNamed) });
  const instead = before === null ? '' : ` instead of ${entryLabel(before)}`;
  const whose = belt === null ? `pipeline` : `belt ${belt}`;
  return new Problem(409, 'unconfirmed', `the ${whose} would run ${entryLabel(after)}${instead}`, {
    hint: `Send it again with "confirm": true${force.length > 0 ? ' and "force": true' : ''}.`,
    more: {
      change: {
        belt,
        before: before && side(before),
        after: side(after),
        labels: { removed: some(labels.gone), added: some(labels.come) },
        bins: bins && {
          version: bins.version,
          faults: bins.faults.slice(0, mostNamed),
          notes: bins.notes.slice(0, mostNamed),
        },
        force: force.map((reason) => reason.slice(0, mostReason)),
      },
    },
  });
}
