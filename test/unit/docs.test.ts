/** The documents say what the code does. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { envExample, filledReadme } from '../../src/docs.ts';

const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');

describe('generated documents', () => {
  it('.env.example lists the settings of the code', () => {
    expect(read('.env.example')).toBe(envExample());
  });

  it('README has the commands and settings of the code', () => {
    expect(read('README.md')).toBe(filledReadme(read('README.md')));
  });
});
