/** How good the models are, by what people have said of their predictions. */
import type { Pool } from 'pg';
import { type Interval, wilson } from '../base/statistics.ts';
import {
  type AccuracyRow,
  type ConfusionRow,
  countPredicted,
  measuredAccuracy,
  measuredConfusion,
  type MeasuredFilter,
} from '../systems/database/tables/accuracy.ts';
import { countRecent, type RecentCount } from '../systems/database/tables/predictions.ts';
import { type NextClass, photographNext } from './photograph-next.ts';

interface Measured {
  /** Corrected images. */
  images: number;
  right: number;
  /** Shares, 0 to 1; null of no image. */
  top1: number | null;
  interval95: Interval | null;
}

export interface ModelAccuracy extends Measured, Omit<AccuracyRow, 'amongFive'> {
  top5: number | null;
}

export interface Accuracy<M = ModelAccuracy> {
  models: M[];
  days: M[];
  note: string;
}

/** Whoever corrects what the model was unsure of measures it where it is worst. */
const note =
  'Measured on corrected images only. If you chose them because the model was unsure, it is right more often than this.';

/** Of models with a corrected image; the one that predicted one of them last comes first. */
export async function accuracy(pool: Pool, pipeline: string, filter?: MeasuredFilter): Promise<Accuracy> {
  const told = (await measuredAccuracy(pool, pipeline, filter)).map(toldOf);
  const isOfAll = ({ day }: ModelAccuracy) => day === null;
  return { models: told.filter(isOfAll), days: told.filter((row) => !isOfAll(row)), note };
}

export interface PredictedAccuracy extends ModelAccuracy {
  /** Images that it predicted, corrected or not. */
  predicted: number;
}

/** Of every model, with how many images it predicted, which takes long where there are many. The last that predicted comes first. */
export async function accuracyOfAll(
  pool: Pool,
  pipeline: string,
  filter?: MeasuredFilter,
): Promise<Accuracy<PredictedAccuracy>> {
  const [measured, counted] = await Promise.all([
    measuredAccuracy(pool, pipeline, filter),
    countPredicted(pool, pipeline, filter),
  ]);
  const told = counted.map(({ predicted, model, day }) => {
    const row = measured.find((one) => one.model.digest === model.digest && one.day === day);
    return { ...toldOf(row ?? { model, day, images: 0, right: 0, amongFive: 0 }), predicted };
  });
  return {
    models: told.filter(({ day }) => day === null),
    days: told.filter(({ day, images }) => day !== null && images > 0),
    note,
  };
}

function toldOf({ amongFive, ...row }: AccuracyRow): ModelAccuracy {
  return {
    ...row,
    ...measured(row.right, row.images),
    top5: row.images > 0 ? amongFive / row.images : null,
  };
}

export interface Confusion {
  /** The worst first. */
  classes: (Measured & { digest: string; label: string })[];
  /** The most frequent first. */
  confused: ConfusionRow[];
}

/** How many classes and pairs of all models together are told. */
const most = { classes: 2000, confused: 200 };

/** By model version, class by class. */
export function confusion(rows: readonly ConfusionRow[]): Confusion {
  const counts = new Map<string, { digest: string; label: string; images: number; right: number }>();
  for (const { digest, label, category, images } of rows) {
    const name = `${digest} ${label}`;
    const one = counts.get(name) ?? { digest, label, images: 0, right: 0 };
    one.images += images;
    if (category === label) one.right += images;
    counts.set(name, one);
  }
  const classes = [...counts.values()].map((one) => ({ ...one, ...measured(one.right, one.images) }));
  classes.sort((a, b) => a.top1! - b.top1! || b.images - a.images || a.label.localeCompare(b.label));
  return {
    classes: classes.slice(0, most.classes),
    confused: rows.filter(({ label, category }) => label !== category).slice(0, most.confused),
  };
}

export interface PhotographNext {
  /** The one that made most of the latest predictions; null without any. */
  model: AccuracyRow['model'] | null;
  /** Its latest predictions that were looked at. */
  predictions: number;
  /** See `photographNext`. */
  classes: NextClass[];
  note: string;
}

/** Predictions that tell what comes along the belts now. */
export const recentPredictions = 10_000;

/** `rows`, `recent`: of every model. */
export function nextPhotographs(
  rows: readonly ConfusionRow[],
  recent: readonly RecentCount[],
): PhotographNext {
  const counts = new Map<string, { model: AccuracyRow['model']; predictions: number }>();
  for (const { model, predictions } of recent) {
    const one = counts.get(model.digest) ?? { model, predictions: 0 };
    one.predictions += predictions;
    counts.set(model.digest, one);
  }
  const [first] = [...counts.values()].sort((a, b) => b.predictions - a.predictions);
  const { model, predictions } = first ?? { model: null, predictions: 0 };
  const classes = photographNext({
    recent: recent.filter((one) => one.model.digest === model?.digest),
    confusion: rows.filter(({ digest }) => digest === model?.digest),
  });
  return { model, predictions, classes, note: nextNote };
}

const nextNote =
  'By labelled images, which are not a random sample, and by what came last: trust the order more than the numbers.';

/** Classes, confused pairs and what to photograph next, from one look at the corrections. */
export async function weaknesses(
  pool: Pool,
  pipeline: string,
  filter?: MeasuredFilter,
): Promise<Confusion & { photographNext: PhotographNext }> {
  const [rows, recent] = await Promise.all([
    measuredConfusion(pool, pipeline, filter),
    countRecent(pool, pipeline, recentPredictions, filter),
  ]);
  return { ...confusion(rows), photographNext: nextPhotographs(rows, recent) };
}

function measured(right: number, images: number): Measured {
  const any = images > 0;
  return {
    images,
    right,
    top1: any ? right / images : null,
    interval95: any ? wilson(right, images) : null,
  };
}
