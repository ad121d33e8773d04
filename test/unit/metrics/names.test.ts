/** What a scraper and the conventions ask of every metric of every role. */
import { afterAll, describe, expect, it } from 'vitest';
import { consumerMetrics } from '../../../src/lib/observe/metrics/consumer.ts';
import { ProcessMetrics, type Role } from '../../../src/lib/observe/metrics/metrics.ts';
import { producerMetrics, watchMetrics } from '../../../src/lib/observe/metrics/senders.ts';
import { serveMetrics } from '../../../src/lib/observe/metrics/serve.ts';
import { type Away, noServers } from '../../../src/lib/pipeline/server-watch.ts';
import { Exposition } from '../../support/exposition.ts';

const feeds: Partial<Record<Role, (metrics: ProcessMetrics) => void>> = {
  consume({ registry }) {
    const hear = consumerMetrics(registry, {
      load: { requests: 0, bytes: 0 },
      classifier: () => null,
      servers: noServers,
      lagKnown: () => true,
      modelProblem: () => null,
      belts: () => [],
      oldestUnpublished: () => Promise.resolve(null),
    });
    hear({ kind: 'retrying', partition: 0, stage: 'record', code: 'database_unavailable' });
  },
  produce({ registry }) {
    const hear = producerMetrics(registry, noServers);
    hear({ kind: 'pending', images: 5 });
    hear({ kind: 'waiting', reason: 'away', code: 'broker_unavailable' });
    hear({ kind: 'produced', images: 2 });
  },
  serve({ registry }) {
    const hear = serveMetrics(registry, { requests: 2, bytes: 40_000 }, noServers);
    hear({ kind: 'accepted', id: 'h:1', way: 'store', bytes: 20_000, ms: 15 });
    hear({ kind: 'answered', method: 'POST', route: '/v1/images', status: 202, ms: 20 });
    hear({ kind: 'answered', method: 'BREW', route: 'unknown', status: 405, ms: 1 });
    hear({ kind: 'refused', status: 415, code: 'not_an_image' });
    hear({ kind: 'failed', status: 503, code: 'database_unavailable', error: new Error('away') });
  },
  watch({ registry }) {
    const hear = watchMetrics(registry, noServers);
    hear({ kind: 'waiting', reason: 'away', code: 'unavailable' });
    const capturedAt = new Date(Date.now() - 250);
    hear({ kind: 'sent', path: 'a', key: 'a', bytes: 100, replaced: false, capturedAt });
    hear({ kind: 'rejected', path: 'b', reason: 'no image' });
  },
};

const opened: ProcessMetrics[] = [];

async function exposed(role: Role): Promise<Exposition> {
  const metrics = new ProcessMetrics(role);
  opened.push(metrics);
  feeds[role]?.(metrics);
  const { contentType, body } = await metrics.render();
  expect(contentType).toMatch(/^text\/plain; version=0\.0\.4/);
  return new Exposition(body);
}

afterAll(() => opened.forEach((metrics) => metrics[Symbol.dispose]()));

describe.each(['consume', 'produce', 'serve', 'watch'] as const)('the metrics of %s', (role) => {
  it('parse, have help and a type, and names in base units', async () => {
    const exposition = await exposed(role);
    const own = [...exposition.types].filter(([name]) => name.startsWith('visionscale_'));
    expect(own.length).toBeGreaterThan(3);
    for (const [name, type] of own) {
      expect(exposition.help.get(name), name).toMatch(/\.$/);
      expect(name).toMatch(/^visionscale_[a-z_]+$/);
      if (type === 'counter') expect(name).toMatch(/_total$/);
      else expect(name).not.toMatch(/_total$/);
      if (type === 'histogram') expect(name).toMatch(/_(seconds|bytes)$/);
      expect(name).not.toMatch(/milli|_ms|kilo|mega|percent/);
    }
    for (const sample of exposition.samples) exposition.metricOf(sample);
    expect(exposition.value('visionscale_info', { role })).toBe(1);
    for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes'])
      expect(exposition.value(name), name).toBeGreaterThan(0);
  });

  it('have histograms whose buckets grow and end with all', async () => {
    const exposition = await exposed(role);
    const histograms = [...exposition.types].filter(
      ([name, type]) => type === 'histogram' && name.startsWith('visionscale_'),
    );
    for (const [name] of histograms) {
      const series = new Map<string, { le: number; value: number }[]>();
      for (const { name: sample, labels, value } of exposition.samples) {
        if (sample !== `${name}_bucket`) continue;
        const { le, ...rest } = labels;
        const bound = le === '+Inf' ? Infinity : Number(le);
        const key = JSON.stringify(rest);
        series.set(key, [...(series.get(key) ?? []), { le: bound, value }]);
      }
      for (const [labels, buckets] of series) {
        expect(buckets.map(({ le }) => le)).toEqual(buckets.map(({ le }) => le).toSorted((a, b) => a - b));
        expect(buckets.map(({ value }) => value)).toEqual(
          buckets.map(({ value }) => value).toSorted((a, b) => a - b),
        );
        const count = exposition.value(`${name}_count`, JSON.parse(labels) as Record<string, string>);
        expect(buckets.at(-1)).toEqual({ le: Infinity, value: count });
      }
    }
  });
});

describe('the servers that a process waits for', () => {
  it.each(['consume', 'produce', 'serve', 'watch'] as const)(
    'are there from the start (%s)',
    async (role) => {
      const exposition = await exposed(role);
      for (const server of ['database', 'topic', 'store'])
        expect(exposition.value('visionscale_waiting', { for: server }), server).toBe(0);
    },
  );

  it('are 1 while they are away', async () => {
    const metrics = new ProcessMetrics('watch');
    opened.push(metrics);
    const away: Away[] = [{ server: 'topic', reason: 'no broker', since: new Date() }];
    watchMetrics(metrics.registry, { away, listen: () => undefined });
    const value = async (server: string) =>
      new Exposition((await metrics.render()).body).value('visionscale_waiting', { for: server });
    expect([await value('database'), await value('topic')]).toEqual([0, 1]);
    away.pop();
    expect(await value('topic')).toBe(0);
  });
});

describe('the metrics of a process', () => {
  it('show the delay of the event loop, without what Node’s own timer adds', async () => {
    const metrics = new ProcessMetrics('consume');
    opened.push(metrics);
    await metrics.render();
    const blocked = 400; // far above what a busy machine adds
    await new Promise((resolve) => setTimeout(resolve, 30));
    for (const end = performance.now() + blocked; performance.now() < end;);
    await new Promise((resolve) => setTimeout(resolve, 30));
    const delay = new Exposition((await metrics.render()).body);
    const longest = delay.value('visionscale_event_loop_delay_seconds', { quantile: '1' })!;
    expect(longest).toBeGreaterThan((blocked - 15) / 1000);
    expect(longest).toBeLessThan(2);
    expect(delay.value('visionscale_event_loop_delay_seconds', { quantile: '0.5' })).toBeLessThan(longest);
    // Since the last scrape: a second one finds none of it.
    await new Promise((resolve) => setTimeout(resolve, 30));
    const after = new Exposition((await metrics.render()).body);
    expect(after.value('visionscale_event_loop_delay_seconds', { quantile: '1' })).toBeLessThan(longest);
  });

  it('keep a sender from inventing methods', async () => {
    const { samples } = await exposed('serve');
    const methods = samples.filter(({ name }) => name === 'visionscale_http_request_seconds_count');
    expect(methods.map(({ labels }) => labels['method']).toSorted()).toEqual(['POST', 'other']);
  });

  it('know what a server has taken, how fast, and what not', async () => {
    const exposition = await exposed('serve');
    expect(exposition.value('visionscale_accept_seconds_sum', { way: 'store' })).toBeCloseTo(0.015, 9);
    expect(exposition.value('visionscale_accepted_bytes_sum')).toBe(20_000);
    expect(exposition.value('visionscale_in_flight_requests')).toBe(2);
    expect(exposition.value('visionscale_in_flight_bytes')).toBe(40_000);
    const answered = { route: '/v1/images', status: '202' };
    expect(exposition.value('visionscale_http_request_seconds_sum', answered)).toBeCloseTo(0.02, 9);
    expect(exposition.value('visionscale_refused_total', { status: '415', code: 'not_an_image' })).toBe(1);
    expect(exposition.value('visionscale_faults_total', { code: 'database_unavailable' })).toBe(1);
  });

  it('know what a watcher has sent, and how late', async () => {
    const exposition = await exposed('watch');
    expect(exposition.value('visionscale_files_total', { outcome: 'sent' })).toBe(1);
    expect(exposition.value('visionscale_files_total', { outcome: 'skipped' })).toBe(0);
    expect(exposition.value('visionscale_files_total', { outcome: 'rejected' })).toBe(1);
    expect(exposition.value('visionscale_send_delay_seconds_sum')).toBeGreaterThanOrEqual(0.25);
  });

  it('know how a producer fares', async () => {
    const exposition = await exposed('produce');
    expect(exposition.value('visionscale_produced_total')).toBe(2);
    expect(exposition.value('visionscale_pending_images')).toBe(3);
    expect(
      exposition.value('visionscale_retries_total', { stage: 'produce', cause: 'broker_unavailable' }),
    ).toBe(1);
  });
});
