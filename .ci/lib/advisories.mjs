// Proves the audit of supply-chain.mjs on a registry of its own: it finds what users get, bundled or not, and nothing else.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import console from 'node:console';
import { once } from 'node:events';
import { createServer } from 'node:http';
import process from 'node:process';

let vulnerable;
const registry = createServer((request, response) => {
  if (!request.url.endsWith('/advisories/bulk')) return response.writeHead(404).end('{}');
  const advisory = {
    id: 1,
    url: 'https://example.com/1',
    title: 'a hole',
    severity: 'high',
    vulnerable_versions: '*',
    cwe: [],
  };
  response.setHeader('content-type', 'application/json').end(JSON.stringify({ [vulnerable]: [advisory] }));
});
registry.listen(0, '127.0.0.1');
await once(registry, 'listening');
const env = {
  ...process.env,
  npm_config_registry: `http://127.0.0.1:${registry.address().port}/`,
  npm_config_fetch_retries: '0',
};
const audit = (name) =>
  new Promise((resolve) => {
    vulnerable = name;
    execFile(process.execPath, ['.ci/lib/supply-chain.mjs', 'audit'], { env }, (error, out, log) =>
      resolve({ code: error?.code ?? 0, said: out + log }),
    );
  });

for (const name of ['fastify', 'undici']) {
  const { code, said } = await audit(name);
  assert.equal(code, 1, `a hole in ${name} passes: ${said}`);
  assert.match(said, new RegExp(`^${name}: high: a hole`, 'm'));
}
const { code, said } = await audit('vitest');
assert.equal(code, 0, said);
assert.match(said, /no known vulnerability/);
registry.close();
console.log('audit: finds a hole in a dependency and in what is bundled, and not in tools of development');
