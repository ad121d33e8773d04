/** What `bins try` does: sorts the latest prediction of an image, without recording anything. */
import { openDatabase } from '../../compose.ts';
import { VisionscaleError } from '../../lib/base/errors.ts';
import { printable } from '../../lib/base/printable.ts';
import { BinTable, decideBin } from '../../lib/systems/bins/decide.ts';
import { readRules } from '../../lib/systems/bins/rules-file.ts';
import type { BinRules } from '../../lib/systems/bins/rules.ts';
import type { Database } from '../../lib/systems/database/open.ts';
import { readBins } from '../../lib/systems/database/tables/bins.ts';
import { latestResults } from '../../lib/systems/database/tables/predictions.ts';
import type { Context } from '../shared/run.ts';

export interface TryFlags {
  key: string;
  file?: string;
}

interface Tried {
  rules: BinRules;
  /** Null: of a file. */
  version: number | null;
}

/** The deadline plays no part: an image that was late may be in time the next time. */
export default async function (context: Context, { key, file }: TryFlags): Promise<void> {
  const { pipeline } = context.config;
  const given: Tried | null = file === undefined ? null : { rules: readRules(file), version: null };
  await using database = await openDatabase(context);
  const [row] = await latestResults(database.pool, { pipeline, key, limit: 1 });
  if (row === undefined) {
    throw new VisionscaleError(`there is no prediction of ${JSON.stringify(key)} in pipeline ${pipeline}`, {
      code: 'no_prediction',
      hint: 'See the keys there are: visionscale results',
    });
  }
  const { rules, version } = given ?? (await inForce(database, pipeline));
  const table = new BinTable(rules);
  const { bin, reason } = decideBin(table, row.top);
  const rule = table.ruleOf(row.category);
  const document = {
    key,
    category: row.category,
    confidence: row.confidence,
    top: row.top,
    bin,
    reason,
    version,
  };
  context.print(
    { ...document, recorded: { bin: row.bin, reason: row.binReason, version: row.binVersion } },
    () => {
      const [, second] = row.top;
      const after =
        second === undefined ? '' : `, then ${second.category} (${second.confidence.toFixed(1)} %)`;
      const asked =
        rule === null
          ? 'no bin has this class'
          : `${rule.bin} asks for ${rule.confidence} %, ${rule.margin} points ahead`;
      return printable(
        `${row.category} (${row.confidence.toFixed(1)} %)${after}; ${asked}: ${bin}${reason === 'mapped' ? '' : ` (${reason})`}`,
      );
    },
  );
}

async function inForce({ pool }: Database, pipeline: string): Promise<Tried> {
  const active = await readBins(pool, pipeline);
  if (active === null) {
    throw new VisionscaleError(`pipeline ${pipeline} has no bins`, {
      code: 'no_bins',
      hint: 'Name rules with --file, or put some in force: visionscale bins use <file>',
    });
  }
  return active;
}
