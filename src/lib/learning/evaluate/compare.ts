/** Two models on the same images: what each gets right alone, and whether the difference is more than chance. Pure. */
import type { JudgedImage, Judgement } from './judge.ts';
import { mcnemar } from './metrics.ts';

export interface PairedImage {
  first: JudgedImage;
  second: JudgedImage;
}

export interface Comparison {
  /** Images that both could read. */
  images: number;
  both: number;
  neither: number;
  onlyFirst: PairedImage[];
  onlySecond: PairedImage[];
  /** McNemar's exact test, two-sided. */
  p: number;
  /** What that means. */
  words: string;
}

/** Beyond this a difference is called chance. */
const significant = 0.05;

export function compareJudgements(first: Judgement, second: Judgement): Comparison {
  const others = new Map(second.answers.map((answer) => [answer.path, answer]));
  const result = {
    images: 0,
    both: 0,
    neither: 0,
    onlyFirst: [] as PairedImage[],
    onlySecond: [] as PairedImage[],
  };
  for (const answer of first.answers) {
    const other = others.get(answer.path);
    if (other === undefined) continue;
    const pair = { first: answer, second: other };
    result.images++;
    if (isRight(answer) && isRight(other)) result.both++;
    else if (isRight(answer)) result.onlyFirst.push(pair);
    else if (isRight(other)) result.onlySecond.push(pair);
    else result.neither++;
  }
  const p = mcnemar(result.onlyFirst.length, result.onlySecond.length);
  return {
    ...result,
    p,
    words: inWords(first, second, result.onlyFirst.length, result.onlySecond.length, p),
  };
}

function isRight({ truth, top }: JudgedImage): boolean {
  return top[0]?.label === truth;
}

function inWords(first: Judgement, second: Judgement, a: number, b: number, p: number): string {
  if (a + b === 0) return 'Both get exactly the same images right: on these images they are equally good.';
  const [one, other] = distinctNames(first, second);
  const alone = `${one} alone is right on ${a}, ${other} alone on ${b} images`;
  if (p >= significant) {
    return `No significant difference: ${alone}. Two equally good models would differ at least this much in ${often(p)}.`;
  }
  return `${a > b ? one : other} is better: ${alone}. Two equally good models would differ this much in only ${often(p)}.`;
}

function often(p: number): string {
  if (p < 0.0001) return 'fewer than 1 of 10,000 such tests';
  if (p < 0.01) return `about ${Math.max(1, Math.round(10_000 * p))} of 10,000 such tests`;
  return `about ${Math.round(100 * p)} of 100 such tests`;
}

/** With as much of their versions and digests as tells them apart. */
export function distinctNames(first: Judgement, second: Judgement): [string, string] {
  const [a, b] = [first.model, second.model];
  if (a.name !== b.name) return [a.name, b.name];
  if (a.version !== b.version) return [`${a.name}@${a.version}`, `${b.name}@${b.version}`];
  const short = (digest: string) => digest.slice(0, 'sha256:'.length + 8);
  return [`${a.name} ${short(a.digest)}`, `${b.name} ${short(b.digest)}`];
}
