/** A file is looked through wherever ONNX lets a graph or a tensor be, before anything is made of it. */
import { describe, expect, it } from 'vitest';
import { engines } from '../../../src/lib/models/classifier/engines/engines.ts';
import {
  makeNode,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxTensor,
  type OnnxModel,
  type OnnxNode,
} from '../../../src/lib/models/onnx/graph.ts';
import { parseOnnx, serializeOnnx } from '../../../src/lib/models/onnx/onnx.ts';
import { checkFile } from '../../../src/lib/models/onnx/scan.ts';
import { floatTensor } from '../../../src/lib/models/onnx/tensors.ts';
import { body, graphAttribute, meansModel } from '../../support/hostile-models.ts';
import { rejection } from '../../support/images.ts';

const outside: OnnxTensor = {
  ...floatTensor('w', [3], new Float32Array(3)),
  rawData: new Uint8Array(),
  dataLocation: 1,
  externalData: [
    { key: 'location', value: '../../etc/passwd' },
    { key: 'length', value: '12' },
  ],
};
const inside = floatTensor('w', [3], new Float32Array(3));
const empty = { floats: [], ints: [], strings: [], tensors: [], graphs: [] };

/** Every place that may hold a tensor, with `tensor` in it. */
function places(tensor: OnnxTensor): Record<string, OnnxModel> {
  const use = (...attribute: OnnxAttribute[]): OnnxNode => ({
    ...makeNode('Relu', ['means'], ['scores']),
    attribute,
  });
  const model = (node: OnnxNode, changes: Partial<OnnxModel> = {}) => meansModel({ nodes: [node], changes });
  const within = (op: string, name: string, g: OnnxGraph) =>
    model({ ...makeNode(op, ['means'], ['scores']), attribute: [graphAttribute(name, g)] });
  const holder = body([], 'w', [tensor]);
  const constant = {
    ...makeNode('Constant', [], ['w']),
    attribute: [{ ...empty, name: 'value', t: tensor }],
  };
  const sparse = { values: tensor, dims: [3] };
  const deep = [...Array(5).keys()].reduce<OnnxGraph>(
    (g) => body([{ ...makeNode('If', ['c'], ['x']), attribute: [graphAttribute('then_branch', g)] }], 'x'),
    holder,
  );
  const withGraph = (changes: Partial<OnnxGraph>) => {
    const made = model(use());
    return { ...made, graph: { ...made.graph, ...changes } };
  };
  return {
    'the graph': withGraph({ initializer: [tensor] }),
    'a constant': model(use({ ...empty, name: 'value', t: tensor })),
    'a list of tensors': model(use({ ...empty, name: 'values', tensors: [inside, tensor] })),
    'a branch of If': within('If', 'else_branch', holder),
    'the body of a Loop': within('Loop', 'body', holder),
    'the body of a Scan': within('Scan', 'body', holder),
    'a constant in a body': within('Loop', 'body', body([constant], 'w')),
    'bodies in bodies': within('If', 'then_branch', deep),
    'a list of graphs': model(use({ ...empty, name: 'bodies', graphs: [body([], 'x'), holder] })),
    'a function': model(use(), {
      functions: [
        { name: 'f', domain: 'own', input: [], output: ['w'], node: [constant], attributeProto: [] },
      ],
    }),
    'a default of a function': model(use(), {
      functions: [
        {
          ...{ name: 'f', domain: 'own', input: [], output: [], node: [] },
          attributeProto: [{ ...empty, name: 'a', t: tensor }],
        },
      ],
    }),
    'the values of a sparse tensor': withGraph({ sparseInitializer: [sparse] }),
    'the indices of a sparse tensor': withGraph({
      sparseInitializer: [{ values: inside, indices: tensor, dims: [3] }],
    }),
    'a sparse attribute': model(use({ ...empty, name: 'sparse_value', sparseTensor: sparse })),
    'a list of sparse attributes': model(use({ ...empty, name: 'values', sparseTensors: [sparse] })),
    'what is kept of the training': model(use(), { trainingInfo: [{ initialization: holder }] }),
    'its algorithm': model(use(), { trainingInfo: [{ algorithm: holder }] }),
  };
}

function refusal(bytes: Uint8Array): Error {
  try {
    checkFile(bytes);
  } catch (error) {
    return error as Error;
  }
  throw new Error('was not refused');
}

describe('data in another file', () => {
  it.each(Object.entries(places(outside)))('is found in %s', (_, model) => {
    const error = refusal(serializeOnnx(model));
    expect(error).toMatchObject({ code: 'model_invalid' });
    expect(error.message).toContain('in another file ("../../etc/passwd")');
  });

  it.each(Object.entries(places(inside)))(
    'is missed nowhere: a tensor of its own in %s is taken',
    (_, model) => {
      expect(() => checkFile(serializeOnnx(model))).not.toThrow();
    },
  );

  it.each(['location alone', 'a place alone'])('is refused with %s', (which) => {
    const { dataLocation, externalData, ...rest } = outside;
    const tensor: OnnxTensor =
      which === 'a place alone'
        ? { ...rest, externalData }
        : { ...rest, externalData: [], dataLocation: dataLocation! };
    expect(refusal(serializeOnnx(places(tensor)['the graph']!)).message).toContain('another file');
  });

  it('is found in a graph that the file gives twice, of which a reader may see one', () => {
    const twice = Buffer.concat([
      serializeOnnx(places(outside)['the graph']!),
      serializeOnnx(places(inside)['the graph']!),
    ]);
    expect(refusal(twice).message).toContain('another file');
    expect(() => parseOnnx(twice)).toThrow('another file');
  });

  it('is found as a compiled network that a runtime would fetch', () => {
    const context = { ...makeNode('EPContext', ['means'], ['scores']), domain: 'com.microsoft' };
    expect(refusal(serializeOnnx(meansModel({ nodes: [context] }))).message).toContain('EPContext');
  });

  it.each(['onnx', 'wasm'] as const)('never reaches the runtime of %s', async (engine) => {
    const bytes = serializeOnnx(places(outside)['a branch of If']!);
    const error = await rejection(engines[engine].open(bytes, { side: 8 }));
    expect(error).toMatchObject({ code: 'model_invalid' });
    expect((error as Error).message).toContain('another file');
  });
});

describe('a file of another kind', () => {
  it('ONNX Runtime’s own is refused by name', () => {
    const error = refusal(Buffer.from('\x12\x06abORTM', 'latin1'));
    expect(error).toMatchObject({ code: 'model_invalid' });
    expect(error.message).toContain('.ort');
  });

  it('that is cut short is model_invalid, as whatever protobuf makes of it', () => {
    for (const bytes of [[58, 200], [58, 0xff, 0xff, 0xff, 0xff, 0x0f], [0x3f], [58, 2, 0x0b, 0x0b]]) {
      expect(refusal(Uint8Array.from(bytes))).toMatchObject({ code: 'model_invalid' });
    }
  });
});
