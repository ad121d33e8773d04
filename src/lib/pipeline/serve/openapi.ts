/** The OpenAPI 3.1 document, made of the routes' own schemas and of what a body may be, which no schema checks. */
import swagger from '@fastify/swagger';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { App } from './context.ts';

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
