/** The verb `bench`: runs the stages one after another, gathers their figures, and reports them to people. */
import { cpus, loadavg, totalmem } from 'node:os';
import { printable } from '../../base/printable.ts';
import { formatBytes, table } from '../../base/report/table.ts';
import { usableCores } from '../../base/sandbox/parallelism.ts';
import {
  type Figure,
  type Stage,
  type StageFindings,
  type StageInput,
  type StageName,
  stageNames,
} from './stage.ts';
import { agreementStage } from './stages/agreement.ts';
import { decodeStage, inferStage, preprocessStage, workersStage } from './stages/classify.ts';
import { endToEndStage } from './stages/end-to-end.ts';
import { consumeStage, produceStage } from './stages/produce-consume.ts';

const stages: Record<StageName, Stage> = {
  decode: decodeStage,
  preprocess: preprocessStage,
  infer: inferStage,
  workers: workersStage,
  produce: produceStage,
  consume: consumeStage,
  'end-to-end': endToEndStage,
  agreement: agreementStage,
};

export interface BenchResult {
  machine: Machine;
  model: { name: string; version: string; digest: string };
  engine: string;
  preprocess: string;
  workers: number;
  images: { count: number; bytes: number; directory: string | null };
  figures: Figure[];
  findings: StageFindings;
  notes: string[];
  /** Most memory that this process has held, all threads; servers are processes of their own. */
  peakMemoryBytes: number;
  seconds: number;
}

/** In the order of `stageNames`, whatever the order asked for. */
export async function bench(
  input: StageInput,
  wanted: readonly StageName[],
  onStage: (name: StageName) => void,
): Promise<BenchResult> {
  const { model, engine, preprocess, workers, images } = input;
  const began = performance.now();
  const result: BenchResult = {
    machine: machine(),
    model: { name: model.info.name, version: model.info.version, digest: model.info.digest },
    engine,
    preprocess,
    workers,
    images: {
      count: images.all.length,
      bytes: images.all.reduce((sum, { bytes }) => sum + bytes.length, 0),
      directory: images.directory ?? null,
    },
    figures: [],
    findings: {},
    notes: [],
    peakMemoryBytes: 0,
    seconds: 0,
  };
  for (const name of stageNames.filter((stage) => wanted.includes(stage))) {
    input.signal.throwIfAborted();
    onStage(name);
    const { figures, findings, notes } = await stages[name](input);
    result.figures.push(...figures);
    Object.assign(result.findings, findings);
    result.notes.push(...(notes ?? []));
  }
  result.peakMemoryBytes = process.resourceUsage().maxRSS * 1024;
  result.seconds = (performance.now() - began) / 1000;
  return result;
}

/** What a benchmark ran on. */
export interface Machine {
  cpu: string;
  cores: number;
  platform: string;
  node: string;
  memoryBytes: number;
  /** Runnable processes in the minute before: what else was going on. */
  load: number;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: usableCores(),
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    memoryBytes: totalmem(),
    load: loadavg()[0]!,
  };
}

// The benchmark's report for people.

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
