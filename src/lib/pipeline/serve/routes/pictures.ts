/** Pictures of images that the pipeline knows, made small in a process of their own, and kept while there is room. */
import { ImageError, ObjectError } from '../../../base/errors.ts';
import { isKnownImage } from '../../../systems/database/tables/activity.ts';
import { Places, senderOf } from '../admission/senders.ts';
import { type App, refuseOtherMethods, type SharedByRoutes } from '../context.ts';
import { Problem } from '../problem.ts';
import { binary, problems } from '../schemas/common.ts';
import * as schemas from '../schemas/images.ts';

/** Of all pictures that are kept. */
const mostKeptBytes = 32 * 2 ** 20;
/** Made at a time: the cores are the consumers'. */
const mostAtOnce = { all: 32, each: 16 };

export function pictureRoutes(app: App, { deps, options }: SharedByRoutes): void {
  const { pool, store, looking } = deps;
  const kept = new Kept(mostKeptBytes);
  const places = new Places(mostAtOnce);

  app.get(
    '/v1/picture',
    {
      schema: {
        summary: 'An image as a JPEG that fits into a square',
        querystring: schemas.pictureQuery,
        response: {
          200: { description: 'The picture', content: { 'image/jpeg': { schema: binary } } },
          ...problems(400, 401, 403, 404, 422, 429),
        },
      },
    },
    async ({ query: { key, side }, token, ip }, reply) => {
      const name = `${side} ${key}`;
      const found = kept.get(name);
      // An image may be replaced: not for long.
      void reply.type('image/jpeg').header('cache-control', 'private, max-age=60');
      if (found !== undefined) return reply.send(found as never);
      if (!(await isKnownImage(pool, options.pipeline, key))) throw noPicture();
      const sender = senderOf(token, ip);
      if (places.full(sender) !== undefined)
        throw new Problem(429, 'busy', 'too many pictures are being made', { retryAfter: 1 });
      const leave = places.take(sender);
      try {
        const bytes = await store.get(key, { maxBytes: options.limits.maxBytes });
        const picture = Buffer.from(await looking.thumbnail(bytes, side));
        kept.put(name, picture);
        return await reply.send(picture as never);
      } catch (error) {
        if (error instanceof ObjectError && error.code === 'not_found') throw noPicture();
        if (error instanceof ImageError) throw new Problem(422, error.code, error.message);
        throw error;
      } finally {
        leave();
      }
    },
  );
  refuseOtherMethods(app, '/v1/picture', ['GET', 'HEAD']);
}

function noPicture(): Problem {
  return new Problem(404, 'not_found', 'the store has no image with this key', {
    hint: 'Images that came inside messages are not kept, and `prune` deletes old ones.',
  });
}

/** The most recently used, up to a number of bytes. */
class Kept {
  readonly #most: number;
  readonly #pictures = new Map<string, Buffer>();
  #bytes = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get(name: string): Buffer | undefined {
    const found = this.#pictures.get(name);
    if (found !== undefined) {
      this.#pictures.delete(name);
      this.#pictures.set(name, found);
    }
    return found;
  }

  put(name: string, picture: Buffer): void {
    this.#bytes += picture.length - (this.#pictures.get(name)?.length ?? 0);
    this.#pictures.delete(name);
    this.#pictures.set(name, picture);
    for (const [oldest, { length }] of this.#pictures) {
      if (this.#bytes <= this.#most) return;
      this.#pictures.delete(oldest);
      this.#bytes -= length;
    }
  }
}
