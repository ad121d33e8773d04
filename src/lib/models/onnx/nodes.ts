/** Nodes and their attributes, made and read. */
import { attributeType, type OnnxAttribute, type OnnxNode, type OnnxValueInfo, tensorType } from './types.ts';

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
