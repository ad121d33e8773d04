/** The examples of deploy/ and docs/monitoring.md: no metric in them that nobody shows, and none left out of the page. */
import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { consumerMetrics } from '../../../src/lib/observe/metrics/consumer.ts';
import { ProcessMetrics } from '../../../src/lib/observe/metrics/metrics.ts';
import { producerMetrics, watchMetrics } from '../../../src/lib/observe/metrics/senders.ts';
import { serveMetrics } from '../../../src/lib/observe/metrics/serve.ts';

import { noServers } from '../../../src/lib/pipeline/server-watch.ts';

const file = (name: string) => readFileSync(new URL(`../../../${name}`, import.meta.url), 'utf8');

function allMetrics(): Map<string, { type: string; labels: string[] }> {
  const process = new ProcessMetrics('consume');
  process[Symbol.dispose]();
  const registries = [process.registry, ...Array.from({ length: 4 }, () => new Registry())] as const;
  const load = { requests: 0, bytes: 0 };
  const oldestUnpublished = () => Promise.resolve(null);
  consumerMetrics(registries[1]!, {
    load,
    classifier: () => null,
    oldestUnpublished,
    servers: noServers,
    lagKnown: () => true,
    modelProblem: () => null,
  });
  producerMetrics(registries[2]!, noServers);
  serveMetrics(registries[3]!, load, noServers);
  watchMetrics(registries[4]!, noServers);
  const all = new Map<string, { type: string; labels: string[] }>();
  for (const metric of registries.flatMap((registry) => registry.getMetricsAsArray())) {
    const {
      name,
      type,
      labelNames = [],
    } = metric as unknown as {
      name: string;
      type: string;
      labelNames?: string[];
    };
    all.set(name, { type, labels: labelNames });
  }
  return all;
}

const metrics = allMetrics();

/** What a scrape adds to every metric. */
const ofTheTarget = ['job', 'instance', 'role', 'le'];

function check(expression: string): void {
  const used = [...expression.matchAll(/\b((?:visionscale|process|nodejs)_[a-z_]+)(?:\{([^}]*)\})?/g)];
  for (const [, name, selectors = ''] of used) {
    const whole = name!.replace(/_(bucket|sum|count)$/, '');
    const metric = metrics.get(name!) ?? metrics.get(whole);
    expect(metric, `${name} in ${expression}`).toBeDefined();
    if (name !== whole) expect(metric!.type, name).toBe('histogram');
    if (metric!.type === 'counter') expect(expression).toMatch(/rate\(|increase\(/);
    for (const [, label] of selectors.matchAll(/(\w+)[!=]/g)) {
      expect([...metric!.labels, ...ofTheTarget], `${label} of ${name}`).toContain(label);
    }
  }
  const groups = [...expression.matchAll(/by \(([^)]*)\)/g)].flatMap(([, labels]) => labels!.split(/,\s*/));
  const labels = new Set([...used.flatMap(([, name]) => labelsOf(name!)), ...ofTheTarget, 'partition']);
  for (const label of groups) expect([...labels], `${label} in ${expression}`).toContain(label);

  function labelsOf(name: string): string[] {
    return (metrics.get(name) ?? metrics.get(name.replace(/_(bucket|sum|count)$/, '')))?.labels ?? [];
  }
}

describe('docs/monitoring.md', () => {
  it('has a row for every metric, with its kind and its labels', () => {
    const rows = [
      ...file('docs/monitoring.md').matchAll(/^\| `(visionscale_\w+)`(?: \(([^)]*)\))? +\| (\w+) /gm),
    ];
    const documented = rows.map(([, name, labels = '', type]) => [name, type, labels]);
    const own = [...metrics].filter(([name]) => name.startsWith('visionscale_'));
    expect(documented.toSorted()).toEqual(
      own.map(([name, { type, labels }]) => [name, type, labels.join(', ')]).toSorted(),
    );
  });
});

describe('deploy', () => {
  it('has alert rules about metrics that there are', () => {
    const { groups } = parse(file('deploy/prometheus/visionscale-alerts.yml')) as {
      groups: { rules: { alert: string; expr: string; annotations: { summary: string } }[] }[];
    };
    const rules = groups.flatMap((group) => group.rules);
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { alert, expr, annotations } of rules) {
      expect(alert).toMatch(/^Visionscale[A-Z]\w+$/);
      expect(annotations.summary).not.toBe('');
      check(expr);
    }
    const all = rules.map(({ expr }) => expr).join('\n');
    for (const what of ['lag_messages', 'outbox_oldest_seconds', 'dead_lettered', 'deadline_misses_total'])
      expect(all).toContain(what);
  });

  it('has a scrape configuration that names the rules', () => {
    const config = parse(file('deploy/prometheus/prometheus.yml')) as {
      rule_files: string[];
      scrape_configs: { job_name: string }[];
    };
    expect(config.rule_files).toEqual(['visionscale-alerts.yml']);
    expect(config.scrape_configs[0]!.job_name).toBe('visionscale');
  });

  it('has a dashboard about metrics that there are, whose panels do not overlap', () => {
    const { panels } = JSON.parse(file('deploy/grafana/visionscale.json')) as {
      panels: {
        id: number;
        gridPos: { x: number; y: number; w: number; h: number };
        targets: { expr: string }[];
      }[];
    };
    expect(panels.length).toBeGreaterThan(15);
    const taken = new Set<string>();
    for (const { gridPos, targets } of panels) {
      targets.forEach(({ expr }) => check(expr));
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(x).toBeLessThan(24);
          expect(taken.has(`${x} ${y}`)).toBe(false);
          taken.add(`${x} ${y}`);
        }
      }
    }
  });
});
