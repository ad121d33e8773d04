/** What a report is made of. */
import type { Judgement } from '../judge.ts';

/** A model as reports name it. */
export interface NamedModel {
  name: string;
  version: string;
  digest: string;
}

export interface ClassCount {
  label: string;
  /** Images it was trained with. */
  train: number;
  /** Images it was judged on. */
  held: number;
}

/** An epoch: shares of 1, losses in nats. `EpochMetrics` of `train/events.ts` is one. */
export interface HistoryPoint {
  epoch: number;
  trainLoss: number;
  trainTop1: number;
  heldLoss: number;
  heldTop1: number;
}

/** An image of the hold-out that (nearly) is one of the training set: it makes the accuracy look better than it is. */
export interface DuplicatePair {
  train: string;
  held: string;
  /** Whether both have the same label; where not, one of the labels is wrong. */
  sameLabel: boolean;
}

/** How the images that judge were kept apart from those to learn from, and what the accuracy is worth therefore. */
export interface HoldOutNotes {
  /** Of pictures that belong together: how many there are to judge by, and how many images the largest has. */
  groups: { count: number; largest: number };
  /** A directory of its own; otherwise groups were held back. */
  isGiven: boolean;
  /** Folders or names tell what belongs together; otherwise it was told by likeness. */
  isNamed: boolean;
  /** Nothing could be kept on one side: pictures that belong together are on both. */
  mixed: boolean;
  /** The duplicates are not among the images judged. */
  duplicatesLeftOut: boolean;
  /** Classes that are not judged, because all their images belong together. */
  oneGroup: readonly string[];
  /** Share of 1 that is right of images dealt out singly, with similar ones on both sides. */
  ungroupedTop1?: number | undefined;
  /** Of cross-validation inside the training set, with similar images kept together. */
  crossValidatedTop1?: number | undefined;
}

/** How unknown objects were learned to be told. Shares are of 1. */
export interface NoveltyNotes {
  /** Images that the threshold was calibrated on, and the share of them called unknown. */
  calibration: { images: number; unknown: number };
  /** Each class left out in turn, the hardest first: the share of its images that is called unknown. */
  leftOut: readonly { label: string; images: number; caught: number; auroc: number }[];
}

/** Expected calibration error: by how much confidences differ from the share that is right, of 1, in the mean; of the hold-out. */
export interface CalibrationNotes {
  temperature: number;
  before: number;
  after: number;
}

/** Images of objects of none of the classes. */
export interface ForeignNotes {
  images: number;
  /** Share of 1 that is called unknown. */
  unknown: number;
  /** How likely one of them has a greater novelty than an image of a known object. */
  auroc: number;
}

export interface ReportInput {
  judgement: Judgement;
  /** Without it: the images judged. */
  counts?: readonly ClassCount[];
  history?: readonly HistoryPoint[];
  /** Undefined where nobody looked. */
  duplicates?: readonly DuplicatePair[];
  /** Of a training. */
  holdOut?: HoldOutNotes;
  /** Of a training, or why its model does not tell unknown objects. */
  novelty?: NoveltyNotes | { reason: string };
  calibration?: CalibrationNotes | undefined;
  foreign?: ForeignNotes | undefined;
  /** The model that was judged, or trained. */
  model: NamedModel;
  /** What it was trained from. */
  parent?: NamedModel | undefined;
  /** Names the images with their labels: `sha256:…`. */
  dataDigest?: string;
  seed?: number;
  /** Files of the data set that could not be read. */
  unreadable?: readonly { path: string; reason: string }[];
  /** ISO 8601; default: now. */
  created?: string;
}
