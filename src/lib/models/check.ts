/** Checks that an ONNX file is an image classifier: its graph as it is written, then two inferences. */
import type { EngineName } from '../classifier/classifier.ts';
import type { Session } from '../classifier/engines/engine.ts';
import { engines } from '../classifier/engines/engines.ts';
import type { ModelOutput } from '../classifier/model.ts';
import { invalidModel } from '../classifier/model-files.ts';
import { VisionscaleError } from '../errors.ts';
import { parseOnnx } from '../onnx/onnx.ts';
import type { OnnxModel, OnnxTensor } from '../onnx/types.ts';

export interface InferenceCheck {
  engine: EngineName;
  /** Scores for one image. */
  classes: number;
  /** What the scores look like: rows within 0 and 1 that sum to 1 are probabilities. */
  output: ModelOutput;
  /** Whether all lie within 0 and 1, whatever they sum to. */
  withinUnit: boolean;
  /** Of the second inference; the first warms up. */
  milliseconds: number;
}

/** The side of the input where the graph fixes it, in pixels. Throws `model_invalid`, naming what does not fit. */
export function checkGraph(weights: Uint8Array): { side: number | undefined } {
  const model = parseOnnx(weights);
  refuseExternalData(model);
  const constants = new Set(model.graph.initializer.map(({ name }) => name));
  const inputs = model.graph.input.filter(({ name }) => !constants.has(name));
  const names = (values: { name?: string }[]) => values.map(({ name }) => name ?? '?').join(', ') || 'none';
  if (inputs.length !== 1 || model.graph.output.length !== 1) {
    throw invalidModel(
      `the model has ${inputs.length} inputs (${names(inputs)}) and ${model.graph.output.length} outputs ` +
        `(${names(model.graph.output)}); an image classifier has one of each`,
      { hint: 'Export the network with the image as its only input and the scores as its only output.' },
    );
  }
  const dims = inputs[0]!.type?.tensorType?.shape?.dim.map(({ dimValue }) => dimValue || undefined);
  if (dims === undefined) return { side: undefined };
  const [, channels, height, width] = dims;
  if (dims.length !== 4 || (channels ?? 3) !== 3 || (height ?? width) !== (width ?? height)) {
    throw invalidModel(
      `the model’s input ${names(inputs)} has the shape ${dims.map((d) => d ?? '?').join('×')}, not N×3×side×side`,
      { hint: 'Export it for RGB images in the order batch, channel, row, column, as wide as high.' },
    );
  }
  return { side: height ?? width };
}

function refuseExternalData({ graph }: OnnxModel): void {
  const constants = graph.node.flatMap(({ attribute }) =>
    attribute.flatMap(({ t, tensors }) => [t, ...tensors]),
  );
  const tensors = [...graph.initializer, ...constants].filter((tensor) => tensor !== undefined);
  const external = tensors.find(
    ({ externalData, dataLocation }) => externalData.length > 0 || dataLocation === 1,
  );
  if (external === undefined) return;
  throw invalidModel(`the model keeps its weights in another file (${locationOf(external)})`, {
    hint:
      'Save it as one file: onnx.save_model(model, "model.onnx", save_as_external_data=False),\n' +
      'or export it with torch.onnx.export(…, external_data=False).',
  });
}

function locationOf(tensor: OnnxTensor): string {
  const location = tensor.externalData.find(({ key }) => key === 'location')?.value;
  return location === undefined ? 'external data' : JSON.stringify(location.slice(0, 200));
}

/** The engines that run any ONNX model, fastest first. */
const checkers: readonly EngineName[] = ['onnx', 'wasm'];

/**
 * Runs the model on a black and on a random input of `side` × `side`, with the first engine that loads here. Throws a
 * VisionscaleError: `model_invalid`, `engine_unavailable`.
 */
export async function checkInference(weights: Uint8Array, side: number): Promise<InferenceCheck> {
  const { engine, session } = await openFirst(weights, side);
  await using opened = session;
  const first = await runOnce(() => opened.run(new Float32Array(3 * side * side), 1));
  const start = performance.now();
  const second = await runOnce(() => opened.run(noise(3 * side * side), 1));
  const milliseconds = performance.now() - start;
  if (first.length !== second.length || first.length < 2) {
    throw invalidModel(
      `the model answers with ${first.length} scores; a classifier has one for each of its classes`,
      {
        hint: 'Its output must be the scores of all classes: a row for each image.',
      },
    );
  }
  const output = [first, second].every(isProbabilities) ? 'probabilities' : 'logits';
  const withinUnit = [first, second].every(isWithinUnit);
  return { engine, classes: first.length, output, withinUnit, milliseconds };
}

async function openFirst(
  weights: Uint8Array,
  side: number,
): Promise<{ engine: EngineName; session: Session }> {
  let unavailable: unknown;
  for (const engine of checkers) {
    try {
      return {
        engine,
        session: await engines[engine].open(weights, { side }),
      };
    } catch (error) {
      if (!(error instanceof VisionscaleError) || error.code !== 'engine_unavailable') throw error;
      unavailable ??= error;
    }
  }
  throw unavailable;
}

async function runOnce(run: () => Promise<Float32Array>): Promise<Float32Array> {
  let scores: Float32Array;
  try {
    scores = await run();
  } catch (cause) {
    if (cause instanceof VisionscaleError) throw cause;
    throw invalidModel(`a test inference failed: ${cause instanceof Error ? cause.message : String(cause)}`, {
      hint: 'Does --size fit the network?',
      cause,
    });
  }
  if (scores.every(Number.isFinite)) return scores;
  throw invalidModel('the model answers a test inference with scores that are not numbers', {
    hint: 'Its weights are damaged, or it needs another input than normalised RGB.',
  });
}

function isProbabilities(scores: Float32Array): boolean {
  const sum = scores.reduce((total, score) => total + score, 0);
  return Math.abs(sum - 1) < 1e-3 && isWithinUnit(scores);
}

function isWithinUnit(scores: Float32Array): boolean {
  return scores.every((score) => score >= -1e-6 && score <= 1 + 1e-6);
}

/** About what normalised photographs hold, the same every time. */
function noise(length: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 4 - 2;
  });
}
