/** What a classifier's graph ends in, followed back from its output past what only rounds, casts or shapes the scores. */
import { constant, isOne, readGraphBody, source, type GraphBody, type GraphScope } from './graph-scope.ts';
import { intAttribute, type OnnxFunction, type OnnxGraph, type OnnxModel, type OnnxNode } from './graph.ts';

export interface GraphEnd {
  /**
   * `shares`: they sum to 1 over one axis. `log-shares`: their logarithms. `independent`: each within 0 and 1. `indices`: numbers
   * of classes, or the few best. `open`: arithmetic that bounds nothing. `unknown`: only its answers can tell.
   */
  kind: 'shares' | 'log-shares' | 'independent' | 'indices' | 'open' | 'unknown';
  /** The operator that decides; empty where the graph only hands on its input. */
  op: string;
  /** The scores were rounded on the way: the distance of two neighbours, of 1. */
  step: number;
  /** Some of the scores were left out, or those of several parts set side by side. */
  parts: boolean;
}

/** Every file ends: also one whose nodes form a circle or whose functions call each other. */
const maxSteps = 2000;
/** Likewise one whose functions call each other with thousands of inputs: as many are looked at in all. */
const maxLooks = 20_000;

const shaping = new Set(
  'Cast,CastLike,Reshape,Flatten,Squeeze,Unsqueeze,Identity,Transpose,Dropout,Expand,Clip,QuantizeLinear,DequantizeLinear'.split(
    ',',
  ),
);
/** Means of shares are shares. */
const averaging = new Set('GlobalAveragePool,AveragePool,ReduceMean,QLinearGlobalAveragePool'.split(','));
const choosing = new Set('Slice,Gather,GatherElements,GatherND,Compress'.split(','));
const shares = new Set('Softmax,QLinearSoftmax,Hardmax'.split(','));
const independent = new Set('Sigmoid,HardSigmoid,QLinearSigmoid'.split(','));
const indices = new Set(
  'ArgMax,ArgMin,TopK,NonZero,ZipMap,NonMaxSuppression,TreeEnsembleClassifier,LinearClassifier,SVMClassifier,LabelEncoder'.split(
    ',',
  ),
);
const open = new Set(
  (
    'Gemm,MatMul,Conv,ConvTranspose,Add,Sub,Sum,Relu,LeakyRelu,PRelu,Elu,Gelu,HardSwish,BatchNormalization,InstanceNormalization,' +
    'LayerNormalization,MaxPool,GlobalMaxPool,Einsum,QLinearConv,QLinearMatMul,QLinearAdd,MatMulInteger,ConvInteger,QGemm,' +
    'FusedConv,FusedGemm,FusedMatMul,AveragePool,GlobalAveragePool,ReduceMean,QLinearGlobalAveragePool'
  ).split(','),
);

/** Of the graph's only output. */
export function graphEnd(model: OnnxModel): GraphEnd {
  return new Trace(model).of(model.graph.output[0]?.name ?? '');
}

class Trace {
  readonly #functions: ReadonlyMap<string, OnnxFunction>;
  readonly #root: GraphScope;
  /** Each is read once, however often it is called. */
  readonly #bodies = new Map<OnnxGraph | OnnxFunction, GraphBody>();
  #steps = 0;
  #looks = 0;
  #step = 0;
  #parts = false;

  constructor({ graph, functions = [] }: OnnxModel) {
    this.#functions = new Map(functions.map((f) => [called(f.domain, f.name, f.overload), f]));
    this.#root = { body: this.#body(graph), call: undefined, outer: undefined };
  }

  of(output: string): GraphEnd {
    const { kind, op } = this.#follow(output, this.#root);
    return { kind, op, step: this.#step, parts: this.#parts };
  }

  #follow(name: string, scope: GraphScope): Pick<GraphEnd, 'kind' | 'op'> {
    if (this.#steps++ > maxSteps) return { kind: 'unknown', op: '' };
    const found = source(name, scope);
    if (found === undefined) return { kind: 'open', op: '' };
    const { node, index, scope: at } = found;
    this.#looks += node.input.length + node.attribute.length;
    if (this.#looks > maxLooks) return { kind: 'unknown', op: '' };
    const op = node.opType ?? '';
    const behind = (input: number) => this.#follow(node.input[input] ?? '', at);
    const made = this.#functions.get(called(node.domain, op, node.overload));
    if (made !== undefined) {
      return this.#follow(made.output[index] ?? '', { body: this.#body(made), call: node, outer: at });
    }
    if (shaping.has(op)) return this.#shaped(node, at, behind(0));
    if (shares.has(op)) return { kind: 'shares', op };
    if (independent.has(op)) return { kind: 'independent', op };
    if (indices.has(op)) return { kind: 'indices', op };
    if (averaging.has(op)) {
      const inner = behind(0);
      return inner.kind === 'shares' || inner.kind === 'independent' ? inner : { kind: 'open', op };
    }
    if (choosing.has(op)) {
      this.#parts = true;
      return behind(0);
    }
    switch (op) {
      case 'LogSoftmax':
        return { kind: 'log-shares', op };
      case 'Log':
        return behind(0).kind === 'shares' ? { kind: 'log-shares', op: 'Log of shares' } : unknown(op);
      case 'Exp':
        return this.#exponential(node, at);
      case 'LpNormalization':
        return intAttribute(node, 'p', 2) === 1 ? { kind: 'shares', op } : unknown(op);
      case 'Div':
      case 'Mul':
      case 'Reciprocal':
        return this.#quotient(node, at);
      case 'Sub':
        // What is left of one.
        return isOne(node.input[0], at) && behind(1).kind === 'independent'
          ? { kind: 'independent', op: '1 − Sigmoid' }
          : { kind: 'open', op };
      case 'Concat':
      case 'Mean':
      case 'Max':
      case 'Min':
      case 'Where':
        return this.#joined(node, at);
      case 'If':
        return this.#branches(node, index, at);
      default:
        return open.has(op) ? { kind: 'open', op } : unknown(op);
    }
  }

  #body(of: OnnxGraph | OnnxFunction): GraphBody {
    const known = this.#bodies.get(of);
    if (known !== undefined) return known;
    const read =
      'initializer' in of ? readGraphBody(of.node, of.initializer, []) : readGraphBody(of.node, [], of.input);
    this.#bodies.set(of, read);
    return read;
  }

  #shaped(node: OnnxNode, scope: GraphScope, inner: Pick<GraphEnd, 'kind' | 'op'>): Pick<GraphEnd, 'kind' | 'op'> {
    if (node.opType === 'QuantizeLinear' || node.opType === 'DequantizeLinear') {
      this.#step = Math.max(this.#step, constant(node.input[1], scope) ?? 1 / 127);
    }
    if (node.opType !== 'Clip' || inner.kind === 'shares' || inner.kind === 'indices') return inner;
    // Attributes until opset 11, inputs since.
    const bound = (name: string, input: number) =>
      node.attribute.find((attribute) => attribute.name === name)?.f ?? constant(node.input[input], scope);
    return bound('min', 1) === 0 && bound('max', 2) === 1
      ? { kind: 'independent', op: 'Clip to 0 and 1' }
      : inner;
  }

  /** exp(log softmax), and exp(x − log Σ exp x). */
  #exponential(node: OnnxNode, scope: GraphScope): Pick<GraphEnd, 'kind' | 'op'> {
    const from = source(node.input[0] ?? '', scope);
    if (from?.node.opType === 'Sub') {
      const less = this.#maker(from.node.input[1], from.scope, ['Log', 'ReduceLogSumExp']);
      if (less !== undefined) return { kind: 'shares', op: 'Exp(x − log Σ Exp)' };
    }
    const inner = this.#follow(node.input[0] ?? '', scope);
    return inner.kind === 'log-shares' ? { kind: 'shares', op: `Exp of ${inner.op}` } : unknown('Exp');
  }

  /** x / Σ x however it is written, and 1 / (1 + exp −x). */
  #quotient(node: OnnxNode, scope: GraphScope): Pick<GraphEnd, 'kind' | 'op'> {
    const { opType = '' } = node;
    const inverse = opType === 'Mul' ? this.#maker(node.input[1], scope, ['Reciprocal']) : undefined;
    const below =
      opType === 'Div'
        ? { name: node.input[1], scope }
        : inverse && { name: inverse.node.input[0], scope: inverse.scope };
    if (below !== undefined) {
      const sum = this.#maker(below.name, below.scope, ['ReduceSum', 'ReduceL1']);
      if (sum !== undefined && this.#same(node.input[0], scope, sum.node.input[0], sum.scope)) {
        return { kind: 'shares', op: 'x / Σ x' };
      }
    }
    const divisor = opType === 'Reciprocal' ? node.input[0] : node.input[1];
    if (opType === 'Reciprocal' || (opType === 'Div' && isOne(node.input[0], scope))) {
      const sum = this.#maker(divisor, scope, ['Add']);
      const isSpelled = sum?.node.input
        .slice(0, 2)
        .some((term) => this.#maker(term, sum.scope, ['Exp']) !== undefined);
      if (isSpelled) return { kind: 'independent', op: '1 / (1 + Exp)' };
    }
    // By a constant: a bounded value stays one, if of another bound.
    return unknown(opType);
  }

  /** The node of one of these types that makes `name`, past what only shapes or guards against a division by zero. */
  #maker(name: string | undefined, scope: GraphScope, types: readonly string[]) {
    let [at, within] = [name ?? '', scope];
    for (let i = 0; i < 10; i++) {
      const found = source(at, within);
      if (found === undefined) return undefined;
      const { opType = '', input } = found.node;
      if (types.includes(opType)) return found;
      const guards = (opType === 'Add' || opType === 'Max') && constant(input[1], found.scope) !== undefined;
      if (!shaping.has(opType) && !guards) return undefined;
      [at, within] = [input[0] ?? '', found.scope];
    }
    return undefined;
  }

  #same(a: string | undefined, aScope: GraphScope, b: string | undefined, bScope: GraphScope): boolean {
    const origin = (name: string | undefined, scope: GraphScope) => {
      let [at, within] = [name ?? '', scope];
      for (let i = 0; i < 10; i++) {
        const found = source(at, within);
        if (found === undefined || !shaping.has(found.node.opType ?? '')) return found?.node ?? at;
        [at, within] = [found.node.input[0] ?? '', found.scope];
      }
      return at;
    };
    return origin(a, aScope) === origin(b, bScope);
  }

  #joined(node: OnnxNode, scope: GraphScope): Pick<GraphEnd, 'kind' | 'op'> {
    const { opType = '' } = node;
    const inputs = opType === 'Where' ? node.input.slice(1) : node.input;
    const all = inputs
      .filter((name) => constant(name, scope) === undefined)
      .map((name) => this.#follow(name, scope));
    const [first] = all;
    const alike = first !== undefined && all.every(({ kind }) => kind === first.kind);
    if (opType === 'Concat') this.#parts ||= all.length > 1;
    if (!alike) return unknown(opType);
    // The greatest of several shares sum to anything.
    return first.kind === 'shares' && !['Concat', 'Mean'].includes(opType)
      ? { kind: 'independent', op: `${opType} of ${first.op}` }
      : first;
  }

  #branches(node: OnnxNode, index: number, scope: GraphScope): Pick<GraphEnd, 'kind' | 'op'> {
    const all = node.attribute
      .filter(({ g }) => g !== undefined)
      .map(({ g }) =>
        this.#follow(g!.output[index]?.name ?? '', { body: this.#body(g!), call: undefined, outer: scope }),
      );
    const [first] = all;
    return first !== undefined && all.every(({ kind }) => kind === first.kind) ? first : unknown('If');
  }
}

function unknown(op: string): Pick<GraphEnd, 'kind' | 'op'> {
  return { kind: 'unknown', op };
}

function called(domain = '', name = '', overload = ''): string {
  return JSON.stringify([domain, name, overload]);
}
