import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { VisionscaleError } from '../../../src/lib/base/errors.ts';
import { floatValue, intAttribute, intsAttribute, makeNode } from '../../../src/lib/models/onnx/graph.ts';
import { type OnnxModel } from '../../../src/lib/models/onnx/graph.ts';
import { parseOnnx, serializeOnnx } from '../../../src/lib/models/onnx/onnx.ts';
import { floatTensor, initializer, tensorToFloats } from '../../../src/lib/models/onnx/tensors.ts';
import { describeWith, testData } from '../../support/servers.ts';
import { numRuns } from '../../support/thorough.ts';
import { tinyWeights } from '../../support/tiny-models.ts';

function failure(run: () => unknown): VisionscaleError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(VisionscaleError);
    return error as VisionscaleError;
  }
  throw new Error('nothing was thrown');
}

function smallModel(): OnnxModel {
  return {
    irVersion: 7,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      node: [makeNode('Slice', ['x'], ['y'], { axis: 0, ends: [1, -1] })],
      name: 'small',
      initializer: [floatTensor('w', [2, 2], Float32Array.of(1, -2.5, 3e-20, 4))],
      input: [floatValue('x', ['N', 3])],
      output: [floatValue('y', ['N', 3])],
      valueInfo: [],
      metadataProps: [],
    },
    metadataProps: [{ key: 'labels', value: 'ein, zwei' }],
  };
}

const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
const field = (id: number, body: Uint8Array | number[]) => [
  ...varint((id << 3) | 2),
  ...varint(body.length),
  ...body,
];

describe('ONNX files', () => {
  it('come back as they were written', () => {
    const model = smallModel();
    expect(parseOnnx(serializeOnnx(model))).toEqual({
      ...model,
      graph: {
        ...model.graph,
        initializer: [{ ...model.graph.initializer[0], rawData: model.graph.initializer[0]!.rawData! }],
      },
    });
  });

  it('keep integers of 64 bits exact', () => {
    const model = smallModel();
    const attribute = model.graph.node[0]!.attribute[1]!;
    attribute.ints = [2n ** 63n - 1n, -(2n ** 63n), 0n, -1n];
    const read = parseOnnx(serializeOnnx(model)).graph.node[0]!;
    expect(read.attribute[1]!.ints).toEqual(attribute.ints);
    expect(read.attribute[0]!.i).toBe(0n);
    expect(intAttribute(read, 'axis', 5)).toBe(0);
    expect(intAttribute(read, 'absent', 5)).toBe(5);
    expect(intsAttribute(read, 'absent', [1])).toEqual([1]);
  });

  it('keep fields that are not described, at every depth', () => {
    const graph = [
      ...field(2, Buffer.from('g')),
      ...field(14, [8, 1]),
      ...field(5, [...field(7, [1, 2, 3]), 8, 3]),
    ];
    const bytes = Uint8Array.from([8, 7, ...field(7, graph), ...field(26, [10, 1, 65]), ...field(27, [])]);
    const model = parseOnnx(bytes);
    expect(model.unknownFields).toHaveLength(2);
    expect(model.graph.initializer[0]!.dims).toEqual([3]);
    const again = parseOnnx(serializeOnnx(model));
    expect(again).toEqual(model);
    expect(again.graph.unknownFields![0]).toEqual(Uint8Array.from(field(14, [8, 1])));
    expect(again.graph.initializer[0]!.unknownFields![0]).toEqual(Uint8Array.from(field(7, [1, 2, 3])));
  });

  it('are read from shared memory and leave it alone', () => {
    const bytes = tinyWeights('mean');
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    const model = parseOnnx(shared);
    expect(model.graph.node.map(({ opType }) => opType)).toEqual(['GlobalAveragePool', 'Flatten']);
    expect(Buffer.compare(shared, bytes)).toBe(0);
  });

  it('are refused when they are something else', () => {
    const refused = [
      new Uint8Array(),
      Buffer.from('PK\x03\x04 a zip'),
      serializeOnnx(smallModel()).subarray(0, -5),
      Uint8Array.from([8, 7]), // no graph
      Uint8Array.from([58, 200]), // a length without an end
    ];
    for (const bytes of refused) expect(failure(() => parseOnnx(bytes)).code).toBe('model_invalid');
    expect(failure(() => parseOnnx(Buffer.alloc(2 ** 20), 2 ** 19)).message).toBe(
      'the model has 1.0 MiB; the limit is 0.5 MiB',
    );
  });

  it('cannot fill the memory with empty objects or nest without end', () => {
    const manyNodes = Buffer.alloc(2_000_000, Buffer.from([10, 0]));
    expect(failure(() => parseOnnx(Uint8Array.from(field(7, manyNodes)))).message).toMatch(
      /more than 500000 fields/,
    );
    const packed = field(7, field(1, field(5, field(8, Buffer.alloc(600_000)))));
    expect(failure(() => parseOnnx(Uint8Array.from(packed))).message).toMatch(/more than 500000 fields/);
    let graph: number[] = [];
    for (let depth = 0; depth < 60; depth++) graph = field(1, field(5, field(6, graph)));
    expect(failure(() => parseOnnx(Uint8Array.from(field(7, graph)))).message).toMatch(/nested too deeply/);
  });

  it('never fail with anything but model_invalid, whatever their bytes', () => {
    const valid = tinyWeights('leftHalf');
    const attempt = (bytes: Uint8Array) => {
      try {
        serializeOnnx(parseOnnx(bytes));
      } catch (error) {
        expect(error).toBeInstanceOf(VisionscaleError);
        expect((error as VisionscaleError).code).toBe('model_invalid');
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), attempt), { numRuns: numRuns(2000) });
    const edits = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(edits, (changes) => {
        const bytes = Uint8Array.from(valid);
        for (const [at, value] of changes) bytes[at] = value;
        attempt(bytes);
      }),
      { numRuns: numRuns(3000) },
    );
  });
});

describe('tensors', () => {
  const empty = { floatData: [], int32Data: [], externalData: [] };
  it('give their numbers from raw_data, float_data and float16', () => {
    const floats = Float32Array.of(0.1, -7, 65504);
    const raw = Buffer.from(floats.buffer);
    expect(tensorToFloats(floatTensor('t', [3], floats))).toEqual(floats);
    const pieces = { ...empty, dims: [3], dataType: 1, floatData: [raw.subarray(0, 4), raw.subarray(4)] };
    expect(tensorToFloats(pieces)).toEqual(floats);
    // 1, −2, the least positive, the greatest, −∞
    const halves = [0x3c00, 0xc000, 1, 0x7bff, 0xfc00];
    const expected = Float32Array.of(1, -2, 2 ** -24, 65504, -Infinity);
    const rawData = Buffer.from(Uint16Array.from(halves).buffer);
    expect(tensorToFloats({ ...empty, dims: [5], dataType: 10, rawData })).toEqual(expected);
    const int32Data = [Uint8Array.from(halves.flatMap(varint))];
    expect(tensorToFloats({ ...empty, dims: [5], dataType: 10, int32Data })).toEqual(expected);
    expect(tensorToFloats(floatTensor('scalar', [], Float32Array.of(5)))).toEqual(Float32Array.of(5));
  });

  it('are refused where numbers and shape do not fit', () => {
    const tensor = floatTensor('w', [2, 3], new Float32Array(5));
    expect(failure(() => tensorToFloats(tensor)).message).toBe(
      'the tensor w has 5 values, not the 6 of its shape 2×3',
    );
    expect(failure(() => tensorToFloats({ ...tensor, dims: [-1, -5] })).message).toMatch(/shape -1×-5/);
    expect(failure(() => tensorToFloats({ ...tensor, dataType: 7 })).message).toMatch(/data type 7/);
    expect(failure(() => tensorToFloats({ ...tensor, dataLocation: 1 })).message).toMatch(/another file/);
    expect(
      failure(() => tensorToFloats({ ...empty, dims: [1], dataType: 10, int32Data: [Uint8Array.of(200)] }))
        .code,
    ).toBe('model_invalid');
  });

  it('are found by name', () => {
    const { graph } = smallModel();
    expect(initializer(graph, 'w')).toBe(graph.initializer[0]);
    expect(initializer(graph, 'v')).toBeUndefined();
  });
});

describeWith('test data', 'the real SqueezeNet file', (root) => {
  it('keeps every weight and gives the same scores after a round trip', async () => {
    const bytes = readFileSync(testData(root).model);
    const model = parseOnnx(bytes);
    const again = serializeOnnx(model);
    for (const [i, { rawData }] of parseOnnx(again).graph.initializer.entries()) {
      expect(Buffer.compare(rawData!, model.graph.initializer[i]!.rawData!)).toBe(0);
    }
    const input = Float32Array.from({ length: 3 * 3 * 224 * 224 }, (_, i) => Math.sin(i * 1.7) * 2);
    expect(Buffer.compare(await scores(again, input), await scores(bytes, input))).toBe(0);
  });
});

async function scores(weights: Uint8Array, images: Float32Array): Promise<Buffer> {
  const session = await ort.InferenceSession.create(weights, { intraOpNumThreads: 1 });
  const tensor = new ort.Tensor('float32', images, [images.length / (3 * 224 * 224), 3, 224, 224]);
  const { logits } = await session.run({ input: tensor });
  await session.release();
  return Buffer.from((logits!.data as Float32Array).buffer);
}
