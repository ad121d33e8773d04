/** The table belt_references: what the first images of each belt showed to a model, kept once for all consumers. */
import type { Pool } from 'pg';
import { z } from 'zod';

const count = z.int().nonnegative();
/** How many images say as much as one would if each came by chance: 1 or more. */
const inflation = z.number().min(1);

const shown = z.object({
  images: z.int().positive(),
  /** How many of them were unknown; null: the model does not tell. */
  unknown: count.nullable(),
  /** Of the likeliest class, in percent. */
  confidence: z.object({ mean: z.number(), variance: z.number().nonnegative() }),
  /** How often each class was the likeliest; the others never were. */
  classes: z
    .array(z.tuple([z.string(), count]))
    .transform((entries): ReadonlyMap<string, number> => new Map(entries)),
  /** Objects of a class come in runs, which say less than as many single ones. */
  inflation: z.object({ unknown: inflation, confidence: inflation, classes: inflation }),
});

/** What a number of images showed. */
export type Shown = z.output<typeof shown>;

export interface ReferenceKey {
  pipeline: string;
  /** Null: images without a belt. */
  belt: string | null;
  modelDigest: string;
}

/** Most references of a pipeline, the newest: names of belts come from outside, and models are trained again. */
const mostReferences = 10_000;

/** Null: there is none, or a later version wrote it. */
export async function readReference(pool: Pool, key: ReferenceKey): Promise<Shown | null> {
  const { rows } = await pool.query<{ shown: unknown }>(
    'select shown from belt_references where pipeline = $1 and belt = $2 and model_digest = $3',
    keyOf(key),
  );
  return shown.safeParse(rows[0]?.shown).data ?? null;
}

/** Returns the one that counts: what was there already stays. */
export async function keepReference(pool: Pool, key: ReferenceKey, first: Shown): Promise<Shown | null> {
  const { rowCount } = await pool.query(
    `insert into belt_references (pipeline, belt, model_digest, shown)
     values ($1, $2, $3, $4) on conflict do nothing`,
    [...keyOf(key), JSON.stringify({ ...first, classes: [...first.classes] })],
  );
  if (rowCount === 0) return readReference(pool, key);
  await pool.query(
    `delete from belt_references where pipeline = $1 and made_at <=
       (select made_at from belt_references where pipeline = $1 order by made_at desc offset $2 limit 1)`,
    [key.pipeline, mostReferences],
  );
  return first;
}

/** `belt` null: of all belts. Consumers learn them anew; returns how many there were. */
export async function forgetReferences(pool: Pool, pipeline: string, belt: string | null): Promise<number> {
  const { rowCount } = await pool.query(
    'delete from belt_references where pipeline = $1 and ($2::text is null or belt = $2)',
    [pipeline, belt],
  );
  return rowCount ?? 0;
}

function keyOf({ pipeline, belt, modelDigest }: ReferenceKey): string[] {
  return [pipeline, belt ?? '', modelDigest];
}
