/** How the live page writes numbers. */
import { expect, it } from 'vitest';
import { percent } from '../../../web/shared/format.ts';

it('a small share is not written as none', () => {
  const shares = [0, 0.0001, 0.049, 0.05, 12.34, 100];
  expect(shares.map(percent)).toEqual(['0 %', '< 0.1 %', '< 0.1 %', '0.1 %', '12.3 %', '100 %']);
});
