/** Two published models compared on images of the pipeline: one comparison at a time, apart from all requests. */
import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { VisionscaleError } from '../../../base/errors.ts';
import { jsonBody } from '../admission/json-body.ts';
import {
  accountOf,
  type App,
  type CompareModels,
  refuseOtherMethods,
  type ServeDeps,
  type SharedByRoutes,
} from '../context.ts';
import { Problem, toProblem } from '../problem.ts';
import { answer, problems } from '../schemas/common.ts';
import * as schemas from '../schemas/comparisons.ts';
import { publishedModel } from './models.ts';

type Comparison = z.infer<typeof schemas.comparison>;

/** The latest, with their results. */
const mostKept = 8;

export function comparisonRoutes(app: App, { deps, options, closing }: SharedByRoutes): void {
  const { pool, compare, report } = deps;
  if (compare === undefined) return;
  const signal = AbortSignal.any([options.signal, closing]);
  const comparisons = new Comparisons(compare, { signal, report });
  app.addHook('onClose', () => comparisons.ended);

  app.post(
    '/v1/models/compare',
    {
      config: { right: 'operate' },
      schema: {
        summary: 'Compare two published models on the latest images that people have labelled, and others',
        response: {
          202: answer('It has begun; `Location` tells how far it is', schemas.comparison),
          ...problems(400, 401, 403, 404, 413, 415),
          429: {
            description: 'One runs already',
            content: { 'application/problem+json': { schema: schemas.comparisonRuns } },
          },
        },
      },
    },
    async (request, reply) => {
      const { models, belt = null, images } = await jsonBody(request, schemas.compareModels);
      const rows = await Promise.all(models.map((digest) => publishedModel(pool, digest)));
      const named = rows.map(({ digest, name, version }) => ({ digest, name, version }));
      const begun = comparisons.begin({ models: named, belt, images });
      report({
        kind: 'comparing',
        models: named.map(({ name, version }) => `${name}@${version}`),
        images,
        by: accountOf(request),
      });
      return reply.code(202).header('location', `/v1/models/compare/${begun.id}`).send(begun);
    },
  );

  app.get(
    '/v1/models/compare/:id',
    {
      schema: {
        summary: 'How far a comparison is, and what it found; the latest are kept until the server stops',
        params: schemas.comparisonParams,
        response: {
          200: answer('The comparison', schemas.comparison),
          ...problems(400, 401, 403, 404),
        },
      },
    },
    ({ params: { id } }) => comparisons.find(id),
  );
  refuseOtherMethods(app, '/v1/models/compare', ['POST']);
  refuseOtherMethods(app, '/v1/models/compare/:id', ['GET', 'HEAD']);
}

interface Wanted extends Pick<Comparison, 'models' | 'belt'> {
  images: number;
}

class Comparisons {
  /** Settles when none runs any more. */
  ended: Promise<void> = Promise.resolve();
  readonly #compare: CompareModels;
  readonly #options: { signal: AbortSignal; report: ServeDeps['report'] };
  /** The oldest first. */
  readonly #kept = new Map<string, Comparison>();
  #running: Comparison | undefined;

  constructor(compare: CompareModels, options: { signal: AbortSignal; report: ServeDeps['report'] }) {
    this.#compare = compare;
    this.#options = options;
  }

  /** Throws a Problem (429) while one runs. */
  begin({ models, belt, images }: Wanted): Comparison {
    if (this.#running !== undefined) {
      throw new Problem(429, 'busy', 'another comparison runs', {
        hint: 'It ends by itself: try again then.',
        retryAfter: 5,
        more: { comparison: this.#running.id },
      });
    }
    const begun: Comparison = {
      id: randomUUID(),
      state: 'running',
      began: new Date().toISOString(),
      belt,
      models,
      progress: { stage: 'models', done: 0, of: models.length },
      result: null,
      failure: null,
    };
    this.#running = begun;
    this.#kept.set(begun.id, begun);
    for (const id of this.#kept.keys()) if (this.#kept.size > mostKept) this.#kept.delete(id);
    this.ended = this.#run(begun, images);
    return begun;
  }

  /** Throws a Problem (404). */
  find(id: string): Comparison {
    const found = this.#kept.get(id);
    if (found !== undefined) return found;
    throw new Problem(404, 'not_found', 'there is no comparison with this id', {
      hint: 'The latest are kept until the server stops: compare the models again.',
    });
  }

  async #run(comparison: Comparison, images: number): Promise<void> {
    const { signal, report } = this.#options;
    const onProgress = (progress: Comparison['progress']) => void (comparison.progress = progress);
    try {
      const digests = comparison.models.map(({ digest }) => digest);
      comparison.result = await this.#compare(
        { digests, belt: comparison.belt, images },
        { signal, onProgress },
      );
      comparison.state = 'done';
    } catch (error) {
      const { status, code, message, hint } = problemOf(error);
      comparison.state = 'failed';
      comparison.failure = { code, detail: message, ...(hint !== undefined && { hint }) };
      if (status >= 500 && !signal.aborted) report({ kind: 'failed', status, code, error });
    } finally {
      this.#running = undefined;
    }
  }
}

/** What is wrong with the models or the images is told; of other faults no more than in any answer. */
function problemOf(error: unknown): Problem {
  const problem = toProblem(error);
  const isTold = problem.status === 500 && error instanceof VisionscaleError && !error.retryable;
  return isTold ? new Problem(422, error.code, error.message, { hint: error.hint, cause: error }) : problem;
}
