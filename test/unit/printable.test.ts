/** Text from outside is shown on a terminal, not obeyed. */
import { describe, expect, it } from 'vitest';
import { printable, printableJson, printableLines } from '../../src/lib/base/printable.ts';
import { printableValues } from '../../src/lib/config/log.ts';
import { parseRules, writeRules } from '../../src/lib/systems/bins/rules-file.ts';

/** By their numbers, so that this file can be read. */
const hostile = [
  0x00, 0x07, 0x08, 0x0b, 0x0d, 0x1b, 0x7f, 0x80, 0x85, 0x9b, 0x9d, 0x9f, 0x00ad, 0x061c, 0x180e, 0x200b,
  0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2060, 0x2066, 0x2067, 0x2068,
  0x2069, 0x206f, 0xfeff, 0xfff9,
].map((code) => String.fromCodePoint(code));

describe('text for a terminal', () => {
  it('holds nothing that steers or rearranges it', () => {
    for (const char of hostile) {
      for (const clean of [printable, printableLines, printableJson]) {
        expect(clean(`a${char}b`), char.codePointAt(0)!.toString(16)).not.toContain(char);
      }
      expect(JSON.parse(printableJson(JSON.stringify(`a${char}b`)))).toBe(`a${char}b`);
      expect(JSON.parse(printableValues(JSON.stringify({ msg: char, deep: [{ char }] })))).not.toContain(
        char,
      );
    }
  });

  it('holds no mark that would become a colour', () => {
    expect(printable('a\ufdd0b\ufdd4')).toBe('a·b·');
  });

  it('loses escape sequences whole', () => {
    expect(printable('\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\')).toBe(
      'red link',
    );
  });

  it('keeps what people write, and lines where lines are meant', () => {
    const names = 'Äpfel 苹果 می‌خواهم 👩‍🔬 тест';
    expect(printable(names)).toBe(names);
    expect(printable('a\n\tb')).toBe('a··b');
    expect(printableLines('a\r\n\tb\n')).toBe('a\n\tb\n');
    expect(printable(12)).toBe('12');
  });

  it('leaves rules that are written out the same rules', () => {
    const rules = {
      manual: 'm',
      unknown: 'u\u2066',
      bins: [{ bin: 'b\u202e', classes: ['\ufeffx *', 'y'], confidence: 1, margin: 0 }],
    };
    const text = writeRules(rules);
    expect(text).not.toMatch(/[\u202e\ufeff]/);
    expect(parseRules(text)).toEqual({ ...rules, bins: [{ ...rules.bins[0], classes: ['x *', 'y'] }] });
  });
});
