/** Stage `agreement`: how often `fast` finds the same top category as `exact`, and both as a golden file beside the images. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Score } from '../../../base/classification.ts';
import { engines } from '../../../models/classifier/engines/engines.ts';
import { rank } from '../../../models/classifier/rank.ts';
import { openPrepare, type PreprocessMode } from '../../../models/images/prepare.ts';
import type { StageFindings, Stage, StageInput } from '../stage.ts';

/** By file name, best first. */
const golden = z.record(
  z.string(),
  z.array(z.object({ category: z.string(), confidence: z.number() })).min(1),
);

const modes = ['exact', 'fast'] as const;

export const agreementStage: Stage = async (input) => {
  const { images, engine, model, signal } = input;
  await using session = await engines[engine].open(model.weights, { side: model.preprocessing.crop });
  const best = { exact: [] as Score[], fast: [] as Score[] };
  const prepares = modes.map((mode) => ({ mode, prepare: openPrepare({ ...prepareOptions(input), mode }) }));
  for (const { bytes } of images.all) {
    signal.throwIfAborted();
    for (const { mode, prepare } of prepares) {
      const { scores } = await session.run((await prepare(bytes)).input, 1);
      best[mode].push(rank(scores, model.info.labels, model.output, 1)[0]!);
    }
  }
  const findings: StageFindings = { agreementImages: images.all.length };
  compare('fast with exact', best.fast, best.exact);
  const reference = await readGolden(images.directory);
  if (reference === undefined) return { figures: [], findings };
  const known = images.all.map(({ name }) => reference[name]?.[0]);
  const notes: string[] = [];
  const missing = known.filter((score) => score === undefined).length;
  if (missing > 0) notes.push(`golden-top5.json does not know ${missing} of the images`);
  for (const mode of modes as readonly PreprocessMode[]) compare(`${mode} with golden`, best[mode], known);
  return { figures: [], findings, notes };

  /** Where both are known: the share of equal top categories, and how far the confidences lie apart. */
  function compare(name: string, ours: readonly Score[], theirs: readonly (Score | undefined)[]): void {
    let [pairs, same, apart] = [0, 0, 0];
    ours.forEach((score, i) => {
      const other = theirs[i];
      if (other === undefined) return;
      pairs++;
      if (other.category === score.category) same++;
      apart += Math.abs(other.confidence - score.confidence);
    });
    if (pairs === 0) return;
    findings[`top-1, ${name}`] = same / pairs;
    findings[`mean confidence difference in points, ${name}`] = apart / pairs;
  }
};

function prepareOptions({ model, limits, autoOrient }: StageInput) {
  return { preprocessing: model.preprocessing, limits, autoOrient };
}

async function readGolden(directory: string | undefined) {
  if (directory === undefined) return undefined;
  const text = await readFile(join(directory, 'golden-top5.json'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : golden.parse(JSON.parse(text));
}
