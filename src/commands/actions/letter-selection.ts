/** What the flags of `dead-letters` select. */
import { UsageError } from '../../lib/base/errors.ts';
import type { Selection } from '../../lib/systems/database/tables/dead-letters.ts';
import { parseSince } from '../../lib/systems/message/values.ts';

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
  { code, stage, since, until }: SelectionFlags,
): Selection {
  const now = new Date();
  return {
    pipeline,
    ...(ids.length > 0 && { ids: [...new Set(ids)] }),
    ...(code !== undefined && { code }),
    ...(stage !== undefined && { stage }),
    ...(since !== undefined && { since: parseSince(since, now) }),
    ...(until !== undefined && { until: parseSince(until, now, '--until') }),
  };
}

/** As `letterSelection`, for what changes letters: throws UsageError where nothing was chosen. */
export function chosenLetters(
  pipeline: string,
  ids: readonly number[],
  flags: SelectionFlags & { all?: boolean },
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
