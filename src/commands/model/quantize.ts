/** What `model quantize` does: makes the int8 version of a model, installs it, and says how it compares with its parent. */
import { counted, percent } from '../../lib/base/report/table.ts';
import { loadModel } from '../../lib/models/format/model.ts';
import { quantize, type Quantized, type QuantizeEvent } from '../../lib/models/quantize/quantize.ts';
import { entryLabel, type ModelEntry } from '../../lib/models/store/entry.ts';
import { openModelStore, type NewManifest } from '../../lib/models/store/store.ts';
import { rejectedLine } from '../shared/lines.ts';
import type { Context } from '../shared/run.ts';
import { StageBars } from '../shared/stage-bars.ts';

export interface QuantizeFlags {
  images: string;
  limit?: number;
  name?: string;
  /** Share of 1. */
  minAgreement: number;
  labelled?: string;
  reduceRange?: boolean;
}

export default async function (context: Context, reference: string, flags: QuantizeFlags): Promise<number> {
  const { config, say, signal } = context;
  const store = openModelStore(config.models);
  await store.prepare(0);
  const parent = await loadModel((await store.resolve(reference)).path);
  const { name: parentName, version: parentVersion, digest, labels } = parent.info;
  using bars = new StageBars(context);
  let made: Quantized;
  try {
    const { limits, autoOrient } = config;
    const report = (event: QuantizeEvent) => {
      if (event.type === 'image') bars.advance(1);
      else bars.begin(stages[event.type], 'images', event.images);
    };
    made = await quantize(parent, { ...flags, limits, autoOrient }, report, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    bars.end();
    say('interrupted; nothing was installed');
    return 1;
  }
  bars.end();
  const [name, version] = (flags.name ?? `${parentName}-int8`).split('@', 2) as [string, string?];
  const manifest: NewManifest = {
    name,
    ...(version !== undefined && { version }),
    preprocessing: parent.preprocessing,
    output: parent.output,
    outputReason: parent.manifest?.outputReason ?? `its parent’s are ${parent.output}`,
    parent: digest,
    source: `quantized from ${parentName}@${parentVersion}`,
    engines: ['onnx', 'wasm'],
    metrics: metricsOf(made, flags.minAgreement),
  };
  const entry = await store.install({ manifest, weights: made.weights, labels });
  for (const rejection of made.rejected) say(rejectedLine(rejection));
  const { weights, rejected, ...measured } = made;
  const document = {
    name: entry.name,
    version: entry.version,
    digest: entry.digest,
    path: entry.path,
    bytes: weights.length,
    parent: digest,
    minAgreement: flags.minAgreement,
    eligible: isEligible(made, flags),
    speedRatio: speedRatio(made),
    ...measured,
    rejected: rejected.length,
  };
  context.print(document, () => summary(entry, parent.weights.length, made, flags));
  return 0;
}

function metricsOf(made: Quantized, minAgreement: number): NonNullable<NewManifest['metrics']> {
  const { comparison, labelled, calibrated, reduceRange } = made;
  return {
    agreement: comparison.agreement,
    minAgreement,
    comparedImages: comparison.images,
    calibrationImages: calibrated,
    speedRatio: speedRatio(made),
    reduceRange,
    ...(labelled?.labelled && {
      top1: labelled.labelled.quantized,
      labelledImages: labelled.labelled.images,
    }),
  };
}

function speedRatio({ milliseconds }: Quantized): number {
  return milliseconds.parent / milliseconds.quantized;
}

function isEligible({ comparison }: Quantized, { minAgreement }: QuantizeFlags): boolean {
  return comparison.agreement >= minAgreement;
}

function summary(entry: ModelEntry, parentBytes: number, made: Quantized, flags: QuantizeFlags): string {
  const { comparison, milliseconds, labelled, calibrated, reduceRange, weights } = made;
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  const label = entryLabel(entry);
  const lines = [
    `installed ${label}: int8, calibrated on ${counted(calibrated, 'image')}${reduceRange ? ', weights of 7 bits' : ''}`,
    `agreement  ${percent(comparison.agreement)} the same category as its parent on ${comparison.images} other images`,
    `speed      ${speedRatio(made).toFixed(2)} times its parent's: ${milliseconds.quantized.toFixed(1)} ms instead of ` +
      `${milliseconds.parent.toFixed(1)} ms an image on one thread`,
    `size       ${megabytes(weights.length)} MB instead of ${megabytes(parentBytes)} MB`,
  ];
  if (labelled?.labelled) {
    const { images, parent, quantized } = labelled.labelled;
    lines.push(
      `accuracy   ${percent(quantized)} of ${images} labelled images, its parent ${percent(parent)}`,
    );
    if (images < 500)
      lines.push('           (fewer than 500 labelled images: a difference of a few percent may be chance)');
  } else {
    lines.push('accuracy   not measured: agreement does not say which one is right; give --labelled <dir>');
  }
  lines.push(
    isEligible(made, flags)
      ? `Use it: visionscale model use ${label}`
      : `It cannot become the active model: its agreement is below ${percent(flags.minAgreement)} (--min-agreement).`,
  );
  return lines.join('\n');
}

const stages = { calibrating: 'calibrate', comparing: 'compare', judging: 'judge' } as const;
