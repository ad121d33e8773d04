/** The documents say what the code does. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { documents } from '../../src/docs.ts';

const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');

describe('generated documents', () => {
  const wanted = documents(read);
  it.each(Object.keys(wanted))('%s says what the code says (else: npm run docs)', (file) => {
    expect(read(file)).toBe(wanted[file]);
  });
});
