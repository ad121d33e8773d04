/** The manifests of deploy/kubernetes and the template of deploy/aws name what the tool has, and fit it and one another. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { endMs } from '../../src/lib/pipeline/consume/options.ts';
import { finishMs } from '../../src/lib/pipeline/serve/serve.ts';
import { commandLines, faultsOf, isSetting } from '../support/named.ts';

const deploy = fileURLToPath(new URL('../../deploy/', import.meta.url));
const read = (file: string) => readFileSync(`${deploy}${file}`, 'utf8');
const manifests = readdirSync(`${deploy}kubernetes`, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => `kubernetes/${file}`);

/** Every part of a document that is an object. */
function* parts(value: unknown): Iterable<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield value as Record<string, unknown>;
  for (const one of Object.values(value)) yield* parts(one);
}

const objects = (file: string) => [
  ...parts(parseAllDocuments(read(file)).map((one) => one.toJS() as unknown)),
];
const all = manifests.flatMap(objects);
const find = (file: string, kind: string) =>
  objects(file).find((one) => one['kind'] === kind) as { spec: Record<string, unknown> };

/** The lines of base/settings.env, those that are commented out too. */
const settings = new Map(
  [...read('kubernetes/base/settings.env').matchAll(/^#?([A-Z]\w*)=(.*)$/gm)].map(([, name, value]) => [
    name!,
    value!,
  ]),
);

/** A setting, a property of Kafka's client, or a variable of Node and the system. */
const isVariable = (name: string) =>
  isSetting(name) || /^KAFKA_CONF_[a-z]\w*$/.test(name) || ['HOME', 'UV_THREADPOOL_SIZE'].includes(name);

const strings = (value: unknown) => (Array.isArray(value) ? value.map(String) : []);

/** The commands of a container: its own words, or those of its line of shell. */
function commandsOf({ name, args }: Record<string, unknown>): string[][] {
  const words = strings(args);
  if (name !== 'wait') return words.length > 0 ? [words] : [];
  return words.flatMap((text) =>
    text.split(/\b(?:until|do)\b|\|/).flatMap((line) => commandLines({ text: line, isShell: true })),
  );
}

describe('deploy/kubernetes', () => {
  it('names commands and flags that are there', () => {
    const commands = all.flatMap(commandsOf);
    expect([...new Set(commands.map(([name]) => name))].sort()).toEqual([
      'consume',
      'init',
      'model',
      'produce',
      'serve',
    ]);
    expect(commands.flatMap(faultsOf)).toEqual([]);
    expect(
      commandsOf({ name: 'wait', args: ['until visionscale model x --no; do :'] }).flatMap(faultsOf),
    ).toEqual(['model --no']);
  });

  it('names settings that are there', () => {
    const ofContainers = all.flatMap(({ env }) => (Array.isArray(env) ? (env as { name: string }[]) : []));
    const ofKeda = all.flatMap((part) =>
      Object.entries(part).flatMap(([key, value]) => (/FromEnv$/.test(key) ? [String(value)] : [])),
    );
    const literals = all.flatMap(({ literals }) => strings(literals).map((line) => line.split('=')[0]!));
    expect(ofKeda).toHaveLength(3);
    const named = [...ofContainers.map(({ name }) => name), ...ofKeda, ...literals, ...settings.keys()];
    expect(named.filter((name) => !isVariable(name))).toEqual([]);
    expect(ofKeda.filter((name) => !settings.has(name))).toEqual([]);
  });

  it('names files of the Secret that its example has', () => {
    const { stringData } = objects('kubernetes/examples/secret.yaml')[0] as { stringData: object };
    const files = [...settings.values()].flatMap(
      (value) => /^\/etc\/visionscale\/(.+)/.exec(value)?.[1] ?? [],
    );
    const keys = all.flatMap(({ parameter, key }) => (parameter === 'password' ? [String(key)] : []));
    expect(keys).toEqual(['kafka-password']);
    expect([...new Set([...files, ...keys])].sort()).toEqual(Object.keys(stringData).sort());
  });

  it('has a consumer for each partition, and no more', () => {
    const fixed = find('kubernetes/overlays/four-nodes/consume.yaml', 'StatefulSet');
    expect(fixed.spec['replicas']).toBe(Number(settings.get('VISIONSCALE_PARTITIONS')));
    const scaled = find('kubernetes/overlays/autoscaled/consume.yaml', 'ScaledObject');
    expect(
      objects('kubernetes/overlays/autoscaled/kustomization.yaml').flatMap((o) => strings(o['literals'])),
    ).toEqual([`VISIONSCALE_PARTITIONS=${String(scaled.spec['maxReplicaCount'])}`]);
  });

  it('gives consumers and serve longer to end than they take at most', () => {
    const grace = (file: string) =>
      Number(
        objects(file).find((one) => 'terminationGracePeriodSeconds' in one)!['terminationGracePeriodSeconds'],
      );
    expect(grace('kubernetes/pods/consumer.yaml') * 1000).toBeGreaterThanOrEqual(endMs + 5000);
    const serve = all.flatMap(({ args }) => strings(args)).join(' ');
    const [, delay] = /--drain-delay (\d+)s/.exec(serve)!;
    expect(grace('kubernetes/base/serve.yaml') * 1000).toBeGreaterThanOrEqual(
      finishMs + Number(delay) * 1000 + 5000,
    );
  });

  it('restarts what is frozen when systemd does', () => {
    const [, watchdog] = /^WatchdogSec=(\d+)s$/m.exec(read('systemd/visionscale-consume@.service'))!;
    const { livenessProbe } = all.find((one) => 'livenessProbe' in one) as {
      livenessProbe: { periodSeconds: number; failureThreshold: number };
    };
    expect(livenessProbe.periodSeconds * livenessProbe.failureThreshold).toBe(Number(watchdog));
  });
});

describe('deploy/aws', () => {
  const template = parse(read('aws/visionscale.yaml'), { logLevel: 'silent' }) as {
    Resources: { Node: { Properties: { LaunchTemplateData: { UserData: unknown } } } };
  };
  const userData = [...parts(template.Resources.Node.Properties.LaunchTemplateData.UserData)]
    .flatMap((part) => Object.values(part).flat(2))
    .filter((value): value is string => typeof value === 'string')
    .join('\n');

  it('names commands, flags and settings that are there', () => {
    const lines = userData.split('\n').map((text) => ({ text, isShell: true }));
    const commands = lines.flatMap(commandLines);
    expect(commands).toContainEqual(['init']);
    expect(commands.flatMap(faultsOf)).toEqual([]);
    // Of the files that it writes; the rest are variables of its own.
    const files = [...userData.matchAll(/<<'?END'?\n([^]*?)^ *END$/gm)].map(([, text]) => text!).join('');
    const named = [...files.matchAll(/^\s*(?:Environment=)?([A-Z]+_\w+)=/gm)].map(([, name]) => name!);
    expect(named).toContain('KAFKA_CONF_sasl_password_FILE');
    expect(named).toContain('VISIONSCALE_STORE');
    expect(named.filter((name) => !isVariable(name))).toEqual([]);
  });

  it('has a script that bash can read', () => {
    expect(spawnSync('bash', ['-n'], { input: userData, encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: '',
    });
  });

  it('runs the commands of docs/four-hosts.md as they stand there', () => {
    const page = readFileSync(`${deploy}../docs/four-hosts.md`, 'utf8');
    const blocks = [...page.matchAll(/^```(?:sh host=(?:every|servers)(?! tls).*|ini)\n([^]*?)^```/gm)].map(
      ([, text]) => text!,
    );
    const of = (start: string) => blocks.find((text) => text.includes(start))!;
    const wanted = [
      'nodesource',
      'npm install -g --allow',
      'useradd',
      'echo "postgres:',
      'profile.d',
      'psql',
      '[Service]',
    ];
    const plain = (text: string) => text.replaceAll(/^ +/gm, '');
    for (const start of wanted) expect(plain(userData)).toContain(plain(of(start)));
  });
});
