/** Whether it lives, whether it could take images now, what it counts, and the bins in force. */
import { readBins } from '../../../systems/database/tables/bins.ts';
import { type App, type SharedByRoutes, refuseOtherMethods } from '../context.ts';
import { readiness } from '../readiness.ts';
import * as schemas from '../schemas.ts';

export function systemRoutes(app: App, { deps, options, isDraining }: SharedByRoutes): void {
  const ask = readiness({ ...deps, disks: options.disks });
  const get = ['GET', 'HEAD'] as const;

  app.get(
    '/healthz',
    {
      config: { right: 'none' },
      schema: {
        summary: 'Whether the process lives',
        response: { 200: schemas.answer('It does', schemas.health) },
      },
    },
    () => ({ status: 'ok' as const }),
  );

  app.get(
    '/readyz',
    {
      config: { right: 'none' },
      schema: {
        summary: 'Whether images can be taken: database, topic and store answer',
        response: {
          200: schemas.answer('They can', schemas.ready),
          503: schemas.answer('Not now', schemas.ready),
        },
      },
    },
    async (_request, reply) => {
      const { ready, checks } = await ask();
      const draining = isDraining();
      return reply.code(ready && !draining ? 200 : 503).send({ ready: ready && !draining, draining, checks });
    },
  );

  app.get(
    '/v1/bins',
    {
      schema: {
        summary: 'The bins in force',
        response: { 200: schemas.answer('The rules', schemas.bins), ...schemas.problems(401, 403) },
      },
    },
    async () => {
      const bins = await readBins(deps.pool, options.pipeline);
      if (bins === null) return { version: null, source: null, digest: null, createdAt: null, rules: null };
      const { version, source, digest, createdAt, rules } = bins;
      return { version, source, digest, createdAt: createdAt.toISOString(), rules };
    },
  );

  const { metrics } = deps;
  if (metrics !== undefined) {
    app.get('/metrics', { schema: { hide: true } }, async (_request, reply) => {
      const { contentType, body } = await metrics.render();
      return reply.header('content-type', contentType).send(body);
    });
  }

  for (const url of ['/healthz', '/readyz', '/v1/bins', '/openapi.json']) refuseOtherMethods(app, url, get);
}
