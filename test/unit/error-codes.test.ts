/** docs/errors.md has every error code that the source can raise, and no other. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorCodes as frameworkErrors } from 'fastify';
import { describe, expect, it } from 'vitest';
import { httpCodes } from '../../src/docs/error-codes/http.ts';
import { errorCodes } from '../../src/docs/pages.ts';
import { toProblem } from '../../src/lib/pipeline/serve/problem.ts';

const source = fileURLToPath(new URL('../../src', import.meta.url));

/** The ways in which a code is written. */
const written = [
  /\bcode: '([a-z]+(?:_[a-z]+)*)'/g,
  /\bnew Problem\(\s*[^,]+,\s*'(\w+)'/g,
  /\bnew ServerError\([^;]*?,\s*'(\w+)'/g,
  /\b(?:refuse|missing)\(\s*'(\w+)'/g,
  /\bmovedByHand = '(\w+)'/g,
  /\? code\b.*: '(\w+)'/g,
  /\?\? '(failed)'|: '(failed)';|sleep\(timeoutMs, '(timeout)'/g,
];

/** Not errors of visionscale: zod's name for a check of one's own. */
const foreign = new Set(['custom']);

function codesOf(text: string): string[] {
  return written
    .flatMap((pattern) => [...text.matchAll(pattern)])
    .map((match) => match.slice(1).find((code) => code !== undefined)!)
    .filter((code) => !foreign.has(code));
}

const raised = new Set(
  readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.startsWith('docs'))
    .flatMap((file) => codesOf(readFileSync(join(source, file), 'utf8'))),
);
const documented = new Set(Object.values(errorCodes).flatMap(Object.keys));

describe('docs/errors.md', () => {
  it('has every code of the source', () => {
    expect(raised.size).toBeGreaterThan(150);
    expect([...raised].filter((code) => !documented.has(code)).sort()).toEqual([]);
  });

  it('has no code that nothing raises', () => {
    expect([...documented].filter((code) => !raised.has(code)).sort()).toEqual([]);
  });

  it('has, under HTTP, what every error of the HTTP framework becomes', () => {
    const made = Object.values(frameworkErrors).map((FrameworkError) => toProblem(new FrameworkError()).code);
    expect(made.length).toBeGreaterThan(50);
    expect(made.filter((code) => !(code in httpCodes))).toEqual([]);
  });

  it('says of each what to do, in one line', () => {
    for (const codes of Object.values(errorCodes))
      for (const meaning of Object.values(codes)) expect(meaning).toMatch(/^[A-Z0-9`/].{20,220}[.)]$/);
  });
});
