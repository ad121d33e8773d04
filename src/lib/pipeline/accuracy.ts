/** How good the models are, by what people have said of their predictions. */
import type { Pool } from 'pg';
import { type Interval, wilson } from '../base/statistics.ts';
import {
  type AccuracyRow,
  measuredAccuracy,
  measuredConfusion,
} from '../systems/database/tables/corrections.ts';

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

export interface Accuracy {
  models: ModelAccuracy[];
  days: ModelAccuracy[];
  note: string;
}

/** Whoever corrects what the model was unsure of measures it where it is worst. */
const note =
  'Measured on corrected images only. If you chose them because the model was unsure, it is right more often than this.';

/** The model that predicted last comes first; days without a corrected image are left out. */
export async function accuracy(
  pool: Pool,
  pipeline: string,
  filter?: Parameters<typeof measuredAccuracy>[2],
): Promise<Accuracy> {
  const rows = await measuredAccuracy(pool, pipeline, filter);
  const told = rows.map(({ amongFive, ...row }) => ({
    ...row,
    ...measured(row.right, row.images),
    top5: row.images > 0 ? amongFive / row.images : null,
  }));
  return {
    models: told.filter(({ day }) => day === null),
    days: told.filter(({ day, images }) => day !== null && images > 0),
    note,
  };
}

export interface Confusion {
  /** The worst first. */
  classes: (Measured & { digest: string; label: string })[];
  /** The most frequent first. */
  confused: { digest: string; label: string; category: string; images: number }[];
}

/** How many classes and pairs of all models together are told. */
const most = { classes: 2000, confused: 200 };

/** By model version, class by class. */
export async function confusion(pool: Pool, pipeline: string): Promise<Confusion> {
  const rows = await measuredConfusion(pool, pipeline);
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

function measured(right: number, images: number): Measured {
  const any = images > 0;
  return {
    images,
    right,
    top1: any ? right / images : null,
    interval95: any ? wilson(right, images) : null,
  };
}
