/** The documents say what the code does: generated parts are up to date, and links, flags and settings exist. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { buildProgram } from '../../src/cli.ts';
import { anchor } from '../../src/docs/pages.ts';
import { documents } from '../../src/docs.ts';
import { type Code, commandLines, faultsOf, isSetting } from '../support/named.ts';

const program = buildProgram();
const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'DESIGN.md'].filter((file) => existsSync(join(root, file))),
  ...readdirSync(join(root, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];

describe('generated documents', () => {
  const wanted = documents(read);
  it.each(Object.keys(wanted))('%s says what the code says (else: npm run docs)', (file) => {
    expect(read(file)).toBe(wanted[file]);
  });
});

it('has a manual page for each command, which npm installs', () => {
  const names = ['visionscale', ...program.commands.map((command) => `visionscale-${command.name()}`)];
  const files = names.map((name) => `man/${name}.1`).sort();
  expect(
    readdirSync(join(root, 'man'))
      .map((file) => `man/${file}`)
      .sort(),
  ).toEqual(files);
  const { man } = JSON.parse(read('package.json')) as { man: string[] };
  expect(man.toSorted()).toEqual(files);
  const requests = ['TH', 'SH', 'SS', 'PP', 'TP', 'B', 'BR', 'EX', 'EE'];
  const unknown = files.flatMap((file) =>
    [...read(file).matchAll(/^['.](\S*)/gm)].filter(([, name]) => !requests.includes(name!)),
  );
  expect(unknown).toEqual([]);
  expect(files.filter((file) => /[^\n\x20-\x7e]/.test(read(file)))).toEqual([]);
});

describe.each(pages)('%s', (page) => {
  it('links to files and headings that are there', () => {
    expect(linksOf(read(page)).filter((link) => !leads(page, link))).toEqual([]);
  });

  it('names flags that their commands have', () => {
    expect(codeOf(read(page)).flatMap(commandLines).flatMap(faultsOf)).toEqual([]);
  });

  it('names settings that are there', () => {
    const named = read(page).match(/VISIONSCALE_[A-Z\d_]*[A-Z\d]/g) ?? [];
    expect(named.filter((name) => !isSetting(name) && !/^VISIONSCALE_(TEST|CI|FAULTS)_/.test(name))).toEqual(
      [],
    );
  });
});

describe('what is looked for', () => {
  it('finds links that lead nowhere', () => {
    const links = linksOf(
      '[a](no.md) ![b](DESIGN.md#no) [c]: no.md\n\n[d](DESIGN.md) `[e](x)`\n\n<img src="no.svg">',
    );
    expect(links.filter((link) => !leads('README.md', link))).toEqual(['no.md', 'DESIGN.md#no', 'no.svg']);
  });

  it('finds flags and commands that are not there', () => {
    const text =
      '`visionscale consume --no` `consume --nor` `bins use x.yaml --force`\n\n' +
      '```sh\nA=b npx visionscale results --csv export ./x --below 60 \\\n  --never && visionscale nothing\n```\n';
    expect(codeOf(text).flatMap(commandLines).flatMap(faultsOf)).toEqual([
      'results export --never',
      'nothing',
      'consume --no',
      'consume --nor',
    ]);
  });
});

const fence = /^ *(```|~~~).*\n([^]*?)^ *\1 *$/gm;

function linksOf(text: string): string[] {
  const prose = text.replaceAll(fence, '').replaceAll(/(`+)[^`][^]*?\1/g, '');
  const found = [
    ...prose.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)/g),
    ...prose.matchAll(/^ *\[[^\]]+\]: *(\S+)/gm),
    ...prose.matchAll(/(?:src|href)="([^"]+)"/g),
  ];
  return found.map(([, target]) => target!).filter((target) => !/^[a-z]+:/i.test(target));
}

function leads(page: string, link: string): boolean {
  const [path = '', heading] = link.split('#');
  const file = path === '' ? page : join(dirname(page), decodeURIComponent(path));
  if (!existsSync(join(root, file))) return false;
  return heading === undefined || !file.endsWith('.md') || anchorsOf(read(file)).has(heading);
}

/** As GitHub names them: the second heading of a name gets a number. */
function anchorsOf(text: string): Set<string> {
  const times = new Map<string, number>();
  const anchors = new Set<string>();
  for (const [, heading] of text.replaceAll(fence, '').matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const name = anchor(heading!.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1'));
    const before = times.get(name) ?? 0;
    times.set(name, before + 1);
    anchors.add(before === 0 ? name : `${name}-${before}`);
  }
  for (const [, name] of text.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(name!);
  return anchors;
}

/** Code blocks, a line at a time, and code spans. */
function codeOf(text: string): Code[] {
  const blocks = [...text.matchAll(fence)].flatMap(([block, , code]) =>
    code!
      .replaceAll(/\\\n/g, ' ')
      .split('\n')
      .map((line) => ({ text: line, isShell: /^ *```sh/.test(block) })),
  );
  const spans = [...text.replaceAll(fence, '').matchAll(/(`+)([^`][^]*?)\1/g)];
  return [...blocks, ...spans.map(([, , code]) => ({ text: code!.replaceAll('\n', ' '), isShell: false }))];
}
