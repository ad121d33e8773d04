/** The checkpoint rule: a new version becomes active only if it is better than the former on the same hold-out. */
import { percent } from '../../base/report/table.ts';
import { loadModel, type LoadedModel } from '../../models/format/model.ts';
import { entryLabel, type ModelEntry } from '../../models/store/entry.ts';
import type { ModelStore } from '../../models/store/store.ts';

/** The versions of this name that were there before; the active one of them, else the newest. */
export async function formerVersion(store: ModelStore, name: string): Promise<ModelEntry | undefined> {
  const own = (await store.list()).filter(
    (entry) => entry.name === name && !entry.bundled && entry.fault === undefined,
  );
  const active = await store.active().catch(() => undefined);
  return own.find(({ version }) => active?.name === name && active.version === version) ?? own[0];
}

export interface Decision {
  active: boolean;
  /** A sentence. */
  reason: string;
  /** The former version's share of right answers on this hold-out; undefined without a former version. */
  formerTop1?: number;
}

export interface PromotionCandidate {
  entry: ModelEntry;
  top1: number;
  /** Digest of the hold-out that gave `top1`. */
  heldOut: string;
}

/** `judgeFormer` measures the former version where its manifest does not say how it did on this very hold-out. */
export async function decide(
  candidate: PromotionCandidate,
  former: ModelEntry | undefined,
  force: boolean,
  judgeFormer: (model: LoadedModel) => Promise<number>,
): Promise<Decision> {
  const { entry } = candidate;
  if (former === undefined) return { active: true, reason: `It is the first version of ${entry.name}.` };
  if (former.digest === entry.digest)
    return { active: true, reason: `It is ${entryLabel(former)} again, bit for bit.` };
  const formerTop1 =
    knownTop1(former, candidate.heldOut) ?? (await judgeFormer(await loadModel(former.path)));
  const figures = `${percent(candidate.top1)} of the hold-out right, ${entryLabel(former)} ${percent(formerTop1)}`;
  if (candidate.top1 > formerTop1) return { active: true, formerTop1, reason: `It is better: ${figures}.` };
  if (force)
    return { active: true, formerTop1, reason: `It is not better (${figures}), but --force was given.` };
  return { active: false, formerTop1, reason: `It is not better: ${figures}.` };
}

function knownTop1({ manifest }: ModelEntry, heldOut: string): number | undefined {
  return manifest?.training?.heldOut === heldOut ? manifest.metrics?.top1 : undefined;
}
