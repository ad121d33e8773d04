/** Which of the compared models to take, in one sentence. Pure. */
import { type Compared, type ComparedModel, top1 } from './comparison.ts';
import { leastGroups } from './grouped.ts';
import { images, list } from './report/counts.ts';

export interface Recommendation {
  /** Undefined where nothing can be told. */
  model: ComparedModel | undefined;
  /** `equal`: no difference can be seen, not even in the time of an image. */
  because: 'better' | 'faster' | 'right more often' | 'equal' | 'too early';
  words: string;
}

/** Times that differ by less are called the same: on a machine that does other work too, those of one network do. */
const sameTime = 0.1;

/**
 * The best, where it is better than each of the others beyond chance; else the fastest of those that it cannot be told from.
 * Where some of these take the same time, the one that was right more often.
 */
export function recommend(comparison: Compared): Recommendation {
  const { models, best, groups } = comparison;
  const others = models.filter((model) => model !== best);
  if (others.some(({ behind }) => !behind)) {
    const words =
      `Too early to say: ${groups.count} of the at least ${leastGroups} groups of similar pictures that are needed. ` +
      'Photograph other objects, on other occasions.';
    return { model: undefined, because: 'too early', words };
  }
  const equal = models.filter((model) => model === best || model.behind!.low <= 0);
  if (equal.length === 1) return { model: best, because: 'better', words: better(best, others) };
  const least = Math.min(...equal.map(({ ms }) => ms));
  const fast = equal
    .filter(({ ms }) => ms <= (1 + sameTime) * least)
    .sort((a, b) => top1(b) - top1(a) || (a === best ? -1 : 1));
  const [model] = fast as [ComparedModel, ...ComparedModel[]];
  const names = (of: readonly ComparedModel[]) => list(of.map(({ name }) => name));
  const between = models.length > 2 ? ` between ${names(equal)}` : '';
  const cost = model.behind ? ` (${best.name} may be up to ${points(model.behind.high)} points better)` : '';
  const none = `No difference${between} can be seen with ${images(comparison.images)} in ${groups.count} groups${cost}`;
  if (fast.length === 1) {
    const which = equal.length > 2 ? 'the fastest of them' : 'the faster one';
    return { model, because: 'faster', words: `${none}: take ${model.name}, ${which}.` };
  }
  const because = top1(model) > top1(fast[1]!) ? 'right more often' : 'equal';
  const take = because === 'equal' ? 'take any of these' : `take ${model.name}, which was right more often`;
  return { model, because, words: `${none}, and ${names(fast)} take the same time: ${take}.` };
}

function better(best: ComparedModel, others: readonly ComparedModel[]): string {
  const next = others.reduce((most, model) => (top1(model) > top1(most) ? model : most));
  const { mean, low, high } = next.behind!;
  const ratio = best.ms / next.ms;
  const time = Math.abs(ratio - 1) < sameTime ? 'in the same time' : `at ${ratio.toFixed(1)} times the time`;
  const which = others.length > 1 ? `, the next best` : '';
  return (
    `Take ${best.name}: ${points(mean)} points (${points(low)} to ${points(high)}) better than ` +
    `${next.name}${which}, ${time}.`
  );
}

/** Of a hundred, from a share of one. */
export function points(share: number): string {
  return (100 * share).toFixed(1);
}
