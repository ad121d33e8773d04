/**
 * The messages of onnx.proto that hold graphs and tensors, wherever they are nested, for protobufjs; other fields pass
 * through unread.
 */
import protobuf from 'protobufjs/light.js';

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

export const modelType: protobuf.Type = root.lookupType('Model');
