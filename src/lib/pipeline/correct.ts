/** The verb `correct`: a person says what images really are. */
import type { Pool } from 'pg';
import { VisionscaleError } from '../base/errors.ts';
import { labelFault } from '../base/files/class-folders.ts';
import { meant } from '../base/nearest.ts';
import {
  correctedLabels,
  type FormerCorrection,
  formerCorrections,
  latestCategories,
  saveCorrections,
  unknownImages,
} from '../systems/database/tables/corrections.ts';
import { quoteKey } from '../systems/objects/store.ts';

export interface CorrectOptions {
  pipeline: string;
  /** Who says so. */
  by: string;
  /** What the model can answer with; null where there is no model to ask. */
  labels: readonly string[] | null;
  /** Labels beyond these are allowed. */
  allowNew: boolean;
}

export interface CorrectedImage {
  imageKey: string;
  label: string;
  /** What it was predicted as, the last time. */
  predicted: string | null;
  changed: boolean;
  /** What the last person said; null: nobody did. */
  former: FormerCorrection | null;
}

/** All or none; each key once. Throws a VisionscaleError: `image_unknown`, `label_unknown`, `label_invalid`. */
export async function correctImages(
  pool: Pool,
  given: readonly { imageKey: string; label: string }[],
  options: CorrectOptions,
): Promise<CorrectedImage[]> {
  const { pipeline, by } = options;
  const known = await knownLabels(pool, options);
  const corrections = given.map(({ imageKey, label }) => ({ imageKey, label: asKnown(label, known) }));
  const labels = [...new Set(corrections.map(({ label }) => label))];
  for (const label of labels) checkLabelText(label);
  const keys = corrections.map(({ imageKey }) => imageKey);
  const [missing] = await unknownImages(pool, pipeline, keys);
  if (missing !== undefined) {
    throw new VisionscaleError(`the pipeline ${pipeline} has no image ${quoteKey(missing)}`, {
      code: 'image_unknown',
      hint: 'visionscale results shows the keys. For another pipeline: --pipeline <name>.',
    });
  }
  await refuseUnknown(pool, labels, options);
  const predicted = await latestCategories(pool, pipeline, keys);
  const former = await formerCorrections(pool, pipeline, keys);
  const changed = new Set(await saveCorrections(pool, pipeline, by, corrections));
  return corrections.map(({ imageKey, label }) => ({
    imageKey,
    label,
    predicted: predicted.get(imageKey) ?? null,
    changed: changed.has(imageKey),
    former: former.get(imageKey) ?? null,
  }));
}

export async function refuseUnknown(
  pool: Pool,
  labels: readonly string[],
  options: CorrectOptions,
): Promise<void> {
  for (const label of labels) checkLabelText(label);
  const known = await knownLabels(pool, options);
  const unknown = labels.filter((label) => !known.includes(label));
  if (options.allowNew) {
    for (const label of unknown) {
      const fault = labelFault(label);
      if (fault !== undefined) throw labelInvalid(label, fault);
    }
    return;
  }
  if (unknown.length === 0) return;
  const lower = known.map((label) => label.toLowerCase());
  const named = unknown.slice(0, 10).map((label) => {
    const near = meant(label.toLowerCase(), lower);
    return near === undefined ? label : `${label} (did you mean ${known[lower.indexOf(near)]}?)`;
  });
  const more = unknown.length > 10 ? ` and ${unknown.length - 10} more` : '';
  throw new VisionscaleError(
    options.labels === null
      ? `there is no model to check these labels against: ${named.join(', ')}${more}`
      : `not a label of the model: ${named.join(', ')}${more}`,
    { code: 'label_unknown', hint: 'Nothing was recorded. For a new class, add --new.' },
  );
}

export async function knownLabels(pool: Pool, { labels, pipeline }: CorrectOptions): Promise<string[]> {
  return [...(labels ?? []), ...(await correctedLabels(pool, pipeline))];
}

/** As it is known, in whatever Unicode form it was typed; what is new, in NFC. */
export function asKnown(label: string, known: readonly string[]): string {
  const one = label.normalize();
  return known.find((other) => other.normalize() === one) ?? one;
}

/** In characters. */
const longestLabel = 500;

/** What is known may begin or end as it likes; what is new must be fit to be a class (`labelFault`). */
function checkLabelText(label: string): void {
  if (label !== '' && label.length <= longestLabel && !/[\p{Cc}\p{Cs}]/u.test(label)) return;
  throw labelInvalid(label);
}

function labelInvalid(label: string, fault?: string): VisionscaleError {
  const why = fault === undefined ? '' : `: ${fault}`;
  return new VisionscaleError(`${quoteKey(label.slice(0, 80))} cannot be a label${why}`, {
    code: 'label_invalid',
    hint: `A label is 1 to ${longestLabel} characters of one line, without spaces at its ends.`,
  });
}
