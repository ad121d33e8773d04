/** What `model add` does: checks a model, puts it into the store, and says what it found. */
import type { ModelOutput } from '../../lib/base/classification.ts';
import { counted } from '../../lib/base/report/table.ts';
import type { Preset } from '../../lib/models/format/published.ts';
import type { Interpolation } from '../../lib/models/images/resize.ts';
import { addModel } from '../../lib/models/store/add.ts';
import { entryLabel } from '../../lib/models/store/entry.ts';
import { openModelStore } from '../../lib/models/store/store.ts';
import type { Context } from '../shared/run.ts';

export interface AddModelFlags {
  name?: string;
  labels?: string;
  size?: number;
  crop?: number;
  resize?: number;
  mean?: [number, number, number];
  std?: [number, number, number];
  interpolation?: Interpolation;
  preset?: Preset;
  bgr?: boolean;
  output?: ModelOutput;
}

export default async function (context: Context, path: string, flags: AddModelFlags): Promise<void> {
  const store = openModelStore(context.config.models);
  const { entry, check, added, scaling, warnings } = await addModel(store, path, {
    ...flags,
    ...nameAndVersion(flags.name),
  });
  const { name, version, digest, manifest } = entry;
  const { resize, crop, mean, std, interpolation = 'bilinear', squash = false } = manifest!.preprocessing;
  const { output, outputReason } = manifest!;
  for (const warning of warnings) context.say(warning);
  context.print(
    {
      name,
      version,
      digest,
      path: entry.path,
      classes: check.classes,
      output,
      outputReason,
      added,
      warnings,
      preprocessing: manifest!.preprocessing,
    },
    () =>
      `added ${entryLabel(entry)}: ${counted(check.classes, 'class', 'classes')}, the outputs are ${output} (${outputReason})\n` +
      `images: ${squash ? 'both sides' : 'shorter side'} to ${resize} (${interpolation}), centre crop ${crop}, mean ${mean.join(' ')}, std ${std.join(' ')}\n` +
      (scaling === undefined ? '' : `values from 0 to 255: ${scaling}\n`) +
      (added.length === 0 ? '' : `added to the graph: ${added.join('; ')}\n`) +
      `Use it: visionscale model use ${entryLabel(entry)}`,
  );
}

function nameAndVersion(text: string | undefined): { name?: string; version?: string } {
  if (text === undefined) return {};
  const [name, ...version] = text.split('@');
  return { name: name!, ...(version.length > 0 && { version: version.join('@') }) };
}
