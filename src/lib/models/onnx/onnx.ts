/** Reads and writes ONNX files. Nothing in them is executed. */
import protobuf from 'protobufjs/light.js';
import { errorMessage, VisionscaleError } from '../../base/errors.ts';
import { toMessage, toPlain } from './convert.ts';
import { modelType } from './descriptor.ts';
import { invalidOnnx } from './invalid.ts';
import { checkFile } from './scan.ts';
import type { OnnxModel } from './types.ts';

export type * from './types.ts';

const MAX_BYTES = 512 * 2 ** 20;

/**
 * The model in `bytes`; its tensors' data lies in one copy of them. Throws a VisionscaleError `model_invalid` for anything
 * that is not a model with a graph, or is larger than `maxBytes`.
 */
export function parseOnnx(bytes: Uint8Array, maxBytes = MAX_BYTES): OnnxModel {
  if (bytes.length > maxBytes) {
    const size = (length: number) => `${(length / 2 ** 20).toFixed(1)} MiB`;
    throw invalidOnnx(`the model has ${size(bytes.length)}; the limit is ${size(maxBytes)}`);
  }
  const plain = decode(Uint8Array.from(bytes)) as unknown as OnnxModel;
  if ((plain.graph as unknown) === undefined) throw invalidOnnx('the file holds no ONNX graph');
  return plain;
}

export function serializeOnnx(model: OnnxModel): Uint8Array {
  return modelType.encode(toMessage(modelType, model)).finish();
}

function decode(bytes: Uint8Array): Record<string, unknown> {
  try {
    checkFile(bytes);
    const reader = protobuf.Reader.create(bytes);
    reader.discardUnknown = false;
    return toPlain(modelType, modelType.decode(reader));
  } catch (cause) {
    if (cause instanceof VisionscaleError) throw cause;
    throw invalidOnnx(`the file is not ONNX: ${errorMessage(cause)}`, { cause });
  }
}
