/** Where a name in a graph gets its value: from a node or a constant, here, around the branch, or where the function is called. */
import type { OnnxNode, OnnxTensor } from './graph.ts';
import { floatTensor, tensorToFloats } from './tensors.ts';

/** Where the values of a graph, of a function or of a branch come from. */
export interface GraphBody {
  producers: ReadonlyMap<string, { node: OnnxNode; index: number }>;
  constants: ReadonlyMap<string, OnnxTensor>;
  /** Of a function: which of its inputs has the name. */
  inputs: ReadonlyMap<string, number>;
}

/** A body where it is used. */
export interface GraphScope {
  body: GraphBody;
  /** What calls it, where it is a function. */
  call: OnnxNode | undefined;
  outer: GraphScope | undefined;
}

export function readGraphBody(
  nodes: readonly OnnxNode[],
  initializer: readonly OnnxTensor[],
  input: readonly string[],
): GraphBody {
  const producers = new Map<string, { node: OnnxNode; index: number }>();
  const constants = new Map(initializer.map((tensor) => [tensor.name ?? '', tensor]));
  for (const node of nodes) {
    for (const [index, name] of node.output.entries()) if (name !== '') producers.set(name, { node, index });
    if (node.opType !== 'Constant') continue;
    const [value] = node.attribute;
    const one = value?.name === 'value_float' ? value.f : undefined;
    const tensor = one === undefined ? value?.t : floatTensor('', [], Float32Array.of(one));
    if (tensor !== undefined) constants.set(node.output[0] ?? '', tensor);
  }
  return { producers, constants, inputs: new Map(input.map((name, i) => [name, i])) };
}

/** The node that makes `name`: here, where the function is called, or around the branch. */
export function source(name: string, scope: GraphScope): { node: OnnxNode; index: number; scope: GraphScope } | undefined {
  for (let [at, within]: [string, GraphScope | undefined] = [name, scope]; within !== undefined;) {
    const found = within.body.producers.get(at);
    if (found !== undefined) return { ...found, scope: within };
    at = outside(at, within);
    within = within.outer;
  }
  return undefined;
}

/** What a name is called where its function is called. */
function outside(name: string, { body, call }: GraphScope): string {
  const input = body.inputs.get(name);
  return input === undefined ? name : (call?.input[input] ?? '');
}

/** The one number that `name` stands for, where it is a constant. */
export function constant(name: string | undefined, scope: GraphScope): number | undefined {
  if (name === undefined || name === '') return undefined;
  for (let [at, within]: [string, GraphScope | undefined] = [name, scope]; within !== undefined;) {
    const tensor = within.body.constants.get(at);
    if (tensor !== undefined) {
      if (tensor.dims.some((dim) => dim !== 1)) return undefined;
      try {
        return tensorToFloats(tensor)[0];
      } catch {
        return undefined; // of integers, of strings
      }
    }
    at = outside(at, within);
    within = within.outer;
  }
  return undefined;
}

export function isOne(name: string | undefined, scope: GraphScope): boolean {
  return constant(name, scope) === 1;
}
