/** The metrics' own HTTP server: pages, health, and what it refuses. */
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Health, openMetricsServer } from '../../../src/lib/observe/metrics/server.ts';

async function setUp(port = 0) {
  const health: Health = { alive: true, ready: false, detail: 'waiting: the database is away' };
  const state = { health, fail: false };
  const server = await openMetricsServer({
    host: '127.0.0.1',
    port,
    render: () =>
      state.fail
        ? Promise.reject(new Error('a gauge failed'))
        : Promise.resolve({ contentType: 'text/plain; version=0.0.4', body: 'up 1\n' }),
    health: () => state.health,
  });
  onTestFinished(() => server[Symbol.asyncDispose]());
  const get = async (path: string, method = 'GET') => {
    const response = await fetch(new URL(path, server.url), { method });
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      body: await response.text(),
    };
  };
  return { server, state, get };
}

describe('the metrics server', () => {
  it('shows metrics and health on loopback', async () => {
    const { server, state, get } = await setUp();
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/);
    expect(await get('/metrics')).toEqual({ status: 200, type: 'text/plain; version=0.0.4', body: 'up 1\n' });
    expect(await get('/metrics?x=1')).toMatchObject({ status: 200 });
    expect(await get('/healthz')).toMatchObject({ status: 200 });
    expect(await get('/readyz')).toMatchObject({ status: 503, body: 'waiting: the database is away\n' });
    state.health = { alive: true, ready: true, detail: 'consuming' };
    expect(await get('/readyz')).toMatchObject({ status: 200, body: 'consuming\n' });
    state.health = { alive: false, ready: false, detail: 'stalled' };
    expect(await get('/healthz')).toMatchObject({ status: 503 });
  });

  it('refuses everything else, and says so when a metric fails', async () => {
    const { state, get } = await setUp();
    expect(await get('/metrics', 'POST')).toMatchObject({ status: 405 });
    expect(await get('/metrics', 'HEAD')).toMatchObject({ status: 200, body: '' });
    expect(await get('/etc/passwd')).toMatchObject({ status: 404 });
    expect(await get('/metrics/..%2f..%2fetc')).toMatchObject({ status: 404 });
    state.fail = true;
    expect(await get('/metrics')).toMatchObject({ status: 500, body: 'a gauge failed\n' });
  });

  it('says which port is taken', async () => {
    const { server } = await setUp();
    await expect(setUp(Number(new URL(server.url).port))).rejects.toMatchObject({
      code: 'metrics_unavailable',
      hint: expect.stringContaining('--metrics-port') as string,
    });
  });

  it('closes at once, whoever is connected and silent', async () => {
    const { server } = await setUp();
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    await server[Symbol.asyncDispose]();
    await closed;
    await server[Symbol.asyncDispose]();
  });
});
