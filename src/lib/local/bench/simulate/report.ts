/** What `bench --simulate` found, for people. */
import { counted, formatBytes, table } from '../../../base/report/table.ts';
import type { Resources, SimulateResult } from './simulate.ts';

export function simulateReport(result: SimulateResult): string {
  const { machine, idle, load } = result;
  const number = (value: number | null, places = 0) => (value === null ? null : value.toFixed(places));
  const both = (title: string, of: (resources: Resources) => string | null) =>
    [title, of(idle), of(load)] as const;
  const lines = [
    [
      'processor, cores of consumers',
      number(idle.cores, 3),
      number(load.busy.machine === 0 ? 0 : (load.cpuMicros.consumers * load.rowsPerSecond) / 1e6, 2),
    ],
    [
      'of PostgreSQL’s sessions',
      number(idle.coresADatabase, 3),
      number(
        load.cpuMicros.database === null ? null : (load.cpuMicros.database * load.rowsPerSecond) / 1e6,
        2,
      ),
    ],
    [
      'transactions a second',
      number(idle.transactionsPerSecond),
      number(load.rowsPerSecond / load.rowsPerTransaction),
    ],
    both('connections to PostgreSQL', ({ connections }) => number(connections)),
    both('memory a consumer', ({ memoryBytes }) => formatBytes(memoryBytes)),
    both('threads a consumer', ({ threads }) => number(threads)),
    both('sockets a consumer', ({ sockets }) => number(sockets)),
  ] as const;
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.platform}, Node ${machine.node}; load before: ${machine.load.toFixed(1)}`,
    result.infrastructure,
    `${counted(result.consumers, 'consumer')}, ${counted(result.partitions, 'partition')}, shared out in ${result.balancedSeconds.toFixed(1)} s; no store, no model`,
    '',
    `${number(load.rowsPerSecond)} rows a second, over ${number(load.seconds, 1)} s (${load.messages} messages)`,
    `${number(load.rowsPerTransaction, 1)} rows a transaction of ${number(load.transactionMs, 1)} ms; in flight ${number(load.inFlight.mean)} messages a consumer, ${load.inFlight.most} at most`,
    `processor time a row: ${number(load.cpuMicros.consumers)} µs consumers${load.cpuMicros.database === null ? '' : `, ${number(load.cpuMicros.database)} µs PostgreSQL’s sessions`}`,
    `of a partition's time: ${Math.round(100 * load.waiting.topic)} % waiting for the topic, ${Math.round(100 * load.waiting.database)} % recording`,
    `PostgreSQL's sessions are at: ${load.databaseAt.map(({ what, share }) => `${what} ${Math.round(100 * share)} %`).join(', ')}`,
    '',
    table(lines, [
      { title: '', value: ([what]) => what },
      { title: 'idle', value: ([, value]) => value, align: 'right' },
      { title: 'under load', value: ([, , value]) => value, align: 'right' },
    ]),
    '',
    `bound by ${result.bound}`,
  ].join('\n');
}
