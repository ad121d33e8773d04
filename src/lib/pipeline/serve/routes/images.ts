/** Images in, one or several, and what became of each. */
import type { Readable } from 'node:stream';
import { readIngested } from '../../../systems/database/tables/ingested.ts';
import { findOutcomes, type Outcome } from '../../../systems/database/tables/results.ts';
import type { App, Shared } from '../context.ts';
import { Problem } from '../problem.ts';
import * as schemas from '../schemas.ts';
import { answerOf, goneWith, send, sendSeveral } from './answer.ts';
import { receiveForm } from './form.ts';
import { refuseOtherMethods } from './only.ts';
import { declaredLength, saidBy, takeImage } from './posted.ts';

/** Types that are certainly no image: refused before a byte of them is read. */
const foreignType =
  /^(text|audio|video|font|model|message)\/|^application\/(json|xml|pdf|zip|gzip|javascript)/i;

export function imageRoutes(app: App, shared: Shared): void {
  const { deps, options, waiters } = shared;
  const { pipeline } = options;

  app.post(
    '/v1/images',
    {
      config: { right: 'write' },
      schema: {
        summary: 'Take an image in, and hold the answer until its result if asked to',
        headers: schemas.imageHeaders,
        querystring: schemas.waitQuery,
        response: {
          200: schemas.answer('Its result, within the time to wait', schemas.result),
          202: schemas.answer('It is taken; its result comes later', schemas.accepted),
          207: schemas.answer('Each of several on its own', schemas.several),
          ...schemas.problems(400, 401, 403, 408, 413, 415, 422, 429, 503),
        },
      },
    },
    async (request, reply) => {
      const wait = request.query.wait ?? 0;
      if (request.isMultipart()) {
        const answers = await receiveForm(shared, request, (ingested) =>
          answerOf(shared, ingested, wait, reply),
        );
        return answers.length === 1 ? send(reply, answers[0]!.answer) : sendSeveral(reply, answers);
      }
      const type = request.headers['content-type'] ?? '';
      if (foreignType.test(type)) {
        throw new Problem(415, 'not_an_image', `a body of type ${type.slice(0, 100)} is no image`, {
          hint: 'Send the image itself (image/jpeg, …, or application/octet-stream), or multipart/form-data.',
        });
      }
      const said = saidBy(request);
      const stream: Readable = request.raw;
      const declaredBytes = declaredLength(request);
      const ingested = await takeImage(shared, request, said, { stream, declaredBytes, index: 0 });
      return send(reply, await answerOf(shared, ingested, wait, reply));
    },
  );

  app.get(
    '/v1/images/:id',
    {
      schema: {
        summary: 'What became of an image',
        params: schemas.imageParams,
        querystring: schemas.waitQuery,
        response: {
          200: schemas.answer('What is known', schemas.image),
          ...schemas.problems(400, 401, 403, 404),
        },
      },
    },
    async ({ params: { id }, query: { wait } }, reply) => {
      const [known] = await findOutcomes(deps.pool, pipeline, [id]);
      if (known !== undefined) return stateOf(known);
      const pending = await readIngested(deps.pool, pipeline, id);
      if (pending === null) throw new Problem(404, 'not_found', 'no image of this id is known');
      const outcome = await waiters.wait(id, wait ?? 0, goneWith(reply));
      if (outcome !== null) return stateOf(outcome);
      return { id, status: 'pending' as const, imageKey: pending.imageKey, result: null, failure: null };
    },
  );

  refuseOtherMethods(app, '/v1/images', ['POST']);
  refuseOtherMethods(app, '/v1/images/:id', ['GET', 'HEAD']);
}

function stateOf(outcome: Outcome) {
  const { id, imageKey } = outcome;
  return outcome.kind === 'result'
    ? { id, status: 'done' as const, imageKey, result: outcome.result, failure: null }
    : { id, status: 'failed' as const, imageKey, result: null, failure: outcome.failure };
}
