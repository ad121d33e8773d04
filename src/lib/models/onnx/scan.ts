/**
 * Reads through the bytes of an ONNX file before anything is made of them: how much there is, and that all of it is in this
 * one file. It sees every field that a runtime may take for a part of the model, also one that the file gives twice.
 */
import protobuf from 'protobufjs/light.js';
import { errorMessage, VisionscaleError } from '../../base/errors.ts';
import { invalidOnnx } from './graph.ts';

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
  scan(bytes, maxFields, true);
}

/** Whether tensors lie in other files, in a file that is otherwise as `checkFile` wants it. Throws as that does. */
export function keepsDataElsewhere(bytes: Uint8Array): boolean {
  return scan(bytes, MAX_FIELDS, false);
}

function scan(bytes: Uint8Array, maxFields: number, refusesOthers: boolean): boolean {
  if (Buffer.from(bytes.subarray(4, 8)).toString('latin1') === 'ORTM') {
    throw invalidOnnx('the file has ONNX Runtime’s own format (.ort), which is not read', {
      hint: 'Take the .onnx file that it was made from.',
    });
  }
  try {
    const through = new Scan(bytes, maxFields, refusesOthers);
    through.message(modelType, bytes.length, 0);
    return through.seesOthers;
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
  readonly #refusesOthers: boolean;
  #count = 0;
  seesOthers = false;

  constructor(bytes: Uint8Array, maxFields: number, refusesOthers: boolean) {
    this.#refusesOthers = refusesOthers;
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
        if (reader.uint32() !== 0) this.#other(undefined);
        continue;
      }
      if (field === undefined || (tag & 7) !== LENGTH_DELIMITED) {
        reader.skipType(tag & 7, depth, id);
        continue;
      }
      const length = reader.uint32();
      const next = reader.pos + length;
      if (next > end) throw invalidOnnx('the file is cut short or not ONNX');
      if (type.name === 'Tensor' && id === tensorExternalData) this.#other(this.#location(reader.pos, next));
      if (type.name === 'Node' && id === nodeOpType && this.#text(reader.pos, next) === 'EPContext') {
        // A compiled network, which a provider of the runtime would fetch from a path.
        throw external('EPContext');
      }
      if (field.resolvedType instanceof protobuf.Type) this.message(field.resolvedType, next, depth + 1);
      else if (field.type !== 'bytes' && field.type !== 'string') this.#add(length); // packed numbers
      reader.pos = next;
    }
  }

  #other(location: string | undefined): void {
    if (this.#refusesOthers) throw external(location);
    this.seesOthers = true;
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
      'Add it with visionscale model add, which reads that file beside the model, or save it as one file:\n' +
      'onnx.save_model(model, "model.onnx", save_as_external_data=False), torch.onnx.export(…, external_data=False).',
  });
}

type Fields = Record<string, protobuf.IField>;

const one = (type: string, id: number): protobuf.IField => ({ type, id });
const many = (type: string, id: number): protobuf.IField => ({ rule: 'repeated', type, id });
/** Absent where there are none: what hardly any file has. */
const rare = (type: string, id: number): protobuf.IField => ({ ...many(type, id), options: { rare: true } });
/** int64 as bigint; elsewhere (sizes, versions) as a number, checked to be exact. */
const wide = (field: protobuf.IField): protobuf.IField => ({ ...field, options: { wide: true } });

const messages: Record<string, Fields> = {
  Model: {
    irVersion: one('int64', 1),
    producerName: one('string', 2),
    producerVersion: one('string', 3),
    domain: one('string', 4),
    modelVersion: one('int64', 5),
    docString: one('string', 6),
    graph: one('Graph', 7),
    opsetImport: many('OperatorSet', 8),
    metadataProps: many('Entry', 14),
    trainingInfo: rare('TrainingInfo', 20),
    functions: rare('Function', 25),
  },
  TrainingInfo: { initialization: one('Graph', 1), algorithm: one('Graph', 2) },
  Function: {
    name: one('string', 1),
    input: many('string', 4),
    output: many('string', 5),
    node: many('Node', 7),
    domain: one('string', 10),
    attributeProto: many('Attribute', 11),
    overload: one('string', 13),
  },
  OperatorSet: { domain: one('string', 1), version: one('int64', 2) },
  Entry: { key: one('string', 1), value: one('string', 2) },
  Graph: {
    node: many('Node', 1),
    name: one('string', 2),
    initializer: many('Tensor', 5),
    docString: one('string', 10),
    input: many('ValueInfo', 11),
    output: many('ValueInfo', 12),
    valueInfo: many('ValueInfo', 13),
    sparseInitializer: rare('SparseTensor', 15),
    metadataProps: many('Entry', 16),
  },
  Node: {
    input: many('string', 1),
    output: many('string', 2),
    name: one('string', 3),
    opType: one('string', 4),
    attribute: many('Attribute', 5),
    docString: one('string', 6),
    domain: one('string', 7),
    overload: one('string', 8),
    metadataProps: many('Entry', 9),
  },
  Attribute: {
    name: one('string', 1),
    f: one('float', 2),
    i: wide(one('int64', 3)),
    s: one('bytes', 4),
    t: one('Tensor', 5),
    g: one('Graph', 6),
    floats: many('float', 7),
    ints: wide(many('int64', 8)),
    strings: many('bytes', 9),
    tensors: many('Tensor', 10),
    graphs: many('Graph', 11),
    docString: one('string', 13),
    type: one('int32', 20),
    refAttrName: one('string', 21),
    sparseTensor: one('SparseTensor', 22),
    sparseTensors: rare('SparseTensor', 23),
  },
  SparseTensor: { values: one('Tensor', 1), indices: one('Tensor', 2), dims: many('int64', 3) },
  Tensor: {
    dims: many('int64', 1),
    dataType: one('int32', 2),
    // Packed numbers, taken as the bytes they are: an array of a million numbers costs a multiple of their size.
    floatData: many('bytes', 4),
    int32Data: many('bytes', 5),
    name: one('string', 8),
    rawData: one('bytes', 9),
    docString: one('string', 12),
    externalData: many('Entry', 13),
    dataLocation: one('int32', 14),
  },
  ValueInfo: { name: one('string', 1), type: one('Type', 2), docString: one('string', 3) },
  Type: { tensorType: one('TensorType', 1), denotation: one('string', 6) },
  TensorType: { elemType: one('int32', 1), shape: one('Shape', 2) },
  Shape: { dim: many('Dimension', 1) },
  Dimension: { dimValue: one('int64', 1), dimParam: one('string', 2), denotation: one('string', 3) },
};

// proto2 as onnx.proto itself: a zero or an empty string that the file states is kept apart from an absent one.
const root = protobuf.Root.fromJSON({
  nested: Object.fromEntries(
    Object.entries(messages).map(([name, fields]) => [name, { edition: 'proto2', fields }]),
  ),
});

root.resolveAll();

/**
 * The messages of onnx.proto that hold graphs and tensors, wherever they are nested, for protobufjs; other fields pass
 * through unread.
 */
export const modelType: protobuf.Type = root.lookupType('Model');
