/** Labelling: what the model was unsure of, what images really are, and how good the model is by that. */
import type { FastifyRequest } from 'fastify';
import { VisionscaleError } from '../../../base/errors.ts';
import { sharedAnswer } from '../../../base/flow/shared-answer.ts';
import { correctionsByLabel, takeBackCorrections } from '../../../systems/database/tables/corrections.ts';
import { countRecent, unsurePredictions } from '../../../systems/database/tables/predictions.ts';
import { accuracy, recentPredictions, weaknesses } from '../../accuracy.ts';
import { correctImages } from '../../correct.ts';
import { jsonBody } from '../admission/json-body.ts';
import { Places, senderOf } from '../admission/senders.ts';
import { type App, refuseOtherMethods, type SharedByRoutes } from '../context.ts';
import { Problem } from '../problem.ts';
import { answer, problems } from '../schemas/common.ts';
import * as schemas from '../schemas/labelling.ts';

/** Each looks through the predictions of its time. */
const mostSearches = { all: 4, each: 2 };
/** A model may be read from the disk for its labels, and accuracy goes through all corrections. */
const labelsMs = 10_000;
const accuracyMs = 1000;
/** That are offered to choose from. */
const mostBelts = 200;

/** Unless told since when, it is looked for images to label among so many latest predictions, of at most a week. */
const lookedAt = { predictions: 50_000, ms: 7 * 24 * 3600_000 };

export function labellingRoutes(app: App, { deps, options }: SharedByRoutes): void {
  const { pool } = deps;
  const { pipeline } = options;

  const places = new Places(mostSearches);
  app.get(
    '/v1/unsure',
    {
      schema: {
        summary: 'Images that nobody has corrected yet, what the model was least sure of first',
        querystring: schemas.unsureQuery,
        response: {
          200: answer('The images', schemas.unsure),
          ...problems(400, 401, 403, 429),
        },
      },
    },
    async ({ query: { since, ...query }, token, ip }) => {
      const among = since === undefined ? lookedAt.predictions : undefined;
      const filter = { ...query, since: since ?? new Date(Date.now() - lookedAt.ms), among };
      const sender = senderOf(token, ip);
      if (places.full(sender) !== undefined)
        throw new Problem(429, 'busy', 'too many are looking for images to label', { retryAfter: 1 });
      const leave = places.take(sender);
      try {
        const found = await unsurePredictions(pool, { pipeline, ...filter });
        return {
          images: found.map(
            ({ model: name, modelVersion: version, modelDigest: digest, time, ...image }) => ({
              ...image,
              model: { name, version, digest },
              processedAt: time.toISOString(),
            }),
          ),
        };
      } finally {
        leave();
      }
    },
  );

  const modelLabels = sharedAnswer(async () => (await deps.answers?.())?.labels ?? null, labelsMs);
  const recent = sharedAnswer(() => countRecent(pool, pipeline, recentPredictions), labelsMs);
  app.get(
    '/v1/labels',
    {
      schema: {
        summary:
          'What to label with, and what to choose images by: labels of the models in use and those that corrections have added; belts and models of the latest results',
        response: { 200: answer('The labels', schemas.labels), ...problems(401, 403) },
      },
    },
    async () => {
      const [known, latest, used] = await Promise.all([
        modelLabels(),
        recent(),
        correctionsByLabel(pool, pipeline),
      ]);
      const counts = new Map(used.map(({ label, corrections }) => [label, corrections]));
      const all = new Set([...(known ?? []), ...counts.keys()]);
      const models = new Map(latest.map(({ model }) => [model.digest, model]));
      return {
        labels: [...all].map((label) => ({ label, corrections: counts.get(label) ?? 0 })),
        belts: [...new Set(latest.flatMap(({ belt }) => belt ?? []))].slice(0, mostBelts).toSorted(),
        models: [...models.values()].map(({ name, version }) => ({ name, version })),
      };
    },
  );

  /** Who says so: the name of the token. */
  const by = ({ token }: FastifyRequest) => token ?? 'http';
  app.post(
    '/v1/corrections',
    {
      config: { right: 'operate' },
      schema: {
        summary: 'Say what images really are, as `visionscale correct` does: all of them or none',
        response: {
          200: answer('What was recorded', schemas.corrected),
          ...problems(400, 401, 403, 404, 413, 415, 422),
        },
      },
    },
    async (request) => {
      const { corrections, new: allowNew } = await jsonBody(request, schemas.corrections);
      const labels = await modelLabels();
      const how = { pipeline, by: by(request), labels, allowNew };
      return { corrections: await correctImages(pool, corrections, how).catch(refused) };
    },
  );
  app.post(
    '/v1/corrections/undo',
    {
      config: { right: 'operate' },
      schema: {
        summary:
          'Take corrections back: the former label counts again, or none; what was corrected since stays',
        response: {
          200: answer('Which', schemas.takenBack),
          ...problems(400, 401, 403, 413, 415),
        },
      },
    },
    async (request) => {
      const { corrections } = await jsonBody(request, schemas.correctionsToUndo);
      return { undone: await takeBackCorrections(pool, pipeline, by(request), corrections) };
    },
  );

  const measure = sharedAnswer(async () => {
    const [measured, weak] = await Promise.all([accuracy(pool, pipeline), weaknesses(pool, pipeline)]);
    return { ...measured, ...weak };
  }, accuracyMs);
  app.get(
    '/v1/accuracy',
    {
      schema: {
        summary:
          'How often the models were right about corrected images, with classes, confused pairs, and which classes to photograph next: as `visionscale results accuracy --json`',
        response: { 200: answer('The accuracy', schemas.accuracy), ...problems(401, 403) },
      },
    },
    () => measure(),
  );

  for (const url of ['/v1/unsure', '/v1/labels', '/v1/accuracy'])
    refuseOtherMethods(app, url, ['GET', 'HEAD']);
  for (const url of ['/v1/corrections', '/v1/corrections/undo']) refuseOtherMethods(app, url, ['POST']);
}

const statuses: Record<string, number> = { image_unknown: 404, label_unknown: 422, label_invalid: 422 };

function refused(error: unknown): never {
  const status = error instanceof VisionscaleError ? statuses[error.code] : undefined;
  if (status === undefined) throw error;
  const { code, message, hint } = error as VisionscaleError;
  throw new Problem(status, code, message, {
    hint: code === 'label_unknown' ? 'Nothing was recorded. For a new class, send "new": true.' : hint,
    cause: error,
  });
}
