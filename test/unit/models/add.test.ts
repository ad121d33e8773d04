/** `model add`: what is added is checked first, and what does not fit is named. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openClassifier } from '../../../src/lib/models/classifier/pool.ts';
import { loadModel } from '../../../src/lib/models/format/model.ts';
import { floatValue, makeNode, tensorType } from '../../../src/lib/models/onnx/graph.ts';
import { type OnnxNode } from '../../../src/lib/models/onnx/graph.ts';
import { hasNovelty, withNovelty } from '../../../src/lib/models/onnx/novelty.ts';
import { parseOnnx, serializeOnnx } from '../../../src/lib/models/onnx/onnx.ts';
import { floatTensor, rawTensor } from '../../../src/lib/models/onnx/tensors.ts';
import { addModel, type AddModelOptions } from '../../../src/lib/models/store/add.ts';
import { openModelStore, type ModelStore } from '../../../src/lib/models/store/store.ts';
import { colorImage } from '../../support/color-model.ts';
import { convModel } from '../../support/conv-model.ts';
import { int64s, meansModel } from '../../support/hostile-models.ts';
import { rejection } from '../../support/images.ts';
import { noveltyLayer } from '../../support/novelty-layers.ts';
import { op, pickle, squeezeNetPth } from '../../support/pth.ts';
import { thorough, thoroughTitle } from '../../support/thorough.ts';
import { type TinyModel, tinyWeights } from '../../support/tiny-models.ts';

let dir: string;
let store: ModelStore;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'visionscale-add-'));
  store = openModelStore(join(dir, 'models'));
  await writeFile(join(dir, 'labels.txt'), 'red\ngreen\nblue\n');
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const plain: AddModelOptions = { resize: 8, mean: [0, 0, 0], std: [1, 1, 1] };

async function file(weights: TinyModel | Uint8Array, name = 'net.onnx'): Promise<string> {
  await writeFile(join(dir, name), typeof weights === 'string' ? tinyWeights(weights) : weights);
  return join(dir, name);
}

/** The mean of the colours, through a softmax or a sigmoid, or anything else that keeps the shape. */
function then(opType: string): Uint8Array {
  const model = parseOnnx(tinyWeights('mean'));
  const last = model.graph.node.at(-1)!;
  last.output = ['flat'];
  model.graph.node.push(makeNode(opType, ['flat'], ['scores']));
  return serializeOnnx(model);
}

describe('takes', () => {
  it('an .onnx file, with its size from the graph', async () => {
    const { entry, check } = await addModel(store, await file('mean'), { ...plain, name: 'colours' });
    expect(check).toMatchObject({ engine: 'onnx', classes: 3, output: 'logits' });
    const { info, output, preprocessing } = await loadModel(entry.path);
    expect(info).toMatchObject({ name: 'colours', labels: ['red', 'green', 'blue'] });
    expect([output, preprocessing]).toEqual(['logits', { ...plain, crop: 8 }]);
  });

  type Output = 'logits' | 'probabilities' | 'sigmoid';
  const outputs: [string, Output | undefined, Output][] = [
    ['Softmax', undefined, 'probabilities'],
    ['Sigmoid', undefined, 'sigmoid'],
    ['Softmax', 'logits', 'logits'],
    ['Sigmoid', 'sigmoid', 'sigmoid'],
    ['LogSoftmax', undefined, 'logits'],
    ['Relu', undefined, 'logits'],
    ['Hardmax', undefined, 'probabilities'],
    ['Sigmoid', 'probabilities', 'probabilities'],
  ];
  const takes = async (opType: string, said: Output | undefined, expected: Output) => {
    const options = said === undefined ? plain : { ...plain, output: said };
    const { entry } = await addModel(store, await file(then(opType)), options);
    expect(entry.manifest?.output).toBe(expected);
  };
  it.each(outputs.slice(0, 3))('%s, said to be %s, for %s', takes);
  it.runIf(thorough).each(outputs.slice(3))(thoroughTitle('%s, said to be %s, for %s'), takes);

  it('one that tells unknown objects, whatever else its graph is given', async () => {
    const telling = withNovelty(convModel(3), noveltyLayer(32, 3));
    const path = await file(serializeOnnx(telling));
    for (const output of ['logits', 'sigmoid'] as const) {
      const { entry } = await addModel(store, path, { name: output, output });
      const { weights } = await loadModel(entry.path);
      expect(hasNovelty(parseOnnx(weights))).toBe(true);
      await using classifier = await openClassifier({ model: await loadModel(entry.path), engine: 'onnx', workers: 1 });
      expect((await classifier.classify(await colorImage('red', 1))).novelty).toBeGreaterThan(0);
    }
    const twice = { ...telling.graph, output: [telling.graph.output[0]!, { ...telling.graph.output[0]!, name: 'other' }] };
    const other = await file(serializeOnnx({ ...telling, graph: twice }), 'twice.onnx');
    expect(await rejection(addModel(store, other, {}))).toMatchObject({ code: 'model_invalid' });
  });

  it.each([0, -1])('free sizes of its input that are written as %i', async (size) => {
    const model = parseOnnx(tinyWeights('mean'));
    const { shape } = model.graph.input[0]!.type!.tensorType!;
    shape!.dim = [{ dimValue: size }, { dimValue: 3 }, { dimValue: size }, { dimValue: size }];
    const weights = await file(serializeOnnx(model));
    expect(await rejection(addModel(store, weights, {}))).toMatchObject({ code: 'usage' });
    for (const side of [7, 4097]) {
      const refusal = await rejection(addModel(store, weights, { size: side }));
      expect(refusal).toMatchObject({ code: 'usage', hint: 'Sides of 8 to 4096 pixels are possible.' });
    }
    const { check, added } = await addModel(store, weights, { ...plain, size: 8 });
    expect([check.classes, added]).toEqual([3, ['the free sizes of its input are named']]);
  });

  it('a directory with its manifest', async () => {
    await file('mean', 'model.onnx');
    const said = {
      name: 'own',
      version: '3',
      preprocessing: { resize: 16, crop: 8 },
      metrics: { top1: 0.5 },
    };
    await writeFile(join(dir, 'model.json'), JSON.stringify(said));
    const { entry } = await addModel(store, dir, { mean: [0, 0, 0] });
    expect(entry).toMatchObject({ name: 'own', version: '3', manifest: { metrics: { top1: 0.5 } } });
    expect(entry.manifest?.preprocessing).toMatchObject({ resize: 16, crop: 8, mean: [0, 0, 0] });
  });

  it('the .pth of a SqueezeNet 1.1 with as many classes as there are labels', async () => {
    const { entry, check } = await addModel(store, await file(squeezeNetPth(3), 'three.pth'), {});
    expect(check.classes).toBe(3);
    expect(entry.manifest).toMatchObject({ name: 'three', inputSize: 224, output: 'logits' });
    expect(entry.manifest?.source).toMatch(/^three\.pth sha256:[0-9a-f]{64}$/);
  });
});

describe('reads the outputs', () => {
  const node = makeNode;
  const number = (name: string, value: number) => floatTensor(name, [], Float32Array.of(value));
  const constants = [
    number('zero', 0),
    number('half', 0.5),
    number('one', 1),
    number('step', 1 / 255),
    rawTensor('point', [], tensorType.uint8, Uint8Array.of(0)),
    floatTensor('groups', [3, 3], Float32Array.of(0, 1, 0, 1, 0, 0, 0, 0, 1)),
    // Far apart and close together: what is shared out is rounded to less than 1, or to more.
    floatTensor('spread', [3, 3], Float32Array.of(3, 0, 0.4, 0, 3, 0.4, 0, 0, 0.4)),
    int64s('last', [1], 1n),
    int64s('end', [1], 3n),
  ];
  const add = async (nodes: OnnxNode[], options: AddModelOptions = {}, scores = 3) =>
    addModel(store, await file(serializeOnnx(meansModel({ nodes, constants, scores }))), {
      ...plain,
      ...options,
    });
  const softmax = node('Softmax', ['means'], ['p']);

  it('as shares where a quantised softmax rounds them', async () => {
    const nodes = [
      node('MatMul', ['means', 'spread'], ['m']),
      node('Softmax', ['m'], ['p']),
      node('QuantizeLinear', ['p', 'step', 'point'], ['q']),
      node('DequantizeLinear', ['q', 'step', 'point'], ['scores']),
    ];
    const { entry } = await add(nodes);
    expect(entry.manifest).toMatchObject({
      output: 'probabilities',
      outputReason: 'the graph ends in Softmax',
    });
  });

  it('as shares where only the answers tell it', async () => {
    const { entry } = await add([softmax, node('MatMul', ['p', 'groups'], ['scores'])]);
    expect(entry.manifest).toMatchObject({
      output: 'probabilities',
      outputReason: expect.stringMatching(/test inferences they were shares of 1$/) as string,
    });
  });

  it('as shares where two independent ones always make 1', async () => {
    const nodes = [
      node('Sigmoid', ['means'], ['p']),
      node('Slice', ['p', 'last', 'end', 'last'], ['a']),
      node('ReduceMax', ['a'], ['b'], { axes: [1], keepdims: 1 }),
      node('Sub', ['one', 'b'], ['c']),
      node('Concat', ['b', 'c'], ['scores'], { axis: 1 }),
    ];
    await writeFile(join(dir, 'labels.txt'), 'yes\nno\n');
    const { entry } = await add(nodes, {}, 2);
    expect(entry.manifest?.output).toBe('probabilities');
  });

  it('as independent where they stay within 0 and 1 whatever is seen', async () => {
    const tanh = [
      node('Tanh', ['means'], ['t']),
      node('Add', ['t', 'one'], ['u']),
      node('Mul', ['u', 'half'], ['scores']),
    ];
    const { entry } = await add(tanh);
    expect(entry.manifest?.output).toBe('sigmoid');
  });

  it('as independent though the network leaves the sigmoid to its reader, when told so', async () => {
    const { entry } = await add([node('Identity', ['means'], ['scores'])], { output: 'sigmoid' });
    expect(entry.manifest).toMatchObject({
      output: 'sigmoid',
      outputReason: '--output says so: a sigmoid was added to the graph',
    });
    const model = await loadModel(entry.path);
    await using classifier = await openClassifier({ model, engine: 'onnx', workers: 1 });
    const { top } = await classifier.classify(await colorImage('red', 1));
    const sigmoid = (level: number) => 100 / (1 + Math.exp(-level / 255));
    expect(top.map(({ confidence }) => confidence)).toEqual(
      [0xd0, 0x10, 0x10].map((level) => expect.closeTo(sigmoid(level), 2) as number),
    );
  });

  it('as it is told, with a warning where the graph says otherwise', async () => {
    const nodes = [node('Softmax', ['means'], ['scores'])];
    const { warnings } = await add(nodes, { output: 'logits' });
    expect(warnings).toEqual([expect.stringContaining('ends in Softmax')]);
    expect((await add(nodes, { name: 'other' })).warnings).toEqual([]);
  });

  it.each([
    ['a softmax over nothing', [node('Softmax', ['means'], ['scores'], { axis: 0 })], /sum to 3/],
    [
      'the number of a class',
      [node('ArgMax', ['means'], ['i'], { axis: 1 }), node('Cast', ['i'], ['scores'], { to: 1 })],
      /ArgMax/,
    ],
    ['the best few', [node('TopK', ['means', 'last'], ['scores', 'which'])], /TopK/],
  ])('not of %s', async (_, nodes, message) => {
    const error = await rejection(add(nodes));
    expect(error).toMatchObject({ code: 'model_invalid', hint: expect.any(String) as string });
    expect((error as Error).message).toMatch(message);
  });

  it('not of integers, of several outputs, of three values a pixel less one', async () => {
    const model = meansModel({ nodes: [node('Cast', ['means'], ['scores'], { to: tensorType.int32 })] });
    model.graph.output = [{ name: 'scores', type: { tensorType: { elemType: tensorType.int32 } } }];
    const two = meansModel({ nodes: [node('Identity', ['means'], ['scores'])] });
    two.graph.output.unshift({ name: 'label' });
    const last = meansModel({ nodes: [node('Identity', ['means'], ['scores'])] });
    last.graph.input = [floatValue('pixels', ['N', 'height', 'width', 1])];
    for (const [made, message, hint] of [
      [model, /not floating-point/, /float32/],
      [two, /2 outputs \(label, scores\)/, /extract_model.*\["scores"\]/],
      [last, /shape .×.×.×1, not N×3×side×side/, /RGB images/],
    ] as const) {
      const error = await rejection(addModel(store, await file(serializeOnnx(made)), plain));
      expect(error).toMatchObject({ code: 'model_invalid', hint: expect.stringMatching(hint) as string });
      expect((error as Error).message).toMatch(message);
    }
  });
});

describe('refuses', () => {
  const refused: [string, () => Promise<string>, AddModelOptions, string, RegExp][] = [
    ['two inputs', () => file('twoInputs'), plain, 'model_invalid', /2 inputs \(image, other\)/],
    ['pixels to normalise', () => file('integerInput'), plain, 'usage', /takes uint8, but .* std 1 1 1/],
    ['scores that are no numbers', () => file('notANumber'), plain, 'model_invalid', /not numbers/],
    [
      'another size',
      () => file('mean'),
      { ...plain, size: 16, resize: 16 },
      'model_invalid',
      /8×8 pixels, not 16×16/,
    ],
    ['text', () => file(Buffer.from('hello')), plain, 'model_invalid', /not ONNX|no ONNX/],
    ['nothing', () => file(Buffer.alloc(0)), plain, 'model_invalid', /no ONNX graph/],
    ['half a file', () => file(tinyWeights('mean').subarray(0, 60)), plain, 'model_invalid', /ONNX/],
    ['a missing file', () => Promise.resolve('/nowhere/x.onnx'), plain, 'model_not_found', /no model at/],
    [
      'logits said to be probabilities',
      () => file('mean'),
      { ...plain, output: 'probabilities' },
      'model_invalid',
      /0 to 1/,
    ],
    ['a crop beyond the resize', () => file('mean'), { ...plain, resize: 4 }, 'usage', /less than the crop/],
    ['a resize beyond what is possible', () => file('mean'), { resize: 4097 }, 'usage', /--resize 4097 is more/],
    ['size and crop that differ', () => file('mean'), { size: 8, crop: 9 }, 'usage', /differ/],
    ['a name that is a path', () => file('mean'), { ...plain, name: '../x' }, 'usage', /cannot be the name/],
    [
      'a pickle that calls os.system',
      () => file(pickle(op.global('os', 'system'), op.tuple(op.text('id')), op.reduce), 'x.pth'),
      {},
      'model_unsafe',
      /os\.system/,
    ],
    [
      'missing labels',
      () => file('mean'),
      { ...plain, labels: '/nowhere/names.txt' },
      'labels_missing',
      /names\.txt/,
    ],
  ];
  it.each(refused)('%s', async (_, path, options, code, message) => {
    const error = await rejection(addModel(store, await path(), options));
    expect(error).toMatchObject({ code, hint: expect.any(String) as string });
    expect((error as Error).message).toMatch(message);
    expect((await store.list()).filter(({ bundled }) => !bundled)).toEqual([]);
  });

  it('labels of another number', async () => {
    await writeFile(join(dir, 'two.txt'), 'a\nb\n');
    const adding = addModel(store, await file('mean'), { ...plain, labels: join(dir, 'two.txt') });
    expect(await rejection(adding)).toMatchObject({
      code: 'labels_mismatch',
      message: 'the model has 3 classes, but there are 2 labels',
    });
  });

  it('weights in another file, with what to do', async () => {
    const model = parseOnnx(tinyWeights('leftHalf'));
    const tensor = model.graph.initializer[0]!;
    delete tensor.rawData;
    tensor.dataLocation = 1;
    tensor.externalData = [{ key: 'location', value: '../../etc/passwd' }];
    const error = await rejection(addModel(store, await file(serializeOnnx(model)), plain));
    expect(error).toMatchObject({
      code: 'model_invalid',
      hint: expect.stringContaining('one file') as string,
    });
    expect((error as Error).message).toContain('"../../etc/passwd"');
  });
});
