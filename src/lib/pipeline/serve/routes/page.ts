/** The live page at `/`: files of the build, the same for everybody, so that they need no token. What they show, they ask for. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { z } from 'zod';
import { packageRoot } from '../../../base/package.ts';
import type { App } from '../context.ts';

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Nothing from elsewhere, no script or style inside the page, and no page around it. */
const headers = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  // Asked for every time, and answered with 304 as long as it is the same.
  'cache-control': 'no-cache',
  vary: 'accept-encoding',
};

const html = { content: { 'text/html': { schema: z.string() } } };
const described = {
  summary: 'The live page',
  response: {
    200: { description: 'The page', ...html },
    304: { description: 'The same as If-None-Match names', ...html },
  },
};

/** Returns whether there is one: not where visionscale runs without its build. */
export function pageRoutes(app: App): boolean {
  const directory = join(packageRoot, 'dist/web');
  const names = filesIn(directory);
  for (const name of names) {
    const bytes = readFileSync(join(directory, name));
    const zipped = gzipSync(bytes, { level: 9 });
    const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 16)}"`;
    const type = types[extname(name)] ?? 'application/octet-stream';
    const isPage = name === 'index.html';
    app.get(
      isPage ? '/' : `/page/${name}`,
      { config: { right: 'none' }, schema: isPage ? described : { hide: true } },
      (request, reply) => {
        void reply.headers({ ...headers, etag });
        if (request.headers['if-none-match'] === etag) return reply.code(304).send();
        void reply.type(type);
        const takesGzip = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
        return takesGzip ? reply.header('content-encoding', 'gzip').send(zipped) : reply.send(bytes);
      },
    );
  }
  return names.includes('index.html');
}

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
