/** Holds a new version against the former one on the same hold-out. It only tells: what is active is for people to choose. */
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

export interface VersionComparison {
  better: boolean;
  /** A sentence. */
  reason: string;
  /** The former version's share of right answers on this hold-out; undefined without a former version. */
  formerTop1?: number;
}

interface Candidate {
  name: string;
  digest: string;
  top1: number;
  /** Digest of the hold-out that gave `top1`. */
  heldOut: string;
}

/** `judgeFormer` measures the former version where its manifest does not say how it did on this very hold-out. */
export async function compareWithFormer(
  candidate: Candidate,
  former: ModelEntry | undefined,
  judgeFormer: (model: LoadedModel) => Promise<number>,
): Promise<VersionComparison> {
  if (former === undefined) return { better: true, reason: `It is the first version of ${candidate.name}.` };
  if (former.digest === candidate.digest)
    return { better: true, reason: `It is identical to ${entryLabel(former)}.` };
  const known = knownTop1(former, candidate.heldOut);
  const formerTop1 = known ?? (await judgeFormer(await loadModel(former.path)));
  // With another hold-out, some of these images were among those that it learned from.
  const perhaps =
    known === undefined && former.manifest?.training ? ', perhaps having learned from some' : '';
  const figures = `${percent(candidate.top1)} of the hold-out right, ${entryLabel(former)} ${percent(formerTop1)}${perhaps}`;
  const better = candidate.top1 > formerTop1;
  return { better, formerTop1, reason: `It is ${better ? '' : 'not '}better: ${figures}.` };
}

function knownTop1({ manifest }: ModelEntry, heldOut: string): number | undefined {
  return manifest?.training?.heldOut === heldOut ? manifest.metrics?.top1 : undefined;
}
