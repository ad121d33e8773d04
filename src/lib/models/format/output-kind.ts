/** How a model's scores are read: by what its graph ends in, held against what it answers. */
import type { ModelOutput } from '../../base/classification.ts';
import { graphEnd, type GraphEnd } from '../onnx/graph-end.ts';
import type { OnnxModel } from '../onnx/graph.ts';
import { invalidModel } from './model-files.ts';

export interface OutputKind {
  output: ModelOutput;
  /** Why, as a sentence's end: "the graph ends in Softmax". */
  reason: string;
  /** What a person should know before using it. */
  warning?: string;
  /** The scores are logits of classes that are independent of each other: the graph is to be given the sigmoid it lacks. */
  lacksSigmoid?: true;
}

/** What the model makes of one test image. */
export interface TrialAnswer {
  /** How many. */
  scores: number;
  /** All of them are numbers. */
  finite: boolean;
  min: number;
  max: number;
  sum: number;
  /** The input was no image: only whether the scores stay within bounds counts. */
  stress: boolean;
}

/** Rounding of half precision, and of what sums a thousand of them. */
const tolerance = 2e-3;

/** By the graph alone, for a model that nobody has said anything of. */
export function outputOfGraph(model: OnnxModel): OutputKind {
  const end = graphEnd(model);
  const outputs = { shares: 'probabilities', independent: 'sigmoid' } as const;
  const output = end.kind === 'shares' || end.kind === 'independent' ? outputs[end.kind] : 'logits';
  return { output: output === 'probabilities' && end.parts ? 'sigmoid' : output, reason: endsIn(end) };
}

/**
 * `said` is what a person or model.json has said. Throws `model_invalid` where the outputs are not what was said, or nothing
 * that can be read without being told.
 */
export function decideOutput(
  model: OnnxModel,
  answers: readonly TrialAnswer[],
  said: { output: ModelOutput; by: string } | undefined,
): OutputKind {
  const end = graphEnd(model);
  const seen = looksLike(answers, end);
  if (said !== undefined) return confirm(said, end, seen);
  const reason = endsIn(end);
  const tests = `${answers.length} test inferences`;
  switch (end.kind) {
    case 'shares':
      if (seen.oneByOne) throw wrongAxis(end, answers);
      if (seen.sums) return { output: 'probabilities', reason };
      if (seen.within && end.parts) {
        const most = Math.max(...answers.map(({ sum }) => sum));
        if (most <= 1 + tolerance) return { output: 'probabilities', reason };
        return {
          output: 'sigmoid',
          reason: `${reason}, but over parts: the scores sum to up to ${round(most)}`,
        };
      }
      throw wrongAxis(end, answers);
    case 'independent':
      if (seen.shares) {
        return { output: 'probabilities', reason: `${reason}, and in ${tests} they summed to 1` };
      }
      if (seen.within) return { output: 'sigmoid', reason };
      return { output: 'logits', reason: `${reason}, but in ${tests} some lay outside of 0 to 1` };
    case 'log-shares':
      return { output: 'logits', reason: `${reason}: a softmax gives back its shares` };
    case 'open':
    case 'unknown':
    case 'indices':
      if (seen.shares) {
        return { output: 'probabilities', reason: `in all ${tests} they were shares of 1` };
      }
      if (end.kind === 'unknown' && seen.bounded) {
        return { output: 'sigmoid', reason: `in all ${tests} they lay within 0 and 1` };
      }
      return {
        output: 'logits',
        reason,
        ...(seen.bounded && {
          warning:
            `in all ${tests} the scores lay within 0 and 1, though the graph bounds nothing.\n` +
            'If they are independent confidences, add it with --output sigmoid.',
        }),
      };
  }
}

interface Looks {
  within: boolean;
  /** Within 0 and 1, and every row sums to 1. */
  sums: boolean;
  /** And they are not all the same. */
  shares: boolean;
  /** Within 0 and 1 whatever the input is, and not all the same. */
  bounded: boolean;
  /** A softmax over an axis of one. */
  oneByOne: boolean;
}

function looksLike(all: readonly TrialAnswer[], end: GraphEnd): Looks {
  const isWithin = ({ finite, min, max }: TrialAnswer) => finite && min >= -tolerance && max <= 1 + tolerance;
  const answers = all.filter(({ stress }) => !stress);
  const [first] = answers;
  const within = answers.every(isWithin);
  const varies = answers.some(({ max, min }) => max !== first?.max || min !== first.min);
  // Each share was rounded by up to half a step.
  const rounding = end.kind === 'shares' ? (end.step / 2) * (first?.scores ?? 0) : 0;
  const sums = within && answers.every(({ sum }) => Math.abs(sum - 1) <= tolerance + rounding);
  return {
    within,
    sums,
    shares: sums && varies,
    bounded: varies && all.every(isWithin),
    oneByOne: within && answers.every(({ min }) => min >= 1 - tolerance),
  };
}

function confirm(said: { output: ModelOutput; by: string }, end: GraphEnd, seen: Looks): OutputKind {
  const { output, by } = said;
  if (output === 'probabilities' && !seen.within) {
    throw invalidModel(
      'the outputs are declared as probabilities, but a test inference gave some outside of 0 to 1',
      { hint: 'They are logits: use --output logits, or leave it out.' },
    );
  }
  const reason = `${by} says so`;
  if (output === 'sigmoid') {
    if (end.kind === 'independent' || (end.kind !== 'open' && seen.bounded)) return { output, reason };
    if (end.kind === 'shares' && seen.within) return { output, reason };
    return { output, reason: `${reason}: a sigmoid was added to the graph`, lacksSigmoid: true };
  }
  const inGraph = end.kind === 'shares' || end.kind === 'independent';
  if (output === 'logits' && inGraph) {
    return { output, reason, warning: `${endsIn(end)}: a softmax is put on what are shares already` };
  }
  return { output, reason };
}

function endsIn({ kind, op }: GraphEnd): string {
  if (op === '') return 'the graph hands its input on';
  return kind === 'unknown' ? `the graph ends in ${op}, which may be anything` : `the graph ends in ${op}`;
}

/** Throws `model_invalid` for what answers with classes instead of scores. */
export function refuseIndices({ kind, op }: GraphEnd): void {
  if (kind !== 'indices') return;
  throw invalidModel(
    `the model answers with numbers or lists of classes (${op}), not with the scores of all`,
    {
      hint: `Export the network without its ${op}, so that its only output is a row of scores for each image.`,
    },
  );
}

function wrongAxis({ op }: GraphEnd, answers: readonly TrialAnswer[]) {
  const [first] = answers;
  return invalidModel(
    `the graph ends in ${op}, but not over the classes: the scores of an image sum to ${round(first?.sum ?? 0)}`,
    {
      hint: 'Export it with its softmax over the axis of the classes, or without any. Where the scores are independent of each other, say --output sigmoid.',
    },
  );
}

function round(value: number): string {
  return String(Number(value.toPrecision(3)));
}
