/** What a switch of a pipeline's model, or a belt's, changes: the model, its measured accuracy, its labels, and how the bins fit. */
import type { Pool } from 'pg';
import { VisionscaleError } from '../../base/errors.ts';
import { percent } from '../../base/report/table.ts';
import { faultLines, noteLines, some } from '../../systems/bins/check-lines.ts';
import { checkRules, hasFaults } from '../../systems/bins/check.ts';
import { readBins } from '../../systems/database/tables/bins.ts';
import { readPublishedNames } from '../../systems/database/tables/models.ts';
import { listModelSwitches, listSwitches } from '../../systems/database/tables/switches.ts';
import type { LoadedModel } from '../format/model.ts';
import { entryLabel } from './entry.ts';
import { type ModelInUse, readModelsInUse } from './pipeline-model.ts';

/** One side of a switch. */
export interface SwitchSide {
  name: string;
  version: string;
  digest: string;
  labels: readonly string[];
  /** Share of its hold-out that it got right; null where nobody measured. */
  top1: number | null;
}

export interface ModelChange {
  /** Null where nobody has chosen one. */
  before: SwitchSide | null;
  after: SwitchSide;
  labels: { gone: string[]; come: string[] };
  /** Null where the pipeline has no bins. */
  bins: HeldToBins | null;
}

export interface HeldToBins {
  version: number;
  /** One line each: rules that name what the model does not have. */
  faults: string[];
  notes: string[];
}

interface Switched {
  pipeline: string;
  /** The one that is switched; null: the pipeline, and with it every belt without a model of its own. */
  belt: string | null;
  /** Null: the belt takes the pipeline's model again. */
  after: SwitchSide | null;
  /** What consumers run where nobody has chosen for the pipeline; null where that is not known. */
  local: SwitchSide | null;
}

/** `pool` null: there is no pipeline, only this host. Throws `no_model` where the belt would be left without one. */
export async function modelChange(
  pool: Pool | null,
  { pipeline, belt, after: chosen, local }: Switched,
): Promise<ModelChange> {
  const all = pool === null ? [] : (await readModelsInUse(pool, pipeline)).map(chosenSide);
  const pipelines = all.find((one) => one.belt === null) ?? local;
  const before = all.find((one) => one.belt === belt) ?? pipelines;
  const after = chosen ?? pipelines;
  if (after === null) throw nothingToTake(pipeline);
  const belts = all.filter((one) => one.belt !== null && one.belt !== belt);
  const inUse = [after, ...(belt === null ? [] : [pipelines]), ...belts];
  const labels = [...new Set(inUse.flatMap((side) => side?.labels ?? []))];
  return {
    before,
    after,
    labels: changedLabels(before, after),
    bins: pool && (await heldToBins(pool, pipeline, labels)),
  };
}

export function chosenSide({
  belt,
  name,
  version,
  digest,
  manifest,
}: ModelInUse): SwitchSide & { belt: string | null } {
  const { labels = [], metrics } = manifest;
  return { belt, name, version, digest, labels, top1: metrics?.top1 ?? null };
}

export function loadedSide({ info, manifest }: LoadedModel): SwitchSide {
  return { ...info, top1: manifest?.metrics?.top1 ?? null };
}

function nothingToTake(pipeline: string): VisionscaleError {
  return new VisionscaleError(`pipeline ${pipeline} has no model that the belt could take`, {
    code: 'no_model',
    hint: 'Choose one first: visionscale model use <model> (all: visionscale model list)',
  });
}

function changedLabels(before: SwitchSide | null, after: SwitchSide): ModelChange['labels'] {
  const had = new Set(before?.labels ?? after.labels);
  const has = new Set(after.labels);
  return {
    gone: [...had].filter((label) => !has.has(label)),
    come: [...has].filter((label) => !had.has(label)),
  };
}

async function heldToBins(
  pool: Pool,
  pipeline: string,
  labels: readonly string[],
): Promise<HeldToBins | null> {
  const active = await readBins(pool, pipeline);
  if (active === null) return null;
  const checked = checkRules(active.rules, labels);
  const faults = hasFaults(checked) ? faultLines(checked) : [];
  return { version: active.version, faults, notes: noteLines(checked, active.rules.manual) };
}

/** Throws `bins_misfit` where rules in force name labels that would be missing. */
export function requireFit({ after, bins }: ModelChange): void {
  if (bins === null || bins.faults.length === 0) return;
  const lines = bins.faults.map((line) => `\n  ${line}`).join('');
  throw new VisionscaleError(`version ${bins.version} of the bins does not fit ${entryLabel(after)}:${lines}`, {
    code: 'bins_misfit',
    hint: 'Apply bins that fit first (visionscale bins use <file> --force), or switch anyway with --force.',
  });
}

/** Nothing where the model stays. */
export function changeLines({ before, after, labels: { gone, come } }: ModelChange): string[] {
  if (before === null || before.digest === after.digest) return [];
  const accuracy = ({ top1 }: SwitchSide) => (top1 === null ? 'not measured' : percent(top1));
  return [
    `model     ${entryLabel(before)} -> ${entryLabel(after)}`,
    `accuracy  ${accuracy(before)} -> ${accuracy(after)}, each on its own test images`,
    gone.length + come.length === 0
      ? `labels    the same ${after.labels.length}`
      : `labels    ${before.labels.length} -> ${after.labels.length}`,
    ...(gone.length === 0 ? [] : [`  removed ${gone.length}: ${some(gone)}`]),
    ...(come.length === 0 ? [] : [`  added   ${come.length}: ${some(come)}`]),
  ];
}

export interface ModelSwitch {
  at: Date;
  /** Null: the pipeline's. */
  belt: string | null;
  /** `name@version`, or the digest of a model that is not published any more; null, of a belt: the pipeline's model. */
  former: string | null;
  current: string | null;
  account: string;
  host: string;
}

/** The latest switches first, of the pipeline and its belts, or of one belt. */
export async function modelSwitches(
  pool: Pool,
  pipeline: string,
  which: { limit: number; belt: string | null },
): Promise<ModelSwitch[]> {
  const rows = await listModelSwitches(pool, pipeline, which);
  const digests = rows.flatMap(({ former, current }) => [former, current]).filter((one) => one !== null);
  const published = await readPublishedNames(pool, [...new Set(digests)]);
  const names = new Map(published.map(({ digest, name, version }) => [digest, `${name}@${version}`]));
  const named = (digest: string | null) => digest && (names.get(digest) ?? digest.slice(0, 19));
  return rows.map(({ at, belt, former, current, account, host }) => ({
    at,
    belt,
    former: named(former),
    current: named(current),
    account,
    host,
  }));
}

/** Of the model before the latest switch; null, of a belt: it took the pipeline's. Throws `no_former`. */
export async function formerDigest(
  pool: Pool,
  pipeline: string,
  belt: string | null,
): Promise<string | null> {
  const [latest] =
    belt === null
      ? await listSwitches(pool, pipeline, 'model', 1)
      : await listModelSwitches(pool, pipeline, { belt, limit: 1 });
  const digest = latest?.former ?? null;
  if (latest === undefined || (belt === null && digest === null)) {
    const whose = belt === null ? `pipeline ${pipeline}` : `belt ${belt} of pipeline ${pipeline}`;
    throw new VisionscaleError(`${whose} has no previous model`, {
      code: 'no_former',
      hint: 'Choose one: visionscale model use <model> (all: visionscale model list)',
    });
  }
  return digest;
}
