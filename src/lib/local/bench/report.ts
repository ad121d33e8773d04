/** The benchmark's report for people. */
import { printable } from '../../base/printable.ts';
import { formatBytes } from '../../base/report/progress.ts';
import { table } from '../../base/report/table.ts';
import type { BenchResult } from './bench.ts';

export function benchReport(result: BenchResult): string {
  const { machine, model, images, figures, findings, notes } = result;
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.platform}, Node ${machine.node}; load before: ${machine.load.toFixed(1)}`,
    `model ${model.name} ${model.version}, engine ${result.engine}, preprocessing ${result.preprocess}, ${result.workers} workers`,
    `${images.count} images, ${formatBytes(images.bytes)}, ${images.directory === null ? 'drawn' : `from ${printable(images.directory)}`}`,
  ];
  if (figures.length > 0) {
    lines.push(
      '',
      table(figures, [
        { title: 'stage', value: (f) => f.stage },
        { title: 'what', value: (f) => f.name },
        { title: 'median ms', value: (f) => shown(f.medianMs), align: 'right' },
        { title: 'p99 ms', value: (f) => shown(f.p99Ms), align: 'right' },
        { title: 'a second', value: (f) => `${shown(f.rate)} ${f.unit}`, align: 'right' },
        { title: 'a core second', value: (f) => shown(f.ratePerCore), align: 'right' },
        { title: 'cores', value: (f) => f.cores.toFixed(2), align: 'right' },
      ]),
      '',
      'CPU use is this process and those that decode and classify for it; database, brokers and stores are others.',
    );
  }
  const entries = Object.entries(findings);
  if (entries.length > 0) {
    lines.push(
      '',
      table(entries, [
        { title: 'finding', value: ([name]) => name },
        { title: 'value', value: ([, value]) => (typeof value === 'number' ? shown(value) : value) },
      ]),
    );
  }
  lines.push(...notes.map((note) => `note: ${printable(note)}`));
  lines.push('', `peak memory ${formatBytes(result.peakMemoryBytes)}, ${result.seconds.toFixed(0)} s in all`);
  return lines.join('\n');
}

/** Three places are more than a clock here is worth. */
function shown(value: number): string | null {
  if (Number.isNaN(value)) return null;
  if (value !== 0 && Math.abs(value) < 1) return value.toPrecision(3);
  return Math.abs(value) < 100 ? value.toFixed(1) : value.toFixed(0);
}
