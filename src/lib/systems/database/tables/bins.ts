/** The tables bin_versions and active_bins: every set of rules a pipeline has had, and the one in force, kept ready. */
import type { Pool, PoolClient } from 'pg';
import { z } from 'zod';
import { VisionscaleError } from '../../../base/errors.ts';
import { BinTable } from '../../bins/decide.ts';
import { type BinRules, rulesDigest } from '../../bins/rules.ts';
import { underLock } from '../lock-holder.ts';
import { recordSwitch } from './switches.ts';

export interface BinVersionRow {
  version: number;
  active: boolean;
  /** Name of the file the rules came from. */
  source: string;
  digest: string;
  createdAt: Date;
}

export interface BinVersion extends BinVersionRow {
  rules: BinRules;
}

export interface BinsUsed {
  version: number;
  /** These rules had not been used before. */
  created: boolean;
  /** What was in force before; null: nothing. */
  former: number | null;
}

export interface UseBinsOptions {
  /** The version that has to be in force now; null: none. Absent: whichever is. */
  instead?: number | null;
  /** Who does it. */
  account?: string | undefined;
}

/**
 * Puts rules in force for every consumer of the pipeline. The same rules are the same version. Throws `bins_changed` where
 * another version is in force than is to be replaced.
 */
export async function useBins(
  pool: Pool,
  pipeline: string,
  rules: BinRules,
  source: string,
  { instead, account }: UseBinsOptions = {},
): Promise<BinsUsed> {
  const digest = rulesDigest(rules);
  // Versions are numbered without gaps, so one at a time.
  return underLock(pool, `bins ${pipeline}`, async (client) => {
    const before = await client.query<{ version: number }>(
      'select version from active_bins where pipeline = $1',
      [pipeline],
    );
    const former = before.rows[0]?.version ?? null;
    if (instead !== undefined && former !== instead) throw binsChanged(former);
    const known = await client.query<{ version: number }>(
      'select version from bin_versions where pipeline = $1 and digest = $2',
      [pipeline, digest],
    );
    const created = known.rows.length === 0;
    const { rows } = created
      ? await client.query<{ version: number }>(
          `insert into bin_versions (pipeline, version, rules, source, digest)
           select $1, coalesce(max(version), 0) + 1, $2, $3, $4 from bin_versions where pipeline = $1
           returning version`,
          [pipeline, JSON.stringify(rulesToStore(rules)), source, digest],
        )
      : known;
    const { version } = rows[0]!;
    if (former !== version) {
      await client.query(
        `insert into active_bins (pipeline, version) values ($1, $2)
         on conflict (pipeline) do update set version = excluded.version, changed_at = clock_timestamp()`,
        [pipeline, version],
      );
      const text = { former: former === null ? null : `${former}`, current: `${version}` };
      await recordSwitch(client, pipeline, 'bins', text, account);
    }
    return { version, created, former };
  });
}

function binsChanged(version: number | null): VisionscaleError {
  const now = version === null ? 'no bins are' : `version ${version} of the bins is`;
  return new VisionscaleError(`${now} in force by now`, {
    code: 'bins_changed',
    hint: 'Somebody has changed them meanwhile: look at what is in force, and change that.',
  });
}

/** Latest first. */
export async function listBinVersions(pool: Pool, pipeline: string): Promise<BinVersionRow[]> {
  const { rows } = await pool.query<BinVersionRow>(
    `select version, a.version is not null as active, source, digest, created_at as "createdAt"
     from bin_versions left join active_bins a using (pipeline, version)
     where pipeline = $1 order by version desc`,
    [pipeline],
  );
  return rows;
}

/** The version in force unless another is named; null where there is none. */
export async function readBins(pool: Pool, pipeline: string, version?: number): Promise<BinVersion | null> {
  const { rows } = await pool.query<BinVersion>(
    `select version, a.version is not null as active, source, digest, created_at as "createdAt", rules
     from bin_versions left join active_bins a using (pipeline, version)
     where pipeline = $1 and (version = $2 or $2::int is null and a.version is not null)`,
    [pipeline, version ?? null],
  );
  const [row] = rows;
  return row === undefined ? null : { ...row, rules: storedRules(row.rules, row.version) };
}

/** What is in force, without its rules; null: nothing. */
export async function readActiveBins(
  pool: Pool,
  pipeline: string,
): Promise<{ version: number; source: string } | null> {
  const { rows } = await pool.query<{ version: number; source: string }>(
    `select version, source from active_bins join bin_versions using (pipeline, version) where pipeline = $1`,
    [pipeline],
  );
  return rows[0] ?? null;
}

/** Of a version that exists. */
export async function readBinRules(client: PoolClient, pipeline: string, version: number): Promise<BinRules> {
  const { rows } = await client.query<{ rules: unknown }>(
    'select rules from bin_versions where pipeline = $1 and version = $2',
    [pipeline, version],
  );
  return storedRules(rows[0]?.rules, version);
}

const sorted = z.array(
  z.strictObject({
    bin: z.string(),
    classes: z.array(z.string()),
    confidence: z.number(),
    margin: z.number(),
  }),
);
const plainShape = z.strictObject({ manual: z.string(), bins: sorted });
const unknownShape = z.strictObject({ manual: z.string(), unknown: z.string(), binsOfKnown: sorted });
const shape = z.union([
  plainShape.transform((rules): BinRules => ({ ...rules, unknown: rules.manual })),
  unknownShape.transform(({ binsOfKnown, ...rules }): BinRules => ({ ...rules, bins: binsOfKnown })),
]);

/** Versions that know of no unknown objects pass over keys that they do not know: they must find no `bins` to sort by. */
export function rulesToStore({
  manual,
  unknown,
  bins,
}: BinRules): z.input<typeof plainShape> | z.input<typeof unknownShape> {
  return unknown === manual ? { manual, bins } : { manual, unknown, binsOfKnown: bins };
}

/** Throws `bins_unreadable`, which waiting mends: a newer visionscale has written them, and this host is about to follow. */
export function storedRules(value: unknown, version: number): BinRules {
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new VisionscaleError(`version ${version} of the bins cannot be read by this visionscale`, {
    code: 'bins_unreadable',
    retryable: true,
    hint: 'Update visionscale on this host, or put other rules in force: visionscale bins use <file>',
    cause: parsed.error,
  });
}

/** The rules in force, kept ready by their version: the recording transaction asks for the number alone. */
export interface VersionedBins {
  version: number;
  table: BinTable;
}

/** One for a process and pipeline. */
export class ActiveBins {
  readonly #pipeline: string;
  readonly #onChange: (version: number | null) => void;
  #current: VersionedBins | null = null;

  /** `onChange` hears of each other version that is taken up; null: there are none any more. */
  constructor(pipeline: string, onChange: (version: number | null) => void = () => undefined) {
    this.#pipeline = pipeline;
    this.#onChange = onChange;
  }

  /** Reads the rules where this is another version than before; a version never changes. */
  async of(client: PoolClient, version: number | null): Promise<VersionedBins | null> {
    const before = this.#current;
    if (version === (before?.version ?? null)) return before;
    const current =
      version === null
        ? null
        : { version, table: new BinTable(await readBinRules(client, this.#pipeline, version)) };
    // Partitions record side by side: one of them has told it already.
    if (this.#current === before) this.#onChange(version);
    this.#current = current;
    return current;
  }
}
