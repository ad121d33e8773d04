/**
 * The one form in which engines run a classifier, whoever exported it: images come as float32, RGB, in the order batch, channel,
 * row, column, and scores go as float32. What a network wants otherwise becomes operators before and behind its own.
 */
import { type GraphBody, readGraphBody } from './graph-scope.ts';
import {
  floatValue,
  intsAttribute,
  invalidOnnx,
  makeNode,
  opsetOf,
  type OnnxDimension,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValueInfo,
  tensorType,
} from './graph.ts';
import { floatTensor, rawTensor, tensorToFloats } from './tensors.ts';

/** What a network takes, as its graph says it. */
export interface ImageInput {
  name: string;
  /** In pixels; undefined where the graph takes any. */
  side: number | undefined;
  /** Batch, row, column, channel, as TensorFlow has it. */
  channelsLast: boolean;
  /** Of TensorProto.DataType. */
  type: number;
  /** Why it takes values from 0 to 255, as a sentence's end; undefined where nothing in the graph says so. */
  pixels: string | undefined;
}

export interface OneForm {
  model: OnnxModel;
  /** What was changed in the graph, in words; empty where it had the form already. */
  added: string[];
}

/** Throws `model_invalid`, naming what is no square RGB image. */
export function imageInput(model: OnnxModel): ImageInput {
  const { graph } = model;
  const { name = '', type } = imageInputs(model)[0]!;
  const elements = type?.tensorType?.elemType ?? 0;
  const dims = type?.tensorType?.shape?.dim.map(({ dimValue = 0 }) => (dimValue > 0 ? dimValue : undefined));
  const shown = dims?.map((dim) => dim ?? '?').join('×');
  const wrong = (what: string, hint: string) => invalidOnnx(`the model’s input ${name} ${what}`, { hint });
  if (elements !== 0 && !floats.has(elements) && elements !== tensorType.uint8) {
    throw wrong(`is ${typeNames[elements] ?? `of ONNX type ${elements}`}, not float32, float16 or uint8`, typeHint);
  }
  const body = readGraphBody(graph.node, graph.initializer, []);
  const first = firstOperators(name, graph.node);
  const shape = { name, type: elements || tensorType.float32, pixels: pixels(elements, first, body) };
  if (dims === undefined) return { ...shape, side: undefined, channelsLast: false };
  if (dims.length !== 4) throw wrong(`has the shape ${shown}, not N×3×side×side`, shapeHint);
  const [batch, ...rest] = dims as [number | undefined, ...(number | undefined)[]];
  const turned = first.some((node) => node.opType === 'Transpose' && isToChannelsFirst(node));
  const channelsLast = rest[0] !== 3 && (rest[2] === 3 || (rest[2] === undefined && rest[0] === undefined && turned));
  const [channels, height, width] = channelsLast ? [rest[2], rest[0], rest[1]] : rest;
  // A side this small is the number of channels.
  if ((channels ?? 3) !== 3 || Math.min(height ?? leastSide, width ?? leastSide) < leastSide) {
    throw wrong(`has the shape ${shown}, not N×3×side×side or N×side×side×3`, shapeHint);
  }
  if ((height ?? width) !== (width ?? height)) throw wrong(`has the shape ${shown}: it is not as wide as high`, shapeHint);
  if (batch !== undefined && batch !== 1) {
    throw wrong(`has the shape ${shown}: it takes ${batch} images at a time`, 'Export it for one image, or for any number of them.');
  }
  return { ...shape, side: height ?? width, channelsLast };
}

/** `blueFirst`: the network wants blue, green, red. */
export function oneForm(given: OnnxModel, input: ImageInput, blueFirst = false): OneForm {
  const free = withFreeSizes(given, input);
  const idle = withoutIdleInputs(free.model, input);
  const behind = scoresAsFloats(idle.model);
  const before = imageAsWanted(input, blueFirst, opsetOf(given) < 8);
  const added = [...before.added, ...behind.added, ...idle.added, ...free.added];
  if (before.nodes.length === 0) return { model: behind.model, added };
  const { graph } = behind.model;
  const at = graph.input.findIndex(({ name }) => name === input.name);
  const batch = graph.input[at]!.type?.tensorType?.shape?.dim[0];
  const side = input.side ?? 'side';
  const image = floatValue(names.image, [sizeOf(batch), 3, side, side]);
  return {
    model: {
      ...behind.model,
      graph: {
        ...graph,
        node: [...before.nodes, ...graph.node],
        initializer: [...graph.initializer, ...before.constants],
        input: graph.input.with(at, image),
      },
    },
    added,
  };
}

/** Some exporters write 0 or -1 for a size that is free, which runtimes take for a size. */
function withFreeSizes(model: OnnxModel, { name }: ImageInput): OneForm {
  const { graph } = model;
  const at = graph.input.findIndex((one) => one.name === name);
  const { type, ...input } = graph.input[at]!;
  const dim = type?.tensorType?.shape?.dim ?? [];
  if (type === undefined || dim.every(({ dimValue = 1 }) => dimValue > 0))
    return { model, added: [] };
  const free = dim.map((one, i) => ((one.dimValue ?? 1) > 0 ? one : { dimParam: `size${i}` }));
  const tensor = { ...type, tensorType: { ...type.tensorType!, shape: { dim: free } } };
  const changed = { ...model, graph: { ...graph, input: graph.input.with(at, { ...input, type: tensor }) } };
  return { model: changed, added: ['the free sizes of its input are named'] };
}

function withoutIdleInputs(model: OnnxModel, { name }: ImageInput): OneForm {
  const { graph } = model;
  const constants = new Set(graph.initializer.map((tensor) => tensor.name));
  const input = graph.input.filter((one) => one.name === name || constants.has(one.name));
  if (input.length === graph.input.length) return { model, added: [] };
  return { model: { ...model, graph: { ...graph, input } }, added: ['inputs that nothing takes are left out'] };
}

/** The inputs that are no weights (old files name those too), and that something takes: Keras leaves others behind. */
export function imageInputs({ graph }: OnnxModel): OnnxValueInfo[] {
  const constants = new Set(graph.initializer.map(({ name }) => name));
  const taken = new Set(graph.node.flatMap(takenBy));
  const inputs = graph.input.filter(({ name }) => !constants.has(name));
  return inputs.length === 1 ? inputs : inputs.filter(({ name = '' }) => taken.has(name));
}

/** By the branches of a node, too. */
function takenBy({ input, attribute }: OnnxNode): string[] {
  const inner = attribute.flatMap(({ g, graphs }) => [...(g === undefined ? [] : [g]), ...graphs]);
  return [...input, ...inner.flatMap(({ node }) => node.flatMap(takenBy))];
}

/** float32, float16, float64, bfloat16; the runtime says what it makes of them. */
export const floats = new Set([1, 10, 11, 16]);

const typeNames: Partial<Record<number, string>> = {
  ...{ 2: 'uint8', 3: 'int8', 4: 'uint16', 5: 'int16', 6: 'int32', 7: 'int64', 8: 'string', 9: 'bool' },
  ...{ 10: 'float16', 11: 'float64', 12: 'uint32', 13: 'uint64', 16: 'bfloat16' },
};

const leastSide = 8;
const shapeHint = 'Export it for RGB images, as wide as high: N×3×side×side, or N×side×side×3.';
const typeHint = 'Export it with an image input of float32, or of uint8 for pixels from 0 to 255.';

const own = 'visionscale.input.';
const names = { image: `${own}image`, reversed: `${own}reversed`, order: `${own}order` };

function imageAsWanted({ name, type, channelsLast }: ImageInput, blueFirst: boolean, isOld: boolean) {
  const nodes: OnnxNode[] = [];
  const constants: OnnxTensor[] = [];
  const added: string[] = [];
  const step = (opType: string, more: OnnxTensor[], attributes: Record<string, number | number[]> = {}) => {
    const from = nodes.at(-1)?.output[0] ?? names.image;
    constants.push(...more);
    const made = `${own}${nodes.length}`;
    nodes.push(makeNode(opType, [from, ...more.map((tensor) => tensor.name!)], [made], attributes));
  };
  const scalar = (what: string, value: number) => floatTensor(`${own}${what}`, [], Float32Array.of(value));
  if (blueFirst) {
    step('Gather', [rawTensor(names.order, [3], tensorType.int32, Int32Array.of(2, 1, 0))], { axis: 1 });
    added.push('red and blue change places');
  }
  if (type === tensorType.uint8) {
    if (isOld) throw invalidOnnx('the model’s input is uint8, and it was exported for an opset before 8', { hint: typeHint });
    // What is converted must lie within the type; the rest of the conversion cuts fractions off.
    step('Max', [scalar('least', 0)]);
    step('Min', [scalar('most', 255)]);
    step('Add', [scalar('half', 0.5)]);
  }
  if (type !== tensorType.float32) {
    step('Cast', [], { to: type });
    added.push(`images become ${typeNames[type]}`);
  }
  if (channelsLast) {
    step('Transpose', [], { perm: [0, 2, 3, 1] });
    added.push('channels come last');
  }
  const last = nodes.at(-1);
  if (last !== undefined) last.output = [name];
  return { nodes, constants, added };
}

function scoresAsFloats(model: OnnxModel): OneForm {
  const { graph } = model;
  const [scores, ...others] = graph.output;
  const type = scores?.type?.tensorType?.elemType ?? 0;
  if (!floats.has(type) || type === tensorType.float32) return { model, added: [] };
  const name = `${scores!.name ?? ''}.float32`;
  const node = makeNode('Cast', [scores!.name ?? ''], [name], { to: tensorType.float32 });
  const output = { ...scores, name, type: { ...scores!.type, tensorType: { ...scores!.type!.tensorType, elemType: 1 } } };
  return {
    model: { ...model, graph: { ...graph, node: [...graph.node, node], output: [output, ...others] } },
    added: [`scores become float32 (from ${typeNames[type]})`],
  };
}

/** What is done to the images first, up to where the graph branches. */
function firstOperators(input: string, nodes: readonly OnnxNode[]): OnnxNode[] {
  const found: OnnxNode[] = [];
  for (let name = input; found.length < mostFirst;) {
    const users = nodes.filter((node) => node.input.includes(name));
    if (users.length !== 1) break;
    found.push(users[0]!);
    name = users[0]!.output[0] ?? '';
  }
  return found;
}

const mostFirst = 6;
const passing = new Set('Transpose,Cast,Identity,Reshape'.split(','));

/** Scaling by far less than 1, or a mean far above it, makes no sense of values that are normalised already. */
function pixels(type: number, first: readonly OnnxNode[], body: GraphBody): string | undefined {
  if (type === tensorType.uint8) return 'the network takes uint8';
  const node = first.find(({ opType = '' }) => !passing.has(opType));
  const op = node?.opType ?? '';
  const values = node?.input.map((name) => smallConstant(name, body)).find((one) => one !== undefined);
  if (values === undefined) return undefined;
  const all = (test: (value: number) => boolean) => values.every((value) => test(Math.abs(value)));
  const scales =
    (op === 'Mul' && all((v) => v > 0 && v < 0.03)) ||
    (op === 'Div' && all((v) => v > 30)) ||
    ((op === 'Sub' || op === 'Add') && all((v) => v > 30));
  return scales ? `the network scales its input itself (${op})` : undefined;
}

/** Up to a number a channel. */
function smallConstant(name: string, body: GraphBody): number[] | undefined {
  const tensor = body.constants.get(name);
  const size = tensor?.dims.reduce((product, dim) => product * dim, 1) ?? 0;
  if (tensor === undefined || size < 1 || size > 3) return undefined;
  try {
    return [...tensorToFloats(tensor)];
  } catch {
    return undefined; // of integers
  }
}

function isToChannelsFirst(node: OnnxNode): boolean {
  return intsAttribute(node, 'perm', []).join() === '0,3,1,2';
}

function sizeOf(dim: OnnxDimension | undefined): number | string {
  return dim?.dimValue || dim?.dimParam || 'N';
}
