/** What a group of outcomes changes, given the dead letters there are; held to a model that takes them one at a time. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Outcome, Prediction } from '../../../src/lib/systems/database/record/outcome.ts';
import { type KnownLetter, settle } from '../../../src/lib/systems/database/record/settle.ts';
import { header, type TopicRecord } from '../../../src/lib/systems/message/record.ts';
import { numRuns } from '../../support/thorough.ts';

function outcome(id: string, good: boolean, retry: number | null): Outcome {
  const headers: Record<string, string> = retry === null ? {} : { [header.retry]: `${retry}` };
  const record = { topic: 't', partition: 0, offset: 1, timestamp: 1, key: null, value: null, headers };
  return good
    ? ({
        kind: 'prediction',
        record,
        request: { id, imageKey: 'k', capturedAt: null, belt: null },
      } as Prediction)
    : {
        kind: 'dead letter',
        record,
        requestId: id,
        imageKey: 'k',
        stage: 'fetch',
        code: 'c',
        message: 'm',
      };
}

const open = (attempts: number): KnownLetter => ({ state: 'open', attempts });
const nothing = { predictions: [], newLetters: [], resolved: [], failedAgain: [] };

describe('settle', () => {
  it('records the first outcome of a request, whatever follows in the same group', () => {
    const [good, bad] = [outcome('a', true, null), outcome('a', false, null)];
    expect(settle([good, bad, good], new Map())).toEqual({ ...nothing, predictions: [good] });
    expect(settle([bad, good, bad], new Map())).toEqual({ ...nothing, newLetters: [bad] });
  });

  it('lets the retry of an open letter count once', () => {
    const [good, bad] = [outcome('a', true, 2), outcome('a', false, 2)];
    const letters = new Map([['a', open(2)]]);
    expect(settle([good, good, bad], letters)).toEqual({ ...nothing, predictions: [good], resolved: ['a'] });
    const failed = { ...nothing, failedAgain: [bad] };
    expect(settle([bad, bad, good], letters)).toEqual(failed);
    expect(letters.get('a')).toEqual(open(2));
  });

  it('goes through a letter’s whole past where a position was set back', () => {
    const past = [
      outcome('a', false, null),
      outcome('a', false, 1),
      outcome('a', true, 2),
      outcome('a', true, 2),
    ];
    expect(settle(past, new Map())).toEqual({
      newLetters: [past[0]],
      failedAgain: [past[1]],
      predictions: [past[2]],
      resolved: ['a'],
    });
  });

  it.each([
    ['no retry', null, open(2)],
    ['an old retry', 1, open(2)],
    ['a retry to come', 3, open(2)],
    ['a retry of a resolved letter', 2, { ...open(2), state: 'resolved' as const }],
    ['a retry of a dropped letter', 2, { ...open(2), state: 'dropped' as const }],
  ])('changes nothing for %s', (_, retry, letter) => {
    const outcomes = [outcome('a', true, retry), outcome('a', false, retry)];
    expect(settle(outcomes, new Map([['a', letter]]))).toEqual(nothing);
  });

  describe('of a message that ended as one dead letter as a whole', () => {
    const value = Buffer.from('{"Records":[{},{}]}');
    const digest = createHash('sha256').update(value).digest('hex');
    const place = 't/0/1@1';
    const letters = (letter: Partial<KnownLetter> = {}) =>
      new Map([[place, { ...open(1), digest, ...letter }]]);
    const sent = (offset: number, more: Partial<TopicRecord> = {}): TopicRecord => ({
      topic: 't',
      partition: 0,
      offset,
      timestamp: 1,
      key: null,
      value,
      headers: { [header.retry]: '1', [header.requestId]: place },
      ...more,
    });
    const part = (id: string, record: TopicRecord, good = true): Outcome => ({
      ...outcome(id, good, null),
      record: { ...record, value: null },
    });

    it('counts what its retry brings, once, and resolves the letter', () => {
      const [first, again] = [sent(8), sent(9)];
      const outcomes = [part('a', first), part('b', first, false), part('c', again), part('d', again, false)];
      const settled = settle(outcomes, letters(), [first, again]);
      expect(settled).toEqual({
        ...nothing,
        predictions: [outcomes[0]],
        newLetters: [outcomes[1]],
        resolved: [place],
      });
    });

    it('resolves the letter where the retry asks for nothing any more', () => {
      expect(settle([], letters(), [sent(8)])).toEqual({ ...nothing, resolved: [place] });
    });

    it('keeps it where the retry fails as a whole', () => {
      const again = part(place, sent(8), false);
      expect(settle([again], letters(), [sent(8)])).toEqual({ ...nothing, failedAgain: [again] });
    });

    it.each([
      ['the message itself, delivered again', sent(1, { headers: {} }), {}],
      ['an old retry', sent(8), { attempts: 2 }],
      ['a retry of a dropped letter', sent(8), { state: 'dropped' as const }],
      ['a retry of a resolved letter', sent(8), { state: 'resolved' as const }],
      ['what only says that it is a retry', sent(8, { value: Buffer.from('{"Records":[]}') }), {}],
    ])('changes nothing for %s', (_, record, letter) => {
      const retries = record.headers[header.retry] === undefined ? [] : [record];
      expect(settle([part('a', record), part('b', record, false)], letters(letter), retries)).toEqual(
        nothing,
      );
      expect(settle([], letters(letter), retries)).toEqual(nothing);
    });
  });

  it('is the same for a group as for its parts, one after the other', () => {
    const letter = fc.record({
      state: fc.constantFrom('open' as const, 'resolved' as const, 'dropped' as const),
      attempts: fc.integer({ min: 1, max: 3 }),
    });
    const ids = ['a', 'b', 'c', 'd'];
    const delivery = fc.tuple(
      fc.constantFrom(...ids),
      fc.boolean(),
      fc.option(fc.integer({ min: 1, max: 4 })),
    );
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...ids), letter),
        fc.array(delivery, { maxLength: 30 }),
        fc.nat(30),
        (known, deliveries, cut) => {
          const outcomes = deliveries.map((d) => outcome(...d));
          const whole = new Store(known);
          whole.take(outcomes);
          const parts = new Store(known);
          parts.take(outcomes.slice(0, cut));
          parts.take(outcomes.slice(cut));
          expect(parts).toEqual(whole);
          // Never both, and never two.
          for (const id of ids) {
            const state = whole.letters.get(id)?.state;
            expect(whole.predicted.get(id) ?? 0).toBeLessThanOrEqual(1);
            if (whole.predicted.has(id)) expect([undefined, 'resolved']).toContain(state);
          }
        },
      ),
      { numRuns: numRuns(1000) },
    );
  });
});

/** What the tables would hold. */
class Store {
  readonly letters: Map<string, KnownLetter>;
  readonly predicted = new Map<string, number>();

  constructor(known: Record<string, KnownLetter>) {
    this.letters = new Map(Object.entries(known).map(([id, letter]) => [id, { ...letter }]));
  }

  take(outcomes: Outcome[]): void {
    const { predictions, newLetters, resolved, failedAgain } = settle(outcomes, this.letters);
    for (const { requestId } of newLetters) {
      if (!this.predicted.has(requestId)) this.letters.set(requestId, { state: 'open', attempts: 1 });
    }
    const before = new Set(this.predicted.keys());
    for (const { request } of predictions) {
      if (!before.has(request.id)) this.predicted.set(request.id, (this.predicted.get(request.id) ?? 0) + 1);
    }
    for (const id of resolved) if (this.letters.has(id)) this.letters.get(id)!.state = 'resolved';
    for (const { requestId } of failedAgain) {
      if (this.letters.has(requestId)) this.letters.get(requestId)!.attempts++;
    }
  }
}
