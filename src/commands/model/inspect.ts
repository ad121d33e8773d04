/** What `model show` and `verify` do: they load one model, and tell what it is and whether it works. */
import { VisionscaleError } from '../../lib/base/errors.ts';
import { printable } from '../../lib/base/printable.ts';
import { counted } from '../../lib/base/report/table.ts';
import { loadModel } from '../../lib/models/format/model.ts';
import { outputOfGraph } from '../../lib/models/format/output-kind.ts';
import { hasNovelty } from '../../lib/models/onnx/novelty.ts';
import { parseOnnx } from '../../lib/models/onnx/onnx.ts';
import { chosenEntry } from '../../lib/models/store/chosen.ts';
import { openModelStore } from '../../lib/models/store/store.ts';
import { verifyModel } from '../../lib/models/store/verify.ts';
import type { Context } from '../shared/run.ts';

export async function show(context: Context, reference: string | undefined): Promise<void> {
  const store = openModelStore(context.config.models);
  const entry = await chosenEntry(store, reference);
  if (entry.manifest === undefined) {
    throw new VisionscaleError(`${entry.path}: ${entry.fault ?? 'there is no manifest'}`, {
      code: 'model_invalid',
      hint: `Remove it: visionscale model remove ${entry.name}@${entry.version}`,
    });
  }
  const active = (await store.active().catch(() => undefined))?.path === entry.path;
  const { info, output, weights } = await loadModel(entry.path);
  const { path, bytes, bundled, manifest } = entry;
  const graph = parseOnnx(weights);
  const byGraph = outputOfGraph(graph);
  // Manifests of former versions do not say why.
  const said = `model.json says so; ${byGraph.reason}`;
  const outputReason = manifest.outputReason ?? (manifest.output === undefined ? byGraph.reason : said);
  const shown = {
    ...manifest,
    output,
    outputReason,
    tellsUnknown: hasNovelty(graph),
    labels: info.labels,
    bytes,
    path,
    bundled,
    active,
  };
  context.print(shown, () => {
    const labels = `${info.labels.length}: ${info.labels.slice(0, 3).join(', ')}${info.labels.length > 3 ? ', …' : ''}`;
    const lines = Object.entries({ ...shown, labels }).filter(([, value]) => value !== undefined);
    const width = Math.max(...lines.map(([key]) => key.length));
    return lines
      .map(
        ([key, value]) =>
          `${key.padEnd(width)}  ${printable(typeof value === 'string' ? value : JSON.stringify(value))}`,
      )
      .join('\n');
  });
}

/** One a line, in the order of the outputs. */
export async function labels(context: Context, reference: string | undefined): Promise<void> {
  const { path } = await chosenEntry(openModelStore(context.config.models), reference);
  const { info } = await loadModel(path);
  context.print(info.labels, () => info.labels.map(printable).join('\n'));
}

export async function verify(context: Context, reference: string | undefined): Promise<void> {
  const store = openModelStore(context.config.models);
  const { path } = await chosenEntry(store, reference);
  const verified = await verifyModel(await loadModel(path));
  const { name, version, digest, classes, engine, milliseconds } = verified;
  if (verified.warning !== undefined) context.say(verified.warning);
  context.print(
    { ok: true, ...verified },
    () =>
      `${name}@${version} is intact (${digest}): ${counted(classes, 'class', 'classes')}, outputs read as ${verified.output}\n` +
      `(engine ${engine}, one image in ${milliseconds.toFixed(1)} ms on one thread)`,
  );
}
