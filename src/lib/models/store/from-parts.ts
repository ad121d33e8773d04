/** A model from its manifest and weights, as they come from the database and the object store. */
import { createHash } from 'node:crypto';
import { inSharedMemory } from '../classifier/shared-memory.ts';
import { parseManifest } from '../format/manifest.ts';
import { invalidModel } from '../format/model-files.ts';
import type { LoadedModel } from '../format/model.ts';
import { outputOfGraph } from '../format/output-kind.ts';
import { parseOnnx } from '../onnx/onnx.ts';
import { checkFile } from '../onnx/scan.ts';

/** `manifest` must name everything, labels and digest included. Throws `model_invalid`, also for other weights than it names. */
export function modelFromParts(manifest: unknown, bytes: Uint8Array): LoadedModel {
  const parsed = parseManifest(JSON.stringify(manifest));
  const { name, version, labels, digest, preprocessing, engines } = parsed;
  if (name === undefined || version === undefined || labels === undefined || digest === undefined) {
    throw invalidModel('the published manifest lacks name, version, labels or digest', {
      hint: 'Publish the model again.',
    });
  }
  const found = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  if (found !== digest) {
    throw invalidModel(`the weights of ${name} in the object store have ${found}, not ${digest}`, {
      hint: 'They were damaged or exchanged: publish the model again.',
    });
  }
  // Shared, so that every worker thread reads the very bytes that were verified.
  const weights = inSharedMemory(bytes);
  checkFile(weights);
  const { output = outputOfGraph(parseOnnx(weights)).output } = parsed;
  const info = { name, version, digest, labels };
  return {
    info,
    weights,
    preprocessing,
    output,
    manifest: parsed,
    ...(engines !== undefined && { engines }),
  };
}
