/** What the flags of `dead-letters` select. */
import type { Pool } from 'pg';
import { UsageError, VisionscaleError } from '../../lib/base/errors.ts';
import { nearest } from '../../lib/base/nearest.ts';
import { findCode, type Selection } from '../../lib/systems/database/tables/dead-letters.ts';
import { timeRange } from '../shared/time-range.ts';

export interface SelectionFlags {
  code?: string;
  stage?: string;
  since?: string;
  until?: string;
}

/** Throws UsageError for a time that is none. */
export function letterSelection(
  pipeline: string,
  ids: readonly number[],
  { code, stage, ...range }: SelectionFlags,
): Selection {
  return {
    pipeline,
    ...(ids.length > 0 && { ids: [...new Set(ids)] }),
    ...(code !== undefined && { code }),
    ...(stage !== undefined && { stage }),
    ...timeRange(range),
  };
}

/** A code that no letter has is a slip of the pen, not an empty selection. Throws `no_such_code`. */
export async function requireCode(pool: Pool, { pipeline, code }: Selection): Promise<void> {
  if (code === undefined) return;
  const found = await findCode(pool, pipeline, code);
  if (found.known) return;
  const near = nearest(code, found.codes);
  throw new VisionscaleError(
    `no dead letter has the code ${JSON.stringify(code)}${near === undefined ? '' : ` (did you mean ${near}?)`}`,
    {
      code: 'no_such_code',
      hint:
        found.codes.length === 0
          ? `Pipeline ${pipeline} has no dead letters at all.`
          : `The codes of the dead letters there are: ${found.codes.join(', ')}`,
    },
  );
}

/** Of what changes letters. */
export interface ChosenFlags extends SelectionFlags {
  all?: boolean;
  limit?: number;
}

/** As `letterSelection`, for what changes letters: throws UsageError where nothing was chosen. */
export function chosenLetters(
  pipeline: string,
  ids: readonly number[],
  flags: Omit<ChosenFlags, 'limit'>,
): Selection {
  const { code, stage, since, until } = flags;
  const some = ids.length > 0 || [code, stage, since, until].some((value) => value !== undefined);
  if (some && flags.all) throw new UsageError('--all and ids cannot be used together');
  if (!some && !flags.all) {
    throw new UsageError(
      'which dead letters? Name ids, or select with --code, --stage, --since or --until; --all means every open one',
    );
  }
  return letterSelection(pipeline, ids, flags);
}
