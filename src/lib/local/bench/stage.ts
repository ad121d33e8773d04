/** What the stages of a benchmark are given, and the figures they hand back. */
import type { Classifier, EngineName } from '../../models/classifier/classifier.ts';
import type { LoadedModel } from '../../models/format/model.ts';
import type { ImageLimits } from '../../models/images/limits.ts';
import type { PreprocessMode } from '../../models/images/prepare.ts';
import type { BenchImages } from './images.ts';
import type { Measured } from './measure.ts';
import type { Scratch } from './scratch.ts';

export interface StageInput {
  images: BenchImages;
  model: LoadedModel;
  /** The engine of everything but the comparison of engines. */
  engine: EngineName;
  /** Most worker threads. */
  workers: number;
  preprocess: PreprocessMode;
  autoOrient: boolean;
  limits: ImageLimits;
  /** Time for one figure. */
  seconds: number;
  signal: AbortSignal;
  openClassifier: (options: { engine: EngineName; workers: number }) => Promise<Classifier>;
  /** Opened when a stage first asks for it, closed at the end. */
  scratch: () => Promise<Scratch>;
}

/** One line of the report: a rate. */
export interface Figure extends Measured {
  stage: StageName;
  name: string;
  unit: 'images' | 'keys';
}

/** What is no rate: shares, ratios, delays. Names are stable: they are keys of the JSON document. */
export type StageFindings = Record<string, number | string>;

export interface StageResult {
  figures: Figure[];
  findings?: StageFindings;
  /** What could not be measured, and why. */
  notes?: string[];
}

export type Stage = (input: StageInput) => Promise<StageResult>;

/** The stages of a benchmark, in the order in which they run. */
export const stageNames = [
  'decode',
  'preprocess',
  'infer',
  'workers',
  'produce',
  'consume',
  'end-to-end',
  'agreement',
] as const;

export type StageName = (typeof stageNames)[number];
