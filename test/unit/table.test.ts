/** Tables, counts and colours for people. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { shownOn, styled } from '../../src/lib/base/report/style.ts';
import { type Column, counted, fitted, indented, table } from '../../src/lib/base/report/table.ts';

interface Row {
  id: number;
  key: string;
  state: string;
}

const rows: Row[] = [
  { id: 1, key: 'belt-1/2026-11-28/0001.jpg', state: 'open' },
  { id: 22, key: 'b.jpg', state: 'resolved' },
];
const columns: Column<Row>[] = [
  { title: 'id', value: (r) => r.id, align: 'right' },
  { title: 'image', value: (r) => r.key, cut: 'middle' },
  {
    title: 'state',
    value: (r) => r.state,
    style: (r) => (r.state === 'open' ? 'error' : undefined),
    drop: 1,
  },
];
const terminal = (isTTY: boolean) => ({ isTTY, hasColors: () => true }) as unknown as NodeJS.WriteStream;
const plain = (text: string) => shownOn(terminal(false), text);

afterEach(() => vi.unstubAllEnvs());

describe('a table', () => {
  it('is as wide as it is where no width is given', () => {
    expect(plain(table(rows, columns))).toBe(
      'id  image                       state\n 1  belt-1/2026-11-28/0001.jpg  open\n22  b.jpg                       resolved',
    );
  });

  it('drops columns, then cuts them, until it fits', () => {
    expect(plain(table(rows, columns, 30))).toBe('id  image\n 1  belt-1/2026-11-28/0001.jpg\n22  b.jpg');
    expect(plain(table(rows, columns, 20))).toBe('id  image\n 1  belt-1/…0001.jpg\n22  b.jpg');
    for (const width of [16, 18, 25, 29, 36]) {
      const lines = plain(table(rows, columns, width)).split('\n');
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
    }
  });

  it('cuts long texts a little before it drops a column', () => {
    const long = [{ id: 1, key: 'k'.repeat(60), state: 'open' }];
    expect(plain(table(long, columns, 50))).toMatch(/^id {2}image {2,}state\n 1 {2}k+…k+ {2}open$/);
  });

  it('counts no escape codes', () => {
    vi.stubEnv('NO_COLOR', '');
    vi.stubEnv('FORCE_COLOR', undefined);
    const shown = shownOn(terminal(true), table(rows, columns));
    expect(shown).toContain('0001.jpg  \x1b[31mopen\x1b[39m\n');
  });
});

describe('colour', () => {
  it.each([
    [true, undefined, undefined, true],
    [false, undefined, undefined, false],
    [true, '1', undefined, false],
    [false, undefined, '1', true],
    [true, undefined, '0', false],
    [true, '1', '1', false],
  ])('terminal %s, NO_COLOR %s, FORCE_COLOR %s: %s', (isTTY, no, force, wanted) => {
    vi.stubEnv('NO_COLOR', no);
    vi.stubEnv('FORCE_COLOR', force);
    const shown = shownOn(terminal(isTTY), `a ${styled('ok', 'b')}`);
    expect(shown).toBe(wanted ? 'a \x1b[32mb\x1b[39m' : 'a b');
  });

  it('leaves no mark behind, whoever made it', () => {
    vi.stubEnv('NO_COLOR', undefined);
    vi.stubEnv('FORCE_COLOR', '1');
    expect(shownOn(terminal(true), 'a\ufdd2b\nc\ufdd4')).toBe('ab\nc');
    expect(shownOn(terminal(true), styled('title', 'x\ufdd4y\nz'))).toBe(
      '\x1b[1mxy\x1b[22m\n\x1b[1mz\x1b[22m',
    );
  });
});

it('counts in the right number', () => {
  expect([counted(0, 'image'), counted(1, 'dead letter'), counted(2, 'class', 'classes')]).toEqual([
    '0 images',
    '1 dead letter',
    '2 classes',
  ]);
});

describe('fitted', () => {
  const prose = 'Of black bearing and 67 others there are fewer than 5 images to judge on.';

  it('breaks prose at spaces where a terminal is narrow, and leaves lines that are indented', () => {
    const command = `  visionscale consume ${'--partition 0 '.repeat(4)}`;
    expect(fitted(`${prose}\n${command}`, { columns: 40 })).toBe(
      'Of black bearing and 67 others there are\n  fewer than 5 images to judge on.\n' + command,
    );
    expect(fitted(prose, {})).toBe(prose);
  });

  it('does not count the marks of colours', () => {
    const marked = styled('ok', 'ok') + ' a word';
    expect(fitted(marked, { columns: 9 })).toBe(marked);
  });

  it('keeps the place from the left in every line', () => {
    expect(indented('one two three', 4, { columns: 11 })).toBe('    one two\n    three');
  });
});
