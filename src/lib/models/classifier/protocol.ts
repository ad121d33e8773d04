/** What the pool and its worker processes say to each other. */
import type { Findings } from '../../base/classification.ts';
import type { LoadedModel } from '../format/model.ts';
import type { ImageLimits } from '../images/limits.ts';
import type { PreprocessMode } from '../images/prepare.ts';
import type { Device, EngineName } from './classifier.ts';

/** Given to every worker when it starts. */
export interface WorkerSetup {
  model: LoadedModel;
  engine: EngineName;
  device: Device;
  limits: ImageLimits;
  autoOrient: boolean;
  preprocess: PreprocessMode;
}

/** The encoded image goes beside it. */
export type Task = 'classify';

export type Reply = Findings;
