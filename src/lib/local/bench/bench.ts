/** The verb `bench`: runs the stages one after another and gathers their figures. */
import { cpus, loadavg, totalmem } from 'node:os';
import { usableCores } from '../../base/sandbox/parallelism.ts';
import {
  type StageName,
  stageNames,
  type Figure,
  type StageFindings,
  type Stage,
  type StageInput,
} from './stage.ts';
import { agreementStage } from './stages/agreement.ts';
import { consumeStage } from './stages/consume.ts';
import { endToEndStage } from './stages/end-to-end.ts';
import { inferStage, workersStage } from './stages/infer.ts';
import { decodeStage, preprocessStage } from './stages/prepare.ts';
import { produceStage } from './stages/produce.ts';

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
interface Machine {
  cpu: string;
  cores: number;
  platform: string;
  node: string;
  memoryBytes: number;
  /** Runnable processes in the minute before: what else was going on. */
  load: number;
}

function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: usableCores(),
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    memoryBytes: totalmem(),
    load: loadavg()[0]!,
  };
}
