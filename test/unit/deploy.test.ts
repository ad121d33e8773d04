/** What deploy/ ships names only commands, flags and settings that there are, and no secret. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { endMs } from '../../src/lib/pipeline/consume/options.ts';
import { faultsOf, isSetting } from '../support/named.ts';

interface Service {
  image: string;
  entrypoint?: string[];
  command?: string[];
  environment?: Record<string, string | number>;
  ports?: string[];
  read_only?: boolean;
}

const root = fileURLToPath(new URL('../../deploy/', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const dockerfile = read('docker/Dockerfile');
const composeText = read('compose/compose.yaml');
const example = read('compose/.env.example');
const { services } = parse(composeText, { merge: true }) as { services: Record<string, Service> };
const ours = Object.entries(services).filter(([, { image }]) => image.startsWith('visionscale:'));

/** That are neither settings nor meant for Node. */
const unknown = (names: readonly string[]) =>
  names.filter((name) => !isSetting(name) && !['HOME', 'UV_THREADPOOL_SIZE'].includes(name));

/** Lines of a shell script that call visionscale. */
function calls(script: string): string[][] {
  return [...script.matchAll(/(?:^|[\s(])visionscale ([a-z][^|;)\n]*)/gm)].map(([, words]) =>
    words!.trim().split(/\s+/),
  );
}

describe('the Dockerfile', () => {
  it('sets settings that there are', () => {
    const lines = dockerfile.replaceAll(/\\\n/g, ' ').match(/^ENV .*$/gm) ?? [];
    const names = lines.flatMap((line) => [...line.matchAll(/ (\w+)=/g)].map(([, name]) => name!));
    expect(names).toContain('VISIONSCALE_METRICS_PORT');
    expect(unknown(names.filter((name) => name !== 'npm_config_nodedir'))).toEqual([]);
  });

  it('runs as a user without rights, and pins what it is made of', () => {
    expect(dockerfile).toMatch(/^USER 10001:10001$/m);
    expect(dockerfile.match(/^ARG \w+_IMAGE=(.*)$/gm)).toHaveLength(2);
    for (const line of dockerfile.match(/^ARG \w+_IMAGE=.*$/gm)!)
      expect(line).toMatch(/:[\w.-]+@sha256:[0-9a-f]{64}$/);
  });

  it('copies what its .dockerignore lets through', () => {
    const through = new Set(
      [...read('docker/Dockerfile.dockerignore').matchAll(/^!(.*)$/gm)].map(([, name]) => name),
    );
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, names]) =>
      names!.split(' '),
    );
    expect(copied).toContain('src');
    expect(copied.filter((name) => !through.has(name))).toEqual([]);
  });
});

describe('compose.yaml', () => {
  it.each(ours)('%s runs a command that there is, with settings that there are', (name, service) => {
    const words = service.entrypoint?.includes('sh') ? calls(service.command![0]!) : [service.command ?? []];
    expect(words.length).toBeGreaterThan(0);
    expect(words.filter((one) => one.length > 0).flatMap(faultsOf)).toEqual([]);
    if (name !== 'cli') expect(words.flat()).not.toEqual([]);
    expect(unknown(Object.keys(service.environment!))).toEqual([]);
    expect(service.read_only).toBe(true);
  });

  it('explains every variable in .env.example, and no other', () => {
    const used = new Set([...composeText.matchAll(/\$\{(\w+)/g)].map(([, name]) => name!));
    const explained = [...example.matchAll(/^#?([A-Z_\d]+)=/gm)].map(([, name]) => name!);
    expect([...explained].sort()).toEqual([...used].sort());
  });

  it('has the defaults that .env.example shows', () => {
    const shown = new Map(
      [...example.matchAll(/^#([A-Z_\d]+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]),
    );
    const defaults = [...composeText.matchAll(/\$\{(\w+):-([^}]*)\}/g)];
    expect(defaults.filter(([, name, value]) => shown.get(name!) !== value).map(([text]) => text)).toEqual(
      [],
    );
  });

  it('has no secret of its own, and takes none that is empty', () => {
    const secrets = ['POSTGRES_PASSWORD', 'S3_SECRET_KEY', 'VISIONSCALE_TOKEN', 'VISIONSCALE_TOKENS'];
    for (const name of secrets) {
      expect(example).toMatch(new RegExp(`^${name}=$`, 'm'));
      expect(composeText).toMatch(new RegExp(`\\$\\{${name}:\\?`));
      expect(composeText).not.toMatch(new RegExp(`\\$\\{${name}(:-|\\})`));
    }
  });

  it('publishes ports on loopback only, and pins the images of others', () => {
    for (const [name, { image, ports = [] }] of Object.entries(services)) {
      expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
      if (!ours.some(([one]) => one === name)) expect(image).toMatch(/:[\w.-]+@sha256:[0-9a-f]{64}$/);
    }
  });
});

describe('systemd units', () => {
  const units = readdirSync(join(root, 'systemd'), { recursive: true, encoding: 'utf8' })
    .map((file) => join('systemd', file))
    .filter((file) => statSync(join(root, file)).isFile());

  it.each(units)('%s names commands, flags and settings that there are', (unit) => {
    const text = read(unit).replaceAll(/^#.*$/gm, '');
    const commands = [...text.matchAll(/^ExecStart=visionscale (.*)$/gm)].map(([, words]) =>
      words!.split(' '),
    );
    if (unit.endsWith('.service')) expect(commands).not.toEqual([]);
    expect(commands.flatMap(faultsOf)).toEqual([]);
    const lines = text.match(/^Environment=.*$/gm) ?? [];
    expect(
      unknown(lines.flatMap((line) => [...line.matchAll(/[= ]([A-Z_\d]+)=/g)].map(([, name]) => name!))),
    ).toEqual([]);
  });
});

it('gives consumers longer to end than they take at most, under systemd and in compose', () => {
  const [, stop] = /^TimeoutStopSec=(\d+)s$/m.exec(read('systemd/visionscale-consume@.service'))!;
  const graces = [...composeText.matchAll(/stop_grace_period: (\d+)s/g)].map(([, seconds]) => seconds);
  expect(graces).not.toEqual([]);
  for (const seconds of [stop, ...graces])
    expect(Number(seconds) * 1000).toBeGreaterThanOrEqual(endMs + 5000);
});

describe('what is looked for', () => {
  it('finds commands and flags that are not there', () => {
    expect(faultsOf(['consume', '--partitoin', '%i'])).toEqual(['consume --partitoin']);
    expect(faultsOf(['model', 'use', 'x', '--yes'])).toEqual([]);
    expect(faultsOf(['consumer'])).toEqual(['consumer']);
    expect(calls('visionscale init\nif [ "$(visionscale model history --json | tr)" ]')).toEqual([
      ['init'],
      ['model', 'history', '--json'],
    ]);
    expect(unknown(['VISIONSCALE_WORKRES'])).toEqual(['VISIONSCALE_WORKRES']);
  });
});
