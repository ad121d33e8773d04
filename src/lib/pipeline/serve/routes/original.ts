/** `POST /` with the header `img_name`: how the clients of the sister system send an image. */
import { ImageError } from '../../../base/errors.ts';
import { type App, type SharedByRoutes, refuseOtherMethods } from '../context.ts';
import { foreignExtension, headerText } from '../ingest.ts';
import { Problem, toProblem } from '../problem.ts';
import * as schemas from '../schemas.ts';
import { locationOf, declaredLength, saidBy, takeImage } from './posted.ts';

export function originalRoute(app: App, shared: SharedByRoutes): void {
  app.post(
    '/',
    {
      config: { right: 'write' },
      schema: {
        summary: 'Take an image in, as clients of the original system send it',
        headers: schemas.originalHeaders,
        response: {
          201: schemas.answer('It is taken', schemas.accepted),
          ...schemas.problems(400, 401, 403, 408, 413, 429, 503),
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

  refuseOtherMethods(app, '/', ['POST']);
}
