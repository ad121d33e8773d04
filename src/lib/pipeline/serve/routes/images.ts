/** Images in, one or several, and what became of each; also as the clients of the sister system send them. */
import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { DatabaseError, errorMessage, ImageError } from '../../../base/errors.ts';
import { correctionOfResult } from '../../../systems/database/tables/corrections.ts';
import { letterOfRequest } from '../../../systems/database/tables/dead-letters.ts';
import { readIngested } from '../../../systems/database/tables/ingested.ts';
import {
  findOutcomes,
  readResultDetails,
  type RequestOutcome,
} from '../../../systems/database/tables/results.ts';
import { invite } from '../admission/receive.ts';
import { senderOf } from '../admission/senders.ts';
import { type App, refuseOtherMethods, type SharedByRoutes } from '../context.ts';
import { foreignExtension, headerText, type Ingested } from '../ingest.ts';
import { Problem, toProblem } from '../problem.ts';
import { answer, problems } from '../schemas/common.ts';
import * as schemas from '../schemas/images.ts';
import { result } from '../schemas/results.ts';
import {
  answerOf,
  declaredLength,
  goneWith,
  locationOf,
  type PartAnswer,
  type PostAnswer,
  refusedPart,
  saidBy,
  send,
  sendSeveral,
  takeImage,
} from './posted.ts';

/** Types that are certainly no image: refused before a byte of them is read. */
const foreignType =
  /^(text|audio|video|font|model|message)\/|^application\/(json|xml|pdf|zip|gzip|javascript)/i;

export function imageRoutes(app: App, shared: SharedByRoutes): void {
  const { deps, options, waiters } = shared;
  const { pipeline } = options;

  app.post(
    '/v1/images',
    {
      config: { right: 'write' },
      schema: {
        summary: 'Accept an image, and wait for its result if asked to',
        headers: schemas.imageHeaders,
        querystring: schemas.waitQuery,
        response: {
          200: answer('Its result, within the time to wait', result),
          202: answer('Accepted; the result comes later', schemas.accepted),
          207: answer('One answer for each of several images', schemas.several),
          ...problems(400, 401, 403, 408, 413, 415, 422, 429, 503),
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
        throw new Problem(415, 'not_an_image', `a body of type ${type.slice(0, 100)} is not an image`, {
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
          200: answer('The state of the image', schemas.image),
          ...problems(400, 401, 403, 404),
        },
      },
    },
    async ({ params: { id }, query: { wait } }, reply) => {
      const [known] = await findOutcomes(deps.pool, pipeline, [id]);
      if (known !== undefined) return stateOf(known, await detailsOf(shared, id));
      const pending = await readIngested(deps.pool, pipeline, id);
      if (pending === null) throw new Problem(404, 'not_found', 'there is no image with this id');
      const outcome = await waiters.wait(id, wait ?? 0, goneWith(reply));
      if (outcome !== null) return stateOf(outcome, await detailsOf(shared, id));
      const { imageKey } = pending;
      return { id, status: 'pending' as const, imageKey, result: null, failure: null, ...noDetails };
    },
  );

  refuseOtherMethods(app, '/v1/images', ['POST']);
  refuseOtherMethods(app, '/v1/images/:id', ['GET', 'HEAD']);
}

type Details = Omit<z.infer<typeof schemas.image>, 'id' | 'status' | 'imageKey' | 'result' | 'failure'>;

function stateOf(outcome: RequestOutcome, details: Details) {
  const { id, imageKey } = outcome;
  return outcome.kind === 'result'
    ? { id, status: 'done' as const, imageKey, result: outcome.result, failure: null, ...details }
    : { id, status: 'failed' as const, imageKey, result: null, failure: outcome.failure, ...details };
}

const noDetails: Details = {
  stages: null,
  message: null,
  deadLetter: null,
  correction: null,
  previous: null,
  next: null,
};

async function detailsOf(
  { deps: { pool }, options: { pipeline } }: SharedByRoutes,
  id: string,
): Promise<Details> {
  const [row, letter, correction] = await Promise.all([
    readResultDetails(pool, pipeline, id),
    letterOfRequest(pool, pipeline, id).catch(nullIfDenied),
    correctionOfResult(pool, pipeline, id).catch(nullIfDenied),
  ]);
  const place = letter && { topic: letter.topic, partition: letter.partition, offset: letter.offset };
  return { ...noDetails, message: place, ...row, deadLetter: letter, correction };
}

/** A server with the SQL role `producer` answers with outcomes, and may read no more of dead letters and corrections. */
function nullIfDenied(error: unknown): null {
  if (error instanceof DatabaseError && error.code === 'database_permission_denied') return null;
  throw error;
}

/** A whole form may be as large as so many of the largest images. */
const mostImagesWorth = 4;

/**
 * A form with one or more images, each taken in as it arrives, so that no more than one is in memory.
 * `settle` is begun for each image that was taken, and waited for at the end. A fault of one image is its own answer; what
 * is wrong with the form is the last one, or thrown where it holds nothing else.
 */
async function receiveForm(
  shared: SharedByRoutes,
  request: FastifyRequest,
  settle: (ingested: Ingested) => Promise<PostAnswer>,
): Promise<PartAnswer[]> {
  const most = mostImagesWorth * shared.options.limits.maxBytes;
  if ((declaredLength(request) ?? 0) > most) throw tooLarge(most);
  const said = saidBy(request);
  shared.admission.check(senderOf(request.token, request.ip));
  invite(request.raw);
  const answers: { name: string | null; answer: Promise<PostAnswer> }[] = [];
  let name: string | undefined;
  let bytes = 0;
  let fault: Problem | undefined;
  try {
    for await (const part of request.parts()) {
      if (part.type === 'field') {
        if (part.fieldname === 'name' && typeof part.value === 'string') name = part.value;
        continue;
      }
      const { file: stream, filename } = part;
      const called = name ?? (filename || said.name);
      name = undefined;
      const index = answers.length;
      const taken = takeImage(shared, request, { ...said, name: called }, { stream, index });
      answers.push({ name: called ?? null, answer: taken.then(settle).catch(refusedPart) });
      // One at a time.
      const isLate = await taken.then(
        () => false,
        async (error: unknown) => isTooSlow(error) || (await passOver(stream, most - bytes), false),
      );
      // What follows would come as slowly.
      if (isLate) break;
      bytes += stream.bytesRead;
      if (bytes > most) throw tooLarge(most);
    }
  } catch (error) {
    fault = formProblem(error);
  }
  const settled = await Promise.all(
    answers.map(async (one) => ({ name: one.name, answer: await one.answer })),
  );
  if (fault !== undefined) {
    if (settled.every(({ answer }) => answer.status >= 400)) throw fault;
    settled.push({ name: null, answer: refusedPart(fault) });
  }
  if (settled.length === 0) throw noImage();
  return settled;
}

/** The rest of a part that was refused, so that the next one can be read. */
async function passOver(stream: Readable & { bytesRead: number }, most: number): Promise<void> {
  try {
    for await (const _ of stream.iterator({ destroyOnReturn: false })) if (stream.bytesRead > most) return;
  } catch {
    // its own answer tells that it was cut off
  }
}

function noImage(): Problem {
  return new Problem(400, 'no_image', 'the form has no file', {
    hint: 'A part is an image where it has a filename, or the Content-Type of an image.',
  });
}

function isTooSlow(error: unknown): boolean {
  return error instanceof Problem && error.status === 408;
}

function tooLarge(most: number): Problem {
  return new Problem(413, 'form_too_large', `the form is larger than ${most} bytes`, {
    hint: 'Send fewer images at a time.',
  });
}

/** What comes out of the parser and says no status of its own is a form that cannot be read. */
function formProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const { statusCode } = error as { statusCode?: unknown };
  const status = typeof statusCode === 'number' && statusCode < 500 ? statusCode : 400;
  return new Problem(status, 'bad_form', `the form cannot be read: ${errorMessage(error)}`, { cause: error });
}

/** `POST /` with the header `img_name`: how the clients of the sister system send an image. `hasPage`: who looks there sees the live page. */
export function originalRoute(app: App, shared: SharedByRoutes, hasPage: boolean): void {
  app.post(
    '/',
    {
      config: { right: 'write' },
      schema: {
        summary: 'Accept an image as clients of the original system send it',
        headers: schemas.originalHeaders,
        response: {
          201: answer('It is taken', schemas.accepted),
          ...problems(400, 401, 403, 408, 413, 429, 503),
        },
      },
    },
    async (request, reply) => {
      const name = headerText(request.headers.img_name);
      const foreign = foreignExtension(name);
      if (foreign !== undefined) {
        throw new Problem(400, 'not_an_image', `.${foreign} files are not images`, {
          hint: 'Supported: JPEG, PNG, WebP, GIF, TIFF, BMP.',
        });
      }
      try {
        const source = { stream: request.raw, declaredBytes: declaredLength(request), index: 0 };
        const { id, imageKey } = await takeImage(shared, request, { ...saidBy(request), name }, source);
        return await reply
          .code(201)
          .header('location', locationOf(id))
          .send({ id, status: 'pending' as const, imageKey });
      } catch (error) {
        // These clients know one status for a wrong image.
        if (!(error instanceof ImageError)) throw error;
        const { code, message, hint } = toProblem(error);
        throw new Problem(400, code, message, { hint, cause: error });
      }
    },
  );

  refuseOtherMethods(app, '/', hasPage ? ['GET', 'HEAD', 'POST'] : ['POST']);
}
