/** Checks that an ONNX file is an image classifier: its graph as it is written, then what it answers. */
import type { EngineName } from '../classifier/classifier.ts';
import { tryModel } from '../classifier/trial.ts';
import { invalidModel } from '../format/model-files.ts';
import { refuseIndices, type TrialAnswer } from '../format/output-kind.ts';
import { graphEnd } from '../onnx/graph-end.ts';
import { noveltyOutput, type OnnxModel } from '../onnx/graph.ts';
import { floats, imageInput, type ImageInput, imageInputs } from '../onnx/one-form.ts';
import { parseOnnx } from '../onnx/onnx.ts';

export interface InferenceCheck {
  engine: EngineName;
  /** Scores for one image. */
  classes: number;
  answers: readonly TrialAnswer[];
  /** Of the second inference; the first warms up. */
  milliseconds: number;
}

/** The graph and the image that it takes. Throws `model_invalid`, naming what does not fit. */
export function checkGraph(weights: Uint8Array): { model: OnnxModel; input: ImageInput } {
  const model = parseOnnx(weights);
  const inputs = imageInputs(model);
  const names = (values: { name?: string }[]) => values.map(({ name }) => name ?? '?').join(', ') || 'none';
  const [scores, ...others] = model.graph.output;
  if (inputs.length !== 1 || scores === undefined || others.some(({ name }) => name !== noveltyOutput)) {
    throw invalidModel(
      `the model has ${inputs.length} inputs (${names(inputs)}) and ${model.graph.output.length} outputs ` +
        `(${names(model.graph.output)}); an image classifier has one of each`,
      { hint: only(model.graph.output.map(({ name }) => name ?? '')) },
    );
  }
  refuseIndices(graphEnd(model));
  const type = model.graph.output[0]!.type?.tensorType?.elemType;
  if (type !== undefined && type !== 0 && !floats.has(type)) {
    throw invalidModel(`the model’s output ${names(model.graph.output)} is not floating-point (ONNX type ${type})`, {
      hint: 'Its output must be the scores of all classes, as float32.',
    });
  }
  return { model, input: imageInput(model) };
}

function only(outputs: readonly string[]): string {
  const scores = outputs.find((name) => /prob|score|logit/i.test(name)) ?? outputs[0];
  const keep = JSON.stringify([scores ?? 'scores']);
  return (
    'Export the network with the image as its only input and the scores as its only output, or cut it out:\n' +
    `onnx.utils.extract_model("model.onnx", "one.onnx", ["<image input>"], ${keep})`
  );
}

/** The engines that run any ONNX model, fastest first. */
const checkers: readonly EngineName[] = ['onnx', 'wasm'];

/**
 * Runs the model on test inputs of `side` × `side`, with the first engine that loads here, in a process of its own.
 * Throws a VisionscaleError: `model_invalid`, `engine_unavailable`.
 */
export async function checkInference(weights: Uint8Array, side: number): Promise<InferenceCheck> {
  const { engine, answers, milliseconds } = await tryModel({
    weights,
    engines: checkers,
    side,
    inputs: 'all',
  });
  const counts = new Set(answers.map(({ scores }) => scores));
  const [classes = 0] = counts;
  if (counts.size !== 1 || classes < 2) {
    throw invalidModel(`the model answers with ${classes} scores; a classifier has one for each of its classes`, {
      hint: 'Its output must be the scores of all classes: a row for each image.',
    });
  }
  if (answers.some(({ finite, stress }) => !finite && !stress)) {
    throw invalidModel('the model answers a test inference with scores that are not numbers', {
      hint: 'Its weights are damaged, or it needs another input than normalised RGB.',
    });
  }
  return { engine, classes, answers, milliseconds };
}
