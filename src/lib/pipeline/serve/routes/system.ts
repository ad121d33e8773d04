/** The server about itself: whether it lives, could take images now, what it counts, the bins in force, and its OpenAPI document. */
import swagger from '@fastify/swagger';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { writeRules } from '../../../systems/bins/rules-file.ts';
import { readBins } from '../../../systems/database/tables/bins.ts';
import { type App, refuseOtherMethods, type SharedByRoutes } from '../context.ts';
import { readiness } from '../readiness.ts';
import * as schemas from '../schemas/bins.ts';
import { answer, problems } from '../schemas/common.ts';
import { letterIds } from '../schemas/dead-letters.ts';
import { rollbackModel, useModel } from '../schemas/models.ts';
import { health, ready } from '../schemas/overview.ts';

export function systemRoutes(app: App, { deps, options, isDraining }: SharedByRoutes): void {
  const ask = readiness({ ...deps, disks: options.disks });
  const get = ['GET', 'HEAD'] as const;

  app.get(
    '/healthz',
    {
      config: { right: 'none' },
      schema: {
        summary: 'Whether the process is alive',
        response: { 200: answer('It does', health) },
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
          200: answer('They can', ready),
          503: answer('Not now', ready),
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
        response: { 200: answer('The rules', schemas.bins), ...problems(401, 403) },
      },
    },
    async () => {
      const bins = await readBins(deps.pool, options.pipeline);
      if (bins === null)
        return { version: null, source: null, digest: null, createdAt: null, rules: null, text: null };
      const { version, source, digest, createdAt, rules } = bins;
      return { version, source, digest, createdAt: createdAt.toISOString(), rules, text: writeRules(rules) };
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

// The OpenAPI 3.1 document, made of the routes' own schemas and of what a body may be, which no schema checks.

const json = (shape: z.ZodType) => ({
  required: true,
  content: { 'application/json': { schema: z.toJSONSchema(shape, { io: 'input' }) } },
});
const ids = json(letterIds);
const binary = { schema: { type: 'string', format: 'binary' } } as const;

/** Bodies are read as they arrive; the content decides what they are. */
const bodies: Record<string, unknown> = {
  '/v1/images': {
    required: true,
    description:
      'An image (JPEG, PNG, WebP, GIF, TIFF, BMP), or a form with one or more; in a form a field `name` names the file after it.',
    content: {
      'image/*': binary,
      'application/octet-stream': binary,
      'multipart/form-data': {
        schema: {
          type: 'object',
          properties: {
            name: { type: 'string' },
            image: { type: 'array', items: { type: 'string', format: 'binary' } },
          },
          required: ['image'],
        },
      },
    },
  },
  '/v1/dead-letters/retry': ids,
  '/v1/dead-letters/drop': ids,
  '/v1/models/use': json(useModel),
  '/v1/models/rollback': json(rollbackModel),
  '/v1/bins/try': json(schemas.tryBins),
  '/v1/bins/use': json(schemas.useBins),
  '/v1/bins/rollback': json(schemas.rollbackBins),
  '/': { required: true, description: 'An image.', content: { 'application/octet-stream': binary } },
};

interface Document {
  components?: { schemas?: Record<string, unknown> };
  paths?: Record<string, { post?: Record<string, unknown> }>;
}

/** To be called before the routes are added. */
export async function describeApi(app: App, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'visionscale',
        version,
        description:
          'Images in, their categories out. Every error is application/problem+json (RFC 9457) with a stable `code`.',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{}, { token: [] }],
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  let text: string | undefined;
  app.get('/openapi.json', { config: { right: 'none' }, schema: { hide: true } }, (_request, reply) => {
    text ??= JSON.stringify(completed(app.swagger() as Document));
    return reply.type('application/json').send(text);
  });
}

function completed(document: Document): Document {
  // Nothing that is sent is described by these.
  const shapes = document.components?.schemas ?? {};
  for (const name of Object.keys(shapes)) if (name.endsWith('Input')) delete shapes[name];
  for (const [path, requestBody] of Object.entries(bodies)) {
    Object.assign(document.paths?.[path]?.post ?? {}, { requestBody });
  }
  return document;
}
