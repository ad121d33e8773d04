/** Dead letters: in pages, and retried or dropped. */
import { VisionscaleError } from '../../../base/errors.ts';
import { sharedAnswer } from '../../../base/flow/shared-answer.ts';
import {
  countOpenByCode,
  latestOfEachCode,
  letterPage,
} from '../../../systems/database/tables/dead-letters.ts';
import { dropDeadLetters, retryDeadLetters } from '../../dead-letters/dead-letters.ts';
import { jsonBody } from '../admission/json-body.ts';
import { type App, refuseOtherMethods, type SharedByRoutes } from '../context.ts';
import { Problem } from '../problem.ts';
import { answer, problems } from '../schemas/common.ts';
import * as schemas from '../schemas/dead-letters.ts';

/** A call ends in time, whatever is away, in milliseconds. */
const giveUpAfterMs = 10_000;
/** What the live page asks for. */
const shownOfEach = 5;
const mostLetters = 500;
const sharedMs = 1000;

export function deadLetterRoutes(app: App, { deps, options, closing }: SharedByRoutes): void {
  const { pool, topic } = deps;
  const { pipeline } = options;

  const byCode = async (each: number, limit: number) => {
    const letters = await latestOfEachCode(pool, pipeline, each, limit);
    return { letters, open: await countOpenByCode(pool, pipeline), next: null };
  };
  // All open letters are ranked for it: once for all pages that show it.
  const shared = sharedAnswer(() => byCode(shownOfEach, mostLetters), sharedMs);
  app.get(
    '/v1/dead-letters',
    {
      schema: {
        summary: 'Dead letters, latest first, in pages, with the number of open ones by code',
        querystring: schemas.lettersQuery,
        response: { 200: answer('A page', schemas.letterPage), ...problems(400, 401, 403) },
      },
    },
    async ({ query: { code, state, limit, before, each } }) => {
      if (each !== undefined)
        return each === shownOfEach && limit === mostLetters ? shared() : byCode(each, limit);
      const selection = { pipeline, ...(code !== undefined && { code }), ...(state !== 'all' && { state }) };
      const [found, open] = await Promise.all([
        letterPage(pool, selection, before ?? Number.MAX_SAFE_INTEGER, limit + 1),
        countOpenByCode(pool, pipeline),
      ]);
      const letters = found.slice(0, limit);
      return { letters, open, next: found.length > limit ? letters.at(-1)!.id : null };
    },
  );
  refuseOtherMethods(app, '/v1/dead-letters', ['GET', 'HEAD']);

  /** Only open letters are touched; those that are closed already count for nothing. */
  const acted = (ids: readonly number[]) => ({
    selection: { pipeline, ids },
    signal: closing,
    giveUpAfterMs,
    report: () => undefined,
  });
  app.post(
    '/v1/dead-letters/retry',
    {
      config: { right: 'operate' },
      schema: {
        summary: 'Send dead letters through the topic once more',
        response: {
          200: answer('How many', schemas.retried),
          ...problems(400, 401, 403, 404, 413, 415),
        },
      },
    },
    async (request) => {
      const { ids } = await jsonBody(request, schemas.letterIds);
      const { retried, refused } = await retryDeadLetters(pool, topic, acted(ids)).catch(missing);
      return { retried, refused };
    },
  );
  app.post(
    '/v1/dead-letters/drop',
    {
      config: { right: 'operate' },
      schema: {
        summary: 'Drop dead letters: their images will never be classified',
        response: {
          200: answer('How many', schemas.dropped),
          ...problems(400, 401, 403, 404, 413, 415),
        },
      },
    },
    async (request) => {
      const { ids } = await jsonBody(request, schemas.letterIds);
      return dropDeadLetters(pool, acted(ids)).catch(missing);
    },
  );
  for (const url of ['/v1/dead-letters/retry', '/v1/dead-letters/drop'])
    refuseOtherMethods(app, url, ['POST']);
}

function missing(error: unknown): never {
  if (!(error instanceof VisionscaleError) || error.code !== 'dead_letter_missing') throw error;
  throw new Problem(404, 'not_found', error.message, { cause: error });
}
