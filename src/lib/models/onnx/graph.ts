/**
 * An ONNX file as plain objects, named after onnx.proto. Repeated fields are arrays, never absent (but for what hardly
 * any file has); a field that the file
 * leaves out is undefined. Fields that are not described here (later additions, what no reader needs) are kept as they are in
 * `unknownFields` and written back unchanged.
 */
import { VisionscaleError } from '../../base/errors.ts';

interface Preserved {
  /** Whole fields (tag and value) in protobuf's wire format that this description does not name. */
  unknownFields?: Uint8Array[];
}

export interface OnnxModel extends Preserved {
  irVersion?: number;
  opsetImport: OnnxOperatorSet[];
  producerName?: string;
  producerVersion?: string;
  domain?: string;
  modelVersion?: number;
  docString?: string;
  graph: OnnxGraph;
  metadataProps: OnnxEntry[];
  trainingInfo?: OnnxTrainingInfo[];
  /** Operators that the file itself defines. */
  functions?: OnnxFunction[];
}

export interface OnnxTrainingInfo extends Preserved {
  initialization?: OnnxGraph;
  algorithm?: OnnxGraph;
}

export interface OnnxFunction extends Preserved {
  /** With `domain` and `overload` what a node names as its operator. */
  name?: string;
  domain?: string;
  overload?: string;
  input: string[];
  output: string[];
  node: OnnxNode[];
  attributeProto: OnnxAttribute[];
}

export interface OnnxOperatorSet extends Preserved {
  /** '' (or absent) is ONNX's own. */
  domain?: string;
  version?: number;
}

export interface OnnxEntry extends Preserved {
  key?: string;
  value?: string;
}

export interface OnnxGraph extends Preserved {
  /** In an order in which they can be executed. */
  node: OnnxNode[];
  name?: string;
  /** The constants: weights, biases, shapes. */
  initializer: OnnxTensor[];
  docString?: string;
  input: OnnxValueInfo[];
  output: OnnxValueInfo[];
  valueInfo: OnnxValueInfo[];
  sparseInitializer?: OnnxSparseTensor[];
  metadataProps: OnnxEntry[];
}

export interface OnnxNode extends Preserved {
  /** Names of tensors; '' stands for an optional one that is left out. */
  input: string[];
  output: string[];
  name?: string;
  opType?: string;
  domain?: string;
  overload?: string;
  attribute: OnnxAttribute[];
  docString?: string;
  metadataProps: OnnxEntry[];
}

export interface OnnxAttribute extends Preserved {
  name?: string;
  /** One of `attributeType`: which of the fields below holds the value. */
  type?: number;
  f?: number;
  /** Integers are exact: "to the end" of a Slice is the greatest int64. */
  i?: bigint;
  s?: Uint8Array;
  t?: OnnxTensor;
  g?: OnnxGraph;
  floats: number[];
  ints: bigint[];
  strings: Uint8Array[];
  tensors: OnnxTensor[];
  graphs: OnnxGraph[];
  docString?: string;
  refAttrName?: string;
  sparseTensor?: OnnxSparseTensor;
  sparseTensors?: OnnxSparseTensor[];
}

export interface OnnxSparseTensor extends Preserved {
  values?: OnnxTensor;
  indices?: OnnxTensor;
  dims: number[];
}

export const attributeType = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
} as const;

export interface OnnxTensor extends Preserved {
  dims: number[];
  /** One of `tensorType`, or another number of TensorProto.DataType. */
  dataType?: number;
  name?: string;
  docString?: string;
  /** Little-endian elements. */
  rawData?: Uint8Array;
  /** Instead of rawData: packed fields as the file has them, float32 little-endian and varints. */
  floatData: Uint8Array[];
  int32Data: Uint8Array[];
  /** Where the elements lie in another file; not read. */
  externalData: OnnxEntry[];
  dataLocation?: number;
}

export const tensorType = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, float16: 10 } as const;

export interface OnnxValueInfo extends Preserved {
  name?: string;
  type?: OnnxType;
  docString?: string;
}

export interface OnnxType extends Preserved {
  /** Absent for sequences, maps and so on. */
  tensorType?: OnnxTensorType;
  denotation?: string;
}

export interface OnnxTensorType extends Preserved {
  elemType?: number;
  /** Absent: of unknown rank. */
  shape?: OnnxShape;
}

export interface OnnxShape extends Preserved {
  dim: OnnxDimension[];
}

export interface OnnxDimension extends Preserved {
  dimValue?: number;
  /** The name of a dynamic size. */
  dimParam?: string;
  denotation?: string;
}

/** A VisionscaleError `model_invalid`. */
export function invalidOnnx(message: string, details: { hint?: string; cause?: unknown } = {}) {
  const hint = 'Was the file downloaded completely, and is it an ONNX model?';
  return new VisionscaleError(message, { code: 'model_invalid', hint, ...details });
}

/** The second output of a graph that tells how unlike training an image is: float32, one value an image. */
export const noveltyOutput = 'visionscale.novelty';

/** The version of the standard operators; 0 where the file does not say. */
export function opsetOf({ opsetImport }: OnnxModel): number {
  return opsetImport.find(({ domain = '' }) => domain === '' || domain === 'ai.onnx')?.version ?? 0;
}

// Nodes and their attributes, made and read.

/** Attribute values: a number is an integer, an array a list of integers. */
export type Attributes = Record<string, number | readonly number[]>;

export function makeNode(
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attributes: Attributes = {},
  name = output[0] ?? '',
): OnnxNode {
  const attribute = Object.entries(attributes).map(([key, value]) => makeAttribute(key, value));
  return { input: [...input], output: [...output], name, opType, attribute, metadataProps: [] };
}

function makeAttribute(name: string, value: number | readonly number[]): OnnxAttribute {
  const empty = { floats: [], ints: [], strings: [], tensors: [], graphs: [] };
  if (typeof value === 'number') return { name, type: attributeType.int, ...empty, i: BigInt(value) };
  return { name, type: attributeType.ints, ...empty, ints: value.map(BigInt) };
}

/** A graph's float32 input or output; a size given by name is dynamic. */
export function floatValue(name: string, sizes: readonly (number | string)[]): OnnxValueInfo {
  const dim = sizes.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType: tensorType.float32, shape: { dim } } } };
}

/** The integer attribute `name`, or `otherwise` where the node has none. */
export function intAttribute(node: OnnxNode, name: string, otherwise: number): number {
  const i = node.attribute.find((attribute) => attribute.name === name)?.i;
  return i === undefined ? otherwise : Number(i);
}

export function intsAttribute(node: OnnxNode, name: string, otherwise: readonly number[]): readonly number[] {
  const attribute = node.attribute.find((candidate) => candidate.name === name);
  return attribute === undefined ? otherwise : attribute.ints.map(Number);
}
