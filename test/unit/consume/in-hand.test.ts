import { expect, it } from 'vitest';
import { InHand } from '../../../src/lib/pipeline/consume/answer/in-hand.ts';

it('names how many are in which stage, and the one that has been longest in its', () => {
  let now = 0;
  const inHand = new InHand(() => now);
  expect(inHand.describe()).toBe('nothing is in work');
  const a = inHand.begin('a.jpg');
  const b = inHand.begin('b.jpg');
  a.at('classifying');
  now = 4000;
  b.at('classifying');
  const c = inHand.begin('c.jpg');
  now = 61_000;
  expect(inHand.describe()).toBe('1 fetching, 2 classifying; longest a.jpg, classifying for 61 s');
  a.end();
  b.end();
  c.end();
  expect(inHand.describe()).toBe('nothing is in work');
});
