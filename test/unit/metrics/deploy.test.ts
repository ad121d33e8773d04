/** The examples of deploy/ and docs/monitoring.md: no metric in them that nobody shows, and none left out of the page. */
import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { buildProgram } from '../../../src/cli.ts';
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
    belts: () => [],
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

interface Rule {
  alert: string;
  expr: string;
  annotations: Record<'summary' | 'description' | 'command', string>;
}

const rules = (
  parse(file('deploy/prometheus/visionscale-alerts.yml')) as { groups: { rules: Rule[] }[] }
).groups.flatMap((group) => group.rules);
const names = rules.map(({ alert }) => alert);

describe('docs/troubleshooting.md', () => {
  it('names the alert of each symptom, or says why there is none', () => {
    const rows = file('docs/troubleshooting.md')
      .split(/\n\n/)
      .filter((block) => /^\| Symptom /.test(block))
      .flatMap((table) => table.trim().split('\n').slice(2));
    expect(rows.length).toBeGreaterThan(15);
    for (const row of rows) {
      const last = row.split(' | ').at(-1)!.replace(/\|$/, '').trim();
      const alerts = [...last.matchAll(/`(\w+)`/g)].map(([, name]) => name!);
      if (alerts.length === 0) expect(last, row).toMatch(/^none: \w+/);
      for (const name of alerts) expect(names, row).toContain(name);
    }
  });
});

describe('deploy', () => {
  it('has alert rules about metrics that there are, which say what they mean and which command to run', () => {
    expect(new Set(names).size).toBe(names.length);
    const commands = buildProgram().commands;
    for (const { alert, expr, annotations } of rules) {
      expect(alert).toMatch(/^Visionscale[A-Z]\w+$/);
      check(expr);
      expect(Object.keys(annotations).toSorted(), alert).toEqual(['command', 'description', 'summary']);
      expect(annotations.summary, alert).not.toBe('');
      expect(annotations.description, alert).toMatch(/\.$/);
      const [program, verb, part] = annotations.command.split(' ');
      if (program === 'journalctl') continue;
      expect(program, alert).toBe('visionscale');
      const command = commands.find((one) => one.name() === verb);
      expect(command, annotations.command).toBeDefined();
      if (command!.commands.length > 0) expect(command!.commands.map((one) => one.name())).toContain(part);
    }
  });

  it('plays for each alert what makes it fire', () => {
    const { tests } = parse(file('deploy/prometheus/visionscale-alerts.test.yml')) as {
      tests: { promql_expr_test: { exp_samples: { labels: string }[] }[] }[];
    };
    const fired = tests
      .flatMap((test) => test.promql_expr_test)
      .flatMap(({ exp_samples }) => exp_samples.map(({ labels }) => /"(\w+)"/.exec(labels)![1]!));
    expect([...new Set(fired)].toSorted()).toEqual(names.toSorted());
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
