/** What a simulation says of its bound. */
import { expect, it } from 'vitest';
import { boundOf, type SimulateResult } from '../../../src/lib/local/bench/simulate/simulate.ts';

const bound = (
  busy: Partial<SimulateResult['load']['busy']>,
  waiting: Partial<SimulateResult['load']['waiting']>,
  databaseAt: SimulateResult['load']['databaseAt'] = [],
) =>
  boundOf({
    consumers: 1,
    load: {
      busy: { javascript: 0.5, machine: 0.5, ...busy },
      waiting: { topic: 0, database: 0, ...waiting },
      cpuMicros: { consumers: 200, database: null },
      databaseAt,
    } as SimulateResult['load'],
  });

it.each([
  [bound({ machine: 0.97, javascript: 0.95 }, { database: 1 }), /^the processor: .*97 %; consumers 200 µs/],
  [bound({ javascript: 0.95 }, { database: 1 }), /^the consumers: its JavaScript thread is busy \(95 %\)/],
  [bound({}, { topic: 0.6, database: 0.3 }), /^the topic: 60 %/],
  [
    bound({}, { topic: 0.1, database: 0.9 }, [{ what: 'IO WALSync', share: 0.7 }]),
    /^the database: 90 % .* mostly at IO WALSync \(70 %\)/,
  ],
])('names what is used up first: %s', (said, expected) => {
  expect(said).toMatch(expected);
});
