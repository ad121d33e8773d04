/** Fits a head to features: whitens them, minimises with L-BFGS, and folds both into the weights. */
import { fitness, SoftmaxObjective, type Fitness } from './objective.ts';
import { unwhiten, whiten, whitened, whiteningOf, type LabelledRows } from './whitening.ts';

/** A linear classifier of features as they come out of the network. */
export interface Head {
  classes: number;
  features: number;
  /** `classes` rows of `features` weights, then `classes` biases. */
  values: Float64Array;
}

/** Images with several rows of features each. */
export interface ViewedFeatures {
  /** Image by image, its views one after the other. */
  data: Float32Array;
  features: number;
  views: number;
  /** The class of each image. */
  labels: Int32Array;
  classes: number;
}

export interface FitOptions {
  /** Images to learn from. */
  images: Int32Array;
  /** Which views of each; the first is what inference sees. */
  views: readonly number[];
  /** Of the L2 norm, on whitened features of variance 1 in the mean. */
  penalty: number;
  start?: Head | undefined;
  maxIterations?: number;
  /** As `minimize` takes them. */
  tolerance?: number;
  leastGain?: number;
}

export function fitHead(set: ViewedFeatures, options: FitOptions): Head {
  const { classes, features } = set;
  const { images, views, penalty, start, maxIterations = 200, tolerance = 1e-6, leastGain } = options;
  // By the first view alone, so that a fit with more views can start from one with fewer.
  const whitening = whiteningOf(rowsOf(set, images, [views[0]!]), classes);
  const rows = rowsOf(set, images, views);
  const ready = { ...rows, data: whitened(rows, whitening), rows: Int32Array.from(rows.rows.keys()) };
  const objective = new SoftmaxObjective(ready, classes, penalty);
  const from = start ? whiten(start.values, classes, whitening) : new Float64Array(objective.size);
  const { at } = minimize(objective, from, {
    tolerance,
    maxIterations,
    ...(leastGain !== undefined && { leastGain }),
  });
  return { classes, features, values: unwhiten(at, classes, whitening) };
}

/** On the view that inference sees. */
export function judgeHead(head: Head, set: ViewedFeatures, images: Int32Array, view: number): Fitness {
  return fitness(rowsOf(set, images, [view]), head.values, head.classes);
}

function rowsOf(set: ViewedFeatures, images: Int32Array, views: readonly number[]): LabelledRows {
  const rows = new Int32Array(images.length * views.length);
  const labels = new Int32Array(rows.length);
  for (let i = 0, to = 0; i < images.length; i++) {
    for (const view of views) {
      rows[to] = images[i]! * set.views + view;
      labels[to++] = set.labels[images[i]!]!;
    }
  }
  return { data: set.data, features: set.features, rows, labels };
}

interface Smooth {
  readonly size: number;
  /** The value at `at`; the gradient is written into `gradient`. */
  evaluate(at: Float64Array, gradient: Float64Array): number;
}

/** Limited-memory BFGS (Nocedal and Wright, algorithm 7.5): finds the minimum of a smooth convex function from its gradients. */
interface MinimizeOptions {
  /** Done when the gradient's largest value is below this. */
  tolerance: number;
  /** Done when a step lowers the value by less than this share of it. Default 0: never for this reason. */
  leastGain?: number;
  maxIterations: number;
}

interface Minimum {
  at: Float64Array;
  value: number;
  iterations: number;
}

/** Pairs of steps and gradient changes kept. */
const memory = 10;
/** The Armijo and curvature conditions of a step. */
const [sufficient, curvature] = [1e-4, 0.9];

export function minimize(f: Smooth, start: Float64Array, options: MinimizeOptions): Minimum {
  const { tolerance, leastGain = 0, maxIterations } = options;
  let at = start.slice();
  let gradient = new Float64Array(f.size);
  let value = f.evaluate(at, gradient);
  const pairs: Pair[] = [];
  let iterations = 0;
  while (iterations < maxIterations && largest(gradient) > tolerance) {
    const direction = descent(gradient, pairs);
    const slope = dot(direction, gradient);
    const first = pairs.length === 0 ? 1 / Math.sqrt(dot(gradient, gradient)) : 1;
    const step = search(f, { at, value, direction, slope, first });
    if (step === undefined) break; // rounding: nothing lower in sight
    iterations++;
    const s = minus(step.at, at);
    const y = minus(step.gradient, gradient);
    const sy = dot(s, y);
    if (sy > 1e-12 * dot(y, y)) pairs.push({ s, y, rho: 1 / sy });
    if (pairs.length > memory) pairs.shift();
    const gain = value - step.value;
    ({ at, value, gradient } = step);
    if (gain <= leastGain * Math.abs(value)) break; // with 0: rounding
  }
  return { at, value, iterations };
}

interface Pair {
  s: Float64Array;
  y: Float64Array;
  rho: number;
}

/** Minus the gradient times an estimate of the inverse Hessian: the two loops. */
function descent(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const q = gradient.map((g) => -g);
  const alphas = new Array<number>(pairs.length);
  for (let i = pairs.length - 1; i >= 0; i--) {
    const { s, y, rho } = pairs[i]!;
    alphas[i] = rho * dot(s, q);
    add(q, -alphas[i]!, y);
  }
  const last = pairs.at(-1);
  if (last) {
    const scale = 1 / (last.rho * dot(last.y, last.y));
    for (let i = 0; i < q.length; i++) q[i]! *= scale;
  }
  for (const [i, { s, y, rho }] of pairs.entries()) add(q, alphas[i]! - rho * dot(y, q), s);
  return q;
}

interface Line {
  at: Float64Array;
  value: number;
  direction: Float64Array;
  slope: number;
  first: number;
}

/** A step that fulfils the weak Wolfe conditions, by doubling and halving. */
function search(f: Smooth, { at, value, direction, slope, first }: Line) {
  let [low, high, length] = [0, Infinity, first];
  for (let attempt = 0; attempt < 40; attempt++) {
    const next = at.slice();
    add(next, length, direction);
    const gradient = new Float64Array(f.size);
    const reached = f.evaluate(next, gradient);
    if (!(reached <= value + sufficient * length * slope)) high = length;
    else if (dot(gradient, direction) < curvature * slope) low = length;
    else return { at: next, value: reached, gradient };
    length = high === Infinity ? 2 * low : (low + high) / 2;
  }
  return undefined;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function add(to: Float64Array, factor: number, values: Float64Array): void {
  for (let i = 0; i < to.length; i++) to[i]! += factor * values[i]!;
}

function minus(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value - b[i]!);
}

function largest(values: Float64Array): number {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
}
