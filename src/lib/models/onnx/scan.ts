/**
 * Reads through the bytes of an ONNX file before anything is made of them: how much there is, and that all of it is in this
 * one file. It sees every field that a runtime may take for a part of the model, also one that the file gives twice.
 */
import protobuf from 'protobufjs/light.js';
import { errorMessage, VisionscaleError } from '../../base/errors.ts';
import { modelType } from './descriptor.ts';
import { invalidOnnx } from './invalid.ts';

/** Fields and packed numbers together; the largest published classifiers have tens of thousands. */
const MAX_FIELDS = 500_000;
const VARINT = 0;
const LENGTH_DELIMITED = 2;

/** Numbers of fields as onnx.proto has them. */
const tensorExternalData = 13;
const tensorDataLocation = 14;
const nodeOpType = 4;

/**
 * Throws `model_invalid` for a file that would become more than `maxFields` values (two bytes can stand for an object of
 * hundreds), that is nested without end, or that refers to other files: in the graph, in the bodies of `If`, `Loop` and `Scan`,
 * in functions, in sparse tensors, in attributes, in what it keeps of its training.
 */
export function checkFile(bytes: Uint8Array, maxFields = MAX_FIELDS): void {
  if (Buffer.from(bytes.subarray(4, 8)).toString('latin1') === 'ORTM') {
    throw invalidOnnx('the file has ONNX Runtime’s own format (.ort), which is not read', {
      hint: 'Take the .onnx file that it was made from.',
    });
  }
  try {
    new Scan(bytes, maxFields).message(modelType, bytes.length, 0);
  } catch (cause) {
    if (cause instanceof VisionscaleError) throw cause;
    throw invalidOnnx(`the weights cannot be loaded: the file is not ONNX: ${errorMessage(cause)}`, {
      cause,
    });
  }
}

class Scan {
  readonly #reader: protobuf.Reader;
  readonly #bytes: Uint8Array;
  readonly #maxFields: number;
  #count = 0;

  constructor(bytes: Uint8Array, maxFields: number) {
    this.#reader = protobuf.Reader.create(bytes);
    this.#bytes = bytes;
    this.#maxFields = maxFields;
  }

  message(type: protobuf.Type, end: number, depth: number): void {
    if (depth > protobuf.util.recursionLimit) throw invalidOnnx('the file is nested too deeply');
    const reader = this.#reader;
    while (reader.pos < end) {
      const tag = reader.tag();
      const id = tag >>> 3;
      const field = type.fieldsById[id];
      this.#add(1);
      if (type.name === 'Tensor' && id === tensorDataLocation && (tag & 7) === VARINT) {
        if (reader.uint32() !== 0) throw external(undefined);
        continue;
      }
      if (field === undefined || (tag & 7) !== LENGTH_DELIMITED) {
        reader.skipType(tag & 7, depth, id);
        continue;
      }
      const length = reader.uint32();
      const next = reader.pos + length;
      if (next > end) throw invalidOnnx('the file is cut short or not ONNX');
      if (type.name === 'Tensor' && id === tensorExternalData)
        throw external(this.#location(reader.pos, next));
      if (type.name === 'Node' && id === nodeOpType && this.#text(reader.pos, next) === 'EPContext') {
        // A compiled network, which a provider of the runtime would fetch from a path.
        throw external('EPContext');
      }
      if (field.resolvedType instanceof protobuf.Type) this.message(field.resolvedType, next, depth + 1);
      else if (field.type !== 'bytes' && field.type !== 'string') this.#add(length); // packed numbers
      reader.pos = next;
    }
  }

  #add(fields: number): void {
    this.#count += fields;
    if (this.#count > this.#maxFields) {
      throw invalidOnnx(`the file has more than ${this.#maxFields} fields`);
    }
  }

  #text(start: number, end: number): string {
    return Buffer.from(this.#bytes.subarray(start, Math.min(end, start + 200))).toString('utf8');
  }

  /** Of a key and its value, where that is the location. */
  #location(start: number, end: number): string | undefined {
    const key = Buffer.from([10, 8, ...Buffer.from('location'), 18]);
    const found = key.equals(this.#bytes.subarray(start, start + key.length));
    return found ? this.#text(start + key.length + 1, end) : undefined;
  }
}

function external(where: string | undefined) {
  const named = where === undefined ? 'external data' : JSON.stringify(where);
  return invalidOnnx(`the model keeps its weights in another file (${named})`, {
    hint:
      'Save it as one file: onnx.save_model(model, "model.onnx", save_as_external_data=False),\n' +
      'or export it with torch.onnx.export(…, external_data=False).',
  });
}
