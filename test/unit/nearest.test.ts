/** What a name that is not known was probably meant to be. */
import { expect, it } from 'vitest';
import { meant, nearest } from '../../src/lib/base/nearest.ts';

const names = ['APP_CORS', 'APP_METRICS_PORT', 'APP_HTTP_PORT', 'APP_STORE', 'APP_MODEL', 'APP_MODELS'];

it.each([
  // Whole words say more than letters: APP_CORS is two letters away.
  ['APP_PORT', 'APP_HTTP_PORT'],
  ['APP_HTTP_CORS', 'APP_CORS'],
  ['APP_MODEL_DIR', 'APP_MODEL'],
  ['APP_STROE', 'APP_STORE'],
  ['APP_METRIC_PORT', 'APP_METRICS_PORT'],
  // What all have says nothing.
  ['APP', undefined],
  ['APP_SOMETHING', undefined],
])('%s was meant to be %s', (word, name) => {
  expect(meant(word, names)).toBe(name);
});

it('letters alone, where words would say too much', () => {
  expect(nearest('APP_PORT', names, 2)).toBe('APP_CORS');
  expect(nearest('PORT', names)).toBeUndefined();
});
