/** Recognises SqueezeNet 1.1 in an ONNX graph by its structure, whatever its tensors are called. */
import { type OnnxModel, type OnnxNode, invalidOnnx, type OnnxGraph, type OnnxTensor, intAttribute, intsAttribute } from './graph.ts';
import { withoutNovelty } from './head.ts';
import { blocks, classifier, isInputSize, stem, usualInputSize, weightDims, type Convolution } from './squeezenet-layout.ts';
import type { SqueezeNetWeights } from './squeezenet.ts';
import { tensorToFloats } from './tensors.ts';

export interface SqueezeNet11 {
  weights: SqueezeNetWeights;
  classes: number;
  /** Width and height of its images, in pixels. */
  inputSize: number;
  /** Whether a ReLU stands between the last convolution and the pooling. */
  finalRelu: boolean;
}

/** Throws a VisionscaleError `model_invalid`, saying what is different, when the graph computes other scores. */
export function readSqueezeNet11(model: OnnxModel): SqueezeNet11 {
  const walk = new GraphWalk(withoutNovelty(model), 'SqueezeNet 1.1');
  const weights: SqueezeNetWeights = new Map();

  const convolve = (layer: Convolution, node: OnnxNode): string => {
    const isStem = layer === stem;
    const pad = isStem || layer.kernel === 1 ? 0 : 1;
    walk.expectInts(node, 'strides', isStem ? [2, 2] : [1, 1], [1, 1]);
    walk.expectInts(node, 'pads', [pad, pad, pad, pad], [0, 0, 0, 0]);
    walk.expectInts(node, 'dilations', [1, 1], [1, 1]);
    walk.expectInt(node, 'group', 1, 1);
    walk.expectNoAutoPad(node);
    weights.set(`${layer.name}.weight`, walk.weights(node, 1, weightDims(layer)));
    weights.set(`${layer.name}.bias`, walk.weights(node, 2, [layer.outputs]));
    return walk.output(node);
  };
  const relu = (from: string): string => walk.output(walk.only(from, 'Relu'));
  const pool = (from: string): string => {
    const node = walk.only(from, 'MaxPool');
    walk.expectInts(node, 'kernel_shape', [3, 3], []);
    walk.expectInts(node, 'strides', [2, 2], [1, 1]);
    walk.expectInts(node, 'dilations', [1, 1], [1, 1]);
    walk.expectNoAutoPad(node);
    // Of such an input nothing is left over at the edges: rounding up, or one pixel of padding there, changes nothing.
    walk.expectInts(node, 'pads', [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 1]);
    return walk.output(node);
  };

  const { name: input, side: inputSize } = walk.imageInput(usualInputSize, isInputSize);
  let x = relu(convolve(stem, walk.only(input, 'Conv')));
  for (const block of blocks) {
    if (block === 'pool') {
      x = pool(x);
      continue;
    }
    const squeezed = relu(convolve(block.squeeze, walk.only(x, 'Conv')));
    const [one, three] = walk.byKernel(squeezed, [1, 3]);
    const halves = [relu(convolve(block.expand1x1, one)), relu(convolve(block.expand3x3, three))];
    const concat = walk.joined(halves, 'Concat');
    walk.expectInt(concat, 'axis', 1, 1, -3);
    x = walk.output(concat);
  }
  const last = walk.only(x, 'Conv');
  const classes = walk.outputsOf(last);
  x = convolve(classifier(classes), last);
  const finalRelu = walk.next(x)?.opType === 'Relu';
  if (finalRelu) x = relu(x);
  x = walk.output(walk.only(x, 'GlobalAveragePool'));
  const flatten = walk.only(x, 'Flatten', 'Reshape');
  if (flatten.opType === 'Flatten') walk.expectInt(flatten, 'axis', 1, 1, -3);
  walk.expectEnd(walk.output(flatten));
  return { weights, classes, inputSize, finalRelu };
}

/** Nodes that change nothing when a network is used rather than trained. */
const noOperation = new Set(['Identity', 'Dropout']);

/** Every method throws `model_invalid` ("the model is not <what>: …") when the graph is different. */
export class GraphWalk {
  readonly #graph: OnnxGraph;
  readonly #what: string;
  readonly #consumers = new Map<string, OnnxNode[]>();
  readonly #tensors = new Map<string, OnnxTensor>();
  #steps = 0;

  constructor(model: OnnxModel, what: string) {
    this.#graph = model.graph;
    this.#what = what;
    for (const tensor of this.#graph.initializer) this.#tensors.set(tensor.name ?? '', tensor);
    for (const node of this.#graph.node) {
      const value = node.opType === 'Constant' && node.attribute.find(({ name }) => name === 'value')?.t;
      if (value) this.#tensors.set(node.output[0] ?? '', value);
      for (const input of node.input) {
        const consumers = this.#consumers.get(input);
        if (consumers === undefined) this.#consumers.set(input, [node]);
        else consumers.push(node);
      }
    }
  }

  /** The graph's one image input, square RGB images whose `side` (width and height, in pixels) `allows`; `usual` is an example. */
  imageInput(usual: number, allows: (side: number) => boolean): { name: string; side: number } {
    const inputs = this.#graph.input.filter(({ name }) => !this.#tensors.has(name ?? ''));
    if (inputs.length !== 1) this.#differs(`it has ${inputs.length} inputs`);
    const dims = inputs[0]!.type?.tensorType?.shape?.dim.slice(1).map((dim) => dim.dimValue ?? 0);
    const [channels, height, side = 0] = dims ?? [];
    if (dims?.length !== 3 || channels !== 3 || height !== side || !allows(side)) {
      this.#differs(`its input is not an image batch of N×3×${usual}×${usual}, nor of a side that suits it`);
    }
    return { name: inputs[0]!.name ?? '', side };
  }

  /** The one node that reads `tensor`, if it is one. */
  next(tensor: string): OnnxNode | undefined {
    const nodes = this.#readers(tensor);
    return nodes.length === 1 ? nodes[0] : undefined;
  }

  /** The one node that reads `tensor`, of one of these types. */
  only(tensor: string, ...types: string[]): OnnxNode {
    const node = this.next(tensor);
    if (node === undefined || !types.includes(node.opType ?? '')) {
      const found = this.#readers(tensor).map(({ opType }) => opType ?? '?');
      this.#differs(`after ${tensor} comes ${found.join(' and ') || 'nothing'}, not ${types.join(' or ')}`);
    }
    if (node.domain) this.#differs(`${node.opType} is of the domain ${node.domain}`);
    return node;
  }

  /** The two convolutions that read `tensor`, by the width of their kernels. */
  byKernel(tensor: string, kernels: readonly [number, number]): [OnnxNode, OnnxNode] {
    const nodes = this.#readers(tensor);
    const found = kernels.map((kernel) =>
      nodes.find(
        (node) => node.opType === 'Conv' && this.#tensors.get(node.input[1] ?? '')?.dims[3] === kernel,
      ),
    );
    if (nodes.length !== 2 || !found[0] || !found[1]) {
      this.#differs(`after ${tensor} there are not two convolutions, of ${kernels.join(' and ')} pixels`);
    }
    return [found[0], found[1]];
  }

  /** The node of this type that reads exactly these tensors, in this order, and is their only reader. */
  joined(tensors: readonly string[], type: string): OnnxNode {
    const ends = tensors.map((tensor) => this.#skip(tensor));
    const [first, ...others] = tensors.map((tensor) => this.only(tensor, type));
    if (others.some((node) => node !== first) || first!.input.join() !== ends.join()) {
      this.#differs(`${type} does not join ${tensors.join(' and ')} in this order`);
    }
    return first!;
  }

  output(node: OnnxNode): string {
    this.#steps++;
    if (this.#steps > this.#graph.node.length) this.#differs('its nodes form a circle');
    return node.output[0] ?? this.#differs(`${node.opType} has no output`);
  }

  /** How many channels a convolution has. */
  outputsOf(node: OnnxNode): number {
    return (
      this.#tensors.get(node.input[1] ?? '')?.dims[0] ??
      this.#differs('a convolution has no constant weights')
    );
  }

  /** The constant that `node` takes as its input number `index`. */
  weights(node: OnnxNode, index: number, dims: readonly number[]): { dims: number[]; data: Float32Array } {
    const name = node.input[index] ?? '';
    const tensor = this.#tensors.get(name);
    if (tensor === undefined)
      this.#differs(`input ${index} of ${node.opType} ${node.name ?? ''} is not a constant`);
    if (tensor.dims.join() !== dims.join()) {
      this.#differs(`${name} has the shape ${tensor.dims.join('×')}, not ${dims.join('×')}`);
    }
    return { dims: [...dims], data: tensorToFloats(tensor) };
  }

  /** The attribute must be one of `allowed`; `otherwise` is ONNX's default. */
  expectInts(
    node: OnnxNode,
    name: string,
    first: readonly number[],
    otherwise: readonly number[],
    ...more: readonly (readonly number[])[]
  ): void {
    const value = intsAttribute(node, name, otherwise).join();
    if (![first, ...more].some((allowed) => allowed.join() === value)) {
      this.#differs(`${node.opType} ${node.name ?? ''} has ${name} ${value || 'unset'}, not ${first.join()}`);
    }
  }

  expectInt(node: OnnxNode, name: string, ...allowed: readonly [otherwise: number, ...number[]]): void {
    const value = intAttribute(node, name, allowed[0]);
    if (!allowed.includes(value)) this.#differs(`${node.opType} ${node.name ?? ''} has ${name} ${value}`);
  }

  expectNoAutoPad(node: OnnxNode): void {
    const value = node.attribute.find(({ name }) => name === 'auto_pad')?.s;
    if (value !== undefined && Buffer.from(value).toString() !== 'NOTSET') {
      this.#differs(`${node.opType} ${node.name ?? ''} pads by auto_pad`);
    }
  }

  /** `tensor` must be the graph's one output. */
  expectEnd(tensor: string): void {
    const end = this.#skip(tensor);
    const outputs = this.#graph.output.map(({ name }) => name ?? '');
    if (outputs.length !== 1 || outputs[0] !== end || this.#consumers.has(end)) {
      const next = (this.#consumers.get(end) ?? []).map(({ opType }) => opType ?? '?').join(' and ');
      this.#differs(next ? `after its scores comes ${next}` : `its outputs are ${outputs.join(', ')}`);
    }
  }

  #readers(tensor: string): OnnxNode[] {
    return this.#consumers.get(this.#skip(tensor)) ?? [];
  }

  /** Past the nodes that change nothing. */
  #skip(tensor: string): string {
    let at = tensor;
    for (let steps = 0; steps <= this.#graph.node.length; steps++) {
      const readers = this.#consumers.get(at);
      const [node] = readers ?? [];
      if (readers?.length !== 1 || !noOperation.has(node?.opType ?? '')) return at;
      at = node?.output[0] ?? '';
    }
    return this.#differs('its nodes form a circle');
  }

  #differs(how: string): never {
    throw invalidOnnx(`the model is not ${this.#what}: ${how}`, {
      hint: `This works for the graph of torchvision’s network only.`,
    });
  }
}
