/** The restricted reader of .pth files: plain tensors come out, whatever else is in them is refused and never run. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VisionscaleError } from '../../../src/lib/base/errors.ts';
import { onnxEngine } from '../../../src/lib/models/classifier/engines/onnx-runtime.ts';
import { loadModel } from '../../../src/lib/models/format/model.ts';
import { readPth, pthToOnnx } from '../../../src/lib/models/pth/read.ts';
import {
  dict,
  floats,
  legacyPth,
  op,
  orderedDict,
  pickle,
  pth,
  stateDict,
  tensor,
  zip,
} from '../../support/pth.ts';
import { describeWith, testData } from '../../support/servers.ts';
import { numRuns } from '../../support/thorough.ts';

const good = stateDict({ w: tensor({ key: '0', dims: [2, 3] }) });
const six = floats([1, 2, 3, 4, 5, 6]);

function refusal(bytes: Uint8Array): VisionscaleError {
  try {
    readPth(bytes);
  } catch (error) {
    if (error instanceof VisionscaleError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

describe('tensors', () => {
  it('from a zip archive and from a stream of pickles', () => {
    const expected = { dims: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) };
    expect(readPth(pth(good, { 0: six })).get('w')).toEqual(expected);
    const legacy = stateDict({ w: tensor({ key: '0', dims: [2, 3], legacy: true }) });
    expect(readPth(legacyPth(legacy, { 0: six })).get('w')).toEqual(expected);
  });

  it('as parameters, with metadata, and several in one storage', () => {
    const metadata = [op.emptyDict, op.text('_metadata'), orderedDict, op.setItem];
    const data = pickle(
      orderedDict,
      op.mark,
      op.text('a'),
      tensor({ key: '0', dims: [2], count: 6, parameter: true }),
      op.text('b'),
      tensor({ key: '0', dims: [3], count: 6, offset: 3 }),
      op.setItems,
      ...metadata,
      op.build,
    );
    const tensors = readPth(pth(data, { 0: six }));
    expect(tensors.get('a')?.data).toEqual(Float32Array.of(1, 2));
    expect(tensors.get('b')?.data).toEqual(Float32Array.of(4, 5, 6));
  });

  it('transposed, of no dimension, and of half precision', () => {
    const halves = Buffer.from(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00).buffer);
    const data = stateDict({
      transposed: tensor({ key: '0', dims: [3, 2], strides: [1, 3], count: 6 }),
      scalar: tensor({ key: '0', dims: [], offset: 5, count: 6 }),
      half: tensor({ key: '1', dims: [4], type: 'HalfStorage' }),
    });
    const tensors = readPth(pth(data, { 0: six, 1: halves }));
    expect(tensors.get('transposed')?.data).toEqual(Float32Array.of(1, 4, 2, 5, 3, 6));
    expect(tensors.get('scalar')).toEqual({ dims: [], data: Float32Array.of(6) });
    expect([...tensors.get('half')!.data]).toEqual([1, -2, 2 ** -24, Infinity]);
  });
});

describe('a checkpoint', () => {
  const weight = tensor({ key: '0', dims: [2, 3] });
  const expected = { dims: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) };
  const int64 = (...values: bigint[]) => Buffer.from(BigInt64Array.from(values).buffer);
  const storages = { 0: six, 1: int64(7n) };
  const counter = tensor({ key: '1', dims: [], count: 1, type: 'LongStorage' });
  /** What an optimizer keeps: numbers of parameters, not names, and more than one tensor for each. */
  const optimizer = dict({
    state: Buffer.concat([op.emptyDict, op.int(0), dict({ step: counter, exp_avg: weight }), op.setItem]),
    param_groups: Buffer.concat([
      op.emptyList,
      op.mark,
      dict({ lr: Buffer.concat([Buffer.from('G'), Buffer.alloc(8)]), betas: op.tuple(op.int(1), op.int(2)) }),
      op.appends,
    ]),
  });
  const called = (module: string, name: string, ...values: Buffer[]) =>
    Buffer.concat([op.global(module, name), op.tuple(...values), op.reduce]);
  const namespace = Buffer.concat([
    op.global('argparse', 'Namespace'),
    op.emptyTuple,
    Buffer.from([0x81]),
    dict({ lr: op.int(1), where: called('pathlib', 'PosixPath', op.text('runs')) }),
    op.build,
  ]);
  const accuracy = called(
    'numpy.core.multiarray',
    'scalar',
    called('numpy', 'dtype', op.text('f8'), op.false, op.true),
    called('_codecs', 'encode', op.text('1234'), op.text('latin1')),
  );

  it.each(['state_dict', 'model_state_dict', 'model', 'net', 'something_else'])('gives its %s', (name) => {
    const beside = { epoch: op.int(12), best: accuracy, args: namespace, optimizer, loss: op.none };
    const data = stateDict({ ...beside, [name]: dict({ w: weight, 'bn.num_batches_tracked': counter }) });
    expect([...readPth(pth(data, storages))]).toEqual([['w', expected]]);
  });

  it('gives its weights without what wrappers put before their names', () => {
    const names = { 'module._orig_mod.model.w': weight, 'module._orig_mod.model.v': weight };
    for (const data of [stateDict(names), stateDict({ model: dict({ state_dict: dict(names) }) })]) {
      expect([...readPth(pth(data, storages)).keys()]).toEqual(['w', 'v']);
    }
    const averaged = stateDict({ n_averaged: counter, 'module.w': weight });
    expect([...readPth(pth(averaged, storages)).keys()]).toEqual(['w']);
    const some = stateDict({ 'module.w': weight, v: weight });
    expect([...readPth(pth(some, storages)).keys()]).toEqual(['module.w', 'v']);
  });

  it('of the older format has its storages wherever they are referred to', () => {
    const old = tensor({ key: '0', dims: [2, 3], legacy: true });
    const data = stateDict({ epoch: op.int(1), state_dict: dict({ w: old }) });
    expect(readPth(legacyPth(data, { 0: six })).get('w')).toEqual(expected);
  });

  it.each([
    ['DoubleStorage', Buffer.from(Float64Array.of(1, -2, 0.5).buffer)],
    ['BFloat16Storage', Buffer.from(Uint16Array.of(0x3f80, 0xc000, 0x3f00).buffer)],
    ['HalfStorage', Buffer.from(Uint16Array.of(0x3c00, 0xc000, 0x3800).buffer)],
  ] as const)('of %s is read', (type, bytes) => {
    const data = stateDict({ w: tensor({ key: '0', dims: [3], type }) });
    expect(readPth(pth(data, { 0: bytes })).get('w')?.data).toEqual(Float32Array.of(1, -2, 0.5));
  });

  it.each<[string, Buffer, RegExp, RegExp]>([
    ['integers for weights', stateDict({ w: tensor({ key: '1', dims: [1], type: 'LongStorage' }) }), /int64/, /floats/],
    ['nothing but settings', stateDict({ epoch: op.int(1) }), /epoch is not a tensor/, /checkpoint\["state_dict"\]/],
    [
      'several state dicts of no usual name',
      stateDict({ generator: dict({ w: weight }), critic: dict({ w: weight }) }),
      /\["generator"\], \["critic"\]/,
      /torch\.save\(torch\.load\("checkpoint.pth"\)\["generator"\]/,
    ],
    [
      'a whole model',
      pickle(op.global('torchvision.models.squeezenet', 'SqueezeNet'), op.emptyTuple, Buffer.from([0x81]), dict({}), op.build),
      /whole model \(torchvision\.models\.squeezenet\.SqueezeNet\)/,
      /model\.state_dict\(\)[^]*torch\.onnx\.export/,
    ],
    [
      'a whole model beside other things',
      stateDict({ epoch: op.int(1), model: called('torch.nn.modules.container', 'Sequential') }),
      /whole model/,
      /state_dict/,
    ],
  ])('with %s is refused with the way on', (_, data, message, hint) => {
    const error = refusal(pth(data, storages));
    expect(error).toMatchObject({ code: 'model_invalid', hint: expect.stringMatching(hint) as string });
    expect(error.message).toMatch(message);
  });

  it('of a whole model that would run something else is unsafe all the same', () => {
    const system = [op.global('os', 'system'), op.tuple(op.text('id')), op.reduce];
    const layer = called('torch.nn.modules.linear', 'Linear', ...system);
    expect(refusal(pth(stateDict({ model: layer }), storages))).toMatchObject({ code: 'model_unsafe' });
  });

  it('that holds itself comes to an end', () => {
    const keys = [...Array(2000).keys()].flatMap((i) => [op.text(`k${i}`), op.get(0)]);
    const data = pickle(op.emptyDict, op.put(0), op.mark, ...keys, op.setItems);
    expect(refusal(pth(data)).code).toBe('model_invalid');
  });

  it.each([
    ['TorchScript', { 'm/code/__torch__.py': Buffer.from('x'), 'm/constants.pkl': six }, /TorchScript/, /torch\.jit\.load/],
    ['torch.export', { 'm/archive_format': Buffer.from('pt2') }, /torch\.export/, /torch\.onnx\.export/],
  ])('that is a program of %s is told from one', (_, entries, message, hint) => {
    const error = refusal(zip({ 'm/data.pkl': good, ...entries }));
    expect(error).toMatchObject({ code: 'model_invalid', hint: expect.stringMatching(hint) as string });
    expect(error.message).toMatch(message);
  });

  it('of another network names it, and the export', () => {
    const data = stateDict({ 'conv1.weight': weight, 'bn1.running_mean': weight, 'bn1.num_batches_tracked': counter });
    expect(() => pthToOnnx(pth(data, storages))).toThrow(
      expect.objectContaining({
        code: 'model_invalid',
        message: expect.stringContaining('(2 tensors: conv1.weight, bn1.running_mean)') as string,
        hint: expect.stringContaining('torch.onnx.export(') as string,
      }),
    );
  });
});

describe('a hostile pickle', () => {
  const system = [op.tuple(op.text('touch /tmp/visionscale-was-here')), op.reduce];
  const unsafe: [string, Buffer, RegExp][] = [
    ['os.system', pickle(op.global('os', 'system'), ...system), /os\.system/],
    ['posix.system', pickle(op.global('posix', 'system'), ...system), /posix\.system/],
    ['eval', pickle(op.global('builtins', 'eval'), ...system), /builtins\.eval/],
    [
      'an os.system among good tensors',
      stateDict({ w: Buffer.concat([op.global('os', 'system'), ...system]) }),
      /os\.system/,
    ],
    ['another function of torch', pickle(op.global('torch', 'load'), ...system), /torch\.load/],
    [
      'a storage that is called',
      pickle(op.global('torch', 'FloatStorage'), op.emptyTuple, op.reduce),
      /FloatStorage/,
    ],
    [
      'an OrderedDict with arguments',
      pickle(op.global('collections', 'OrderedDict'), ...system),
      /arguments/,
    ],
    ['a call of a text', pickle(op.text('os.system'), ...system), /no function/],
    ['INST', pickle(op.mark, Buffer.from('ios\nsystem\n')), /INST/],
    ['OBJ', pickle(op.mark, op.text('x'), Buffer.from('o')), /OBJ/],
    ['NEWOBJ', pickle(orderedDict, op.emptyTuple, Buffer.from([0x81])), /NEWOBJ/],
    ['STACK_GLOBAL', pickle(op.text('os'), op.text('system'), Buffer.from([0x93])), /STACK_GLOBAL/],
    ['EXT1', pickle(Buffer.from([0x82, 1])), /EXT1/],
    ['PERSID', pickle(Buffer.from('Pid\n')), /PERSID/],
    [
      'BUILD of something else',
      pickle(orderedDict, op.emptyDict, op.text('__class__'), op.none, op.setItem, op.build),
      /BUILD/,
    ],
    ['BUILD of a function', pickle(op.global('torch', 'FloatStorage'), op.emptyDict, op.build), /BUILD/],
    ['an unknown opcode', pickle(Buffer.from([0xff])), /0xff/],
    ['another persistent id', pickle(op.tuple(op.text('module')), op.persistent), /persistent id/],
  ];
  it.each(unsafe)('%s is refused by name', (_, data, message) => {
    for (const bytes of [pth(data), data, legacyPth(data, {})]) {
      expect(refusal(bytes)).toMatchObject({ code: 'model_unsafe', retryable: false });
      expect(refusal(bytes).message).toMatch(message);
    }
  });
});

describe('a damaged file', () => {
  const malformed: [string, Buffer, RegExp][] = [
    ['empty', Buffer.alloc(0), /neither/],
    ['text', Buffer.from('hello'), /neither/],
    ['cut in its pickle', pth(good.subarray(0, 40), { 0: six }), /middle/],
    ['cut as an archive', pth(good, { 0: six }).subarray(0, 200), /no end/],
    ['compressed', zip({ 'a/data.pkl': good }, { method: 8 }), /compressed/],
    ['with a wrong checksum', zip({ 'a/data.pkl': good }, { crc: 1 }), /checksum/],
    ['without a pickle', zip({ 'a/version': Buffer.from('3') }), /0 entries/],
    ['with two pickles', zip({ 'a/data.pkl': good, 'b/data.pkl': good }), /2 entries/],
    ['big-endian', zip({ 'a/data.pkl': good, 'a/byteorder': Buffer.from('big') }), /little-endian/],
    ['without its storage', pth(good), /lacks archive\/data\/0/],
    ['with too little in its storage', pth(good, { 0: six.subarray(4) }), /20 bytes, but 6 values/],
    ['with too much in its storage', pth(good, { 0: Buffer.concat([six, six]) }), /48 bytes/],
    ['of another protocol', Buffer.concat([Buffer.from([0x80, 4]), good.subarray(2)]), /neither/],
    ['of no state dict', pth(pickle(op.text('x'))), /not a state dict/],
    ['of an empty state dict', pth(pickle(orderedDict)), /no tensors/],
    ['with a text for a tensor', pth(stateDict({ w: op.text('x') })), /w is not a tensor/],
    ['with an underflow', pth(pickle(op.setItem)), /not there/],
    ['without a mark', pth(pickle(Buffer.from('t'))), /mark/],
    ['with an unknown memo', pth(pickle(op.get(7))), /not defined/],
    ['with a key of no text', pth(pickle(op.emptyDict, op.int(1), op.int(2), op.setItem)), /not text/],
    ['with a text too long', pth(pickle(op.text('x'.repeat(5000)))), /5000 bytes/],
    ['with a text that is not UTF-8', pth(pickle(Buffer.from('X\x02\0\0\0\xc3\x28', 'latin1'))), /UTF-8/],
    ['nested deeply', pth(pickle(Buffer.alloc(100_000, '('))), /deeply/],
    ['with a huge stack', pth(pickle(Buffer.alloc(100_000, 'N'))), /too much/],
    ['longer than any state dict', pth(pickle(op.emptyList, Buffer.alloc(2 ** 21, 'Na'))), /longer/],
  ];
  it.each(malformed)('%s', (_, bytes, message) => {
    expect(refusal(bytes)).toMatchObject({ code: 'model_invalid' });
    expect(refusal(bytes).message).toMatch(message);
  });

  const beyond: [string, Parameters<typeof tensor>[0]][] = [
    ['more elements than the storage', { key: '0', dims: [7], count: 6 }],
    ['an offset too far', { key: '0', dims: [6], offset: 1, count: 6 }],
    ['a stride too long', { key: '0', dims: [2, 2], strides: [4, 2], count: 6 }],
    ['a negative stride', { key: '0', dims: [2], strides: [-1], offset: 5, count: 6 }],
    ['a negative size', { key: '0', dims: [-1], strides: [1], count: 6 }],
    ['a huge count', { key: '0', dims: [2 ** 31 - 1], count: 2 ** 31 - 1 }],
    [
      'sizes that overflow',
      { key: '0', dims: Array<number>(8).fill(2 ** 31 - 1), strides: Array<number>(8).fill(0), count: 6 },
    ],
    ['values made from one by a stride of 0', { key: '0', dims: [1000, 1000], strides: [0, 0], count: 6 }],
    ['fewer strides than sizes', { key: '0', dims: [2, 3], strides: [1], count: 6 }],
    ['too many dimensions', { key: '0', dims: Array<number>(9).fill(1), count: 1 }],
    ['a storage outside of the archive', { key: '../../etc/passwd', dims: [6] }],
  ];
  it.each(beyond)('with a tensor of %s', (_, spec) => {
    expect(refusal(pth(stateDict({ w: tensor(spec) }), { 0: six })).code).toBe('model_invalid');
    expect(refusal(legacyPth(stateDict({ w: tensor({ ...spec, legacy: true }) }), { 0: six })).code).toBe(
      'model_invalid',
    );
  });

  it('with many tensors that share a storage, though each would fit', () => {
    const shared = tensor({ key: '0', dims: [2 ** 20] });
    const many = stateDict(Object.fromEntries([...Array(40).keys()].map((i) => [`w${i}`, shared])));
    expect(refusal(pth(many, { 0: Buffer.alloc(2 ** 22) })).message).toMatch(/more than/);
  });

  it('as a stream whose storages are told wrongly', () => {
    const data = stateDict({ w: tensor({ key: '0', dims: [6], legacy: true }) });
    expect(refusal(legacyPth(data, { 0: six }, { 0: 2 ** 40 })).message).toMatch(/1099511627776 values/);
    expect(refusal(legacyPth(data, { 0: six }, { 0: -1 })).code).toBe('model_invalid');
    expect(refusal(legacyPth(data, { 1: six })).message).toMatch(/no tensor uses/);
    expect(refusal(legacyPth(data, { 0: six.subarray(4) })).code).toBe('model_invalid');
    expect(refusal(legacyPth(data, {})).message).toMatch(/lacks the values/);
  });
});

describe('any bytes', () => {
  const allowed = ['model_unsafe', 'model_invalid'];
  const outcome = (bytes: Uint8Array) => {
    try {
      readPth(bytes);
      return 'read';
    } catch (error) {
      return error instanceof VisionscaleError ? error.code : `${String(error)}`;
    }
  };

  it('are refused as expected errors, as a pickle and in an archive', () => {
    const opcodes = fc.constantFrom(...'().N]}tuseQRbqrhjcXJKM'.split('').map((c) => c.charCodeAt(0)));
    const byte = fc.oneof(opcodes, fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 200 }), (body) => {
        const data = pickle(Buffer.from(body));
        for (const bytes of [data, pth(data, { 0: six })]) expect(allowed).toContain(outcome(bytes));
      }),
      { numRuns: numRuns(1000) },
    );
  });

  it('changed in a good file give tensors or an expected error', () => {
    const files = [
      pth(good, { 0: six }),
      legacyPth(stateDict({ w: tensor({ key: '0', dims: [6], legacy: true }) }), { 0: six }),
    ];
    fc.assert(
      fc.property(fc.constantFrom(...files), fc.nat(), fc.nat(255), (file, at, value) => {
        const changed = Buffer.from(file);
        changed[at % changed.length] = value;
        expect(['read', ...allowed]).toContain(outcome(changed));
      }),
      { numRuns: numRuns(2000) },
    );
  });
});

describeWith('test data', 'torchvision’s squeezenet1_1', (root) => {
  it.each(['zip', 'legacy'])('%s: converted, it gives the scores of the ONNX file', async (form) => {
    const { model } = testData(root);
    const file = join(root, `models/squeezenet1_1-imagenet/squeezenet1_1-${form}.pth`);
    const converted = pthToOnnx(await readFile(file));
    const reference = await loadModel(model);
    await using a = await onnxEngine.open(converted, { side: 224 });
    await using b = await onnxEngine.open(reference.weights, { side: 224 });
    const input = Float32Array.from({ length: 3 * 224 * 224 }, (_, i) => Math.sin(i * 0.37) * 2);
    const [ours, theirs] = [(await a.run(input, 1)).scores, (await b.run(input, 1)).scores];
    expect(ours).toHaveLength(1000);
    const difference = ours.reduce((most, score, i) => Math.max(most, Math.abs(score - theirs[i]!)), 0);
    expect(difference).toBeLessThan(1e-5);
  });
});
