/** A form with one or more images: each is taken in as it arrives, so that no more than one is in memory. */
import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { errorMessage } from '../../../base/errors.ts';
import { invite } from '../admission/expect-continue.ts';
import { senderOf } from '../admission/sender.ts';
import type { Shared } from '../context.ts';
import type { Ingested } from '../ingest.ts';
import { Problem } from '../problem.ts';
import { type Answer, type PartAnswer, refusedPart } from './answer.ts';
import { declaredLength, saidBy, takeImage } from './posted.ts';

/** A whole form may be as large as so many of the largest images. */
const mostImagesWorth = 4;

/**
 * `settle` is begun for each image that was taken, and waited for at the end. A fault of one image is its own answer; what
 * is wrong with the form is the last one, or thrown where it holds nothing else.
 */
export async function receiveForm(
  shared: Shared,
  request: FastifyRequest,
  settle: (ingested: Ingested) => Promise<Answer>,
): Promise<PartAnswer[]> {
  const most = mostImagesWorth * shared.options.limits.maxBytes;
  if ((declaredLength(request) ?? 0) > most) throw tooLarge(most);
  const said = saidBy(request);
  shared.admission.check(senderOf(request.token, request.ip));
  invite(request.raw);
  const answers: { name: string | null; answer: Promise<Answer> }[] = [];
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
  return new Problem(400, 'no_image', 'the form holds no file', {
    hint: 'A part is an image where it has a filename, or the Content-Type of an image.',
  });
}

function isTooSlow(error: unknown): boolean {
  return error instanceof Problem && error.status === 408;
}

function tooLarge(most: number): Problem {
  return new Problem(413, 'form_too_large', `a form may have ${most} bytes, and this is larger`, {
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
