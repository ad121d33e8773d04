/** What the server answers with: the shapes of its OpenAPI document. */
import type { output, ZodType } from 'zod';
import type * as bins from '../src/lib/pipeline/serve/schemas/bins.ts';
import type * as comparisons from '../src/lib/pipeline/serve/schemas/comparisons.ts';
import type * as letters from '../src/lib/pipeline/serve/schemas/dead-letters.ts';
import type * as images from '../src/lib/pipeline/serve/schemas/images.ts';
import type * as labelling from '../src/lib/pipeline/serve/schemas/labelling.ts';
import type * as models from '../src/lib/pipeline/serve/schemas/models.ts';
import type * as overview from '../src/lib/pipeline/serve/schemas/overview.ts';
import type * as results from '../src/lib/pipeline/serve/schemas/results.ts';

export type { Result } from '../src/lib/base/results.ts';

/** A value as JSON carries it: times are text. */
type Json<T> = T extends Date ? string : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
type Answer<S extends ZodType> = Json<output<S>>;

export type Rights = Answer<typeof overview.rights>;
export type Status = Answer<typeof overview.status>;
export type Partition = Status['partitions'][number];
export type Consumer = Status['consumers'][number];
export type Drift = Status['drift'][number];
export type Activity = Answer<typeof overview.activity>;
export type Belts = Answer<typeof overview.belts>;
export type ResultPage = Answer<typeof results.resultPage>;
export type Image = Answer<typeof images.image>;
export type Bins = Answer<typeof bins.bins>;
export type BinCounts = Answer<typeof bins.binCounts>;
export type BinHistory = Answer<typeof bins.binHistory>;
export type TriedBins = Answer<typeof bins.triedBins>;
export type LetterPage = Answer<typeof letters.letterPage>;
export type Letter = LetterPage['letters'][number];
export type Accuracy = Answer<typeof labelling.accuracy>;
export type Unsure = Answer<typeof labelling.unsure>['images'][number];
export type Correction = Answer<typeof labelling.corrected>['corrections'][number];
/** What there is to label with, and to choose images by. */
export type Choices = Answer<typeof labelling.labels>;
export type LabelCount = Choices['labels'][number];
export type Models = Answer<typeof models.publishedModels>;
export type Model = Models['models'][number];
export type ModelHistory = Answer<typeof models.modelHistory>;
export type ModelChange = Answer<typeof models.modelChange>;
export type ModelSide = ModelChange['after'];
export type Comparison = Answer<typeof comparisons.comparison>;
export type ComparisonResult = NonNullable<Comparison['result']>;
