/** Writes pickles, zip archives and .pth files byte by byte: good ones as torch.save does, and hostile ones. */
import { crc32 } from 'node:zlib';
import {
  convolutions,
  type SqueezeNetLayout,
  weightDims,
} from '../../src/lib/models/onnx/squeezenet-layout.ts';

const u32 = (n: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(n);
  return bytes;
};

/** Opcodes of protocol 2; joined by `pickle`. */
export const op = {
  text: (value: string) =>
    Buffer.concat([Buffer.from('X'), u32(Buffer.byteLength(value)), Buffer.from(value)]),
  int: (n: number) => Buffer.concat([Buffer.from('J'), u32(n >>> 0)]),
  global: (module: string, name: string) => Buffer.from(`c${module}\n${name}\n`),
  mark: Buffer.from('('),
  tuple: (...items: Buffer[]) => Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')]),
  emptyTuple: Buffer.from(')'),
  emptyDict: Buffer.from('}'),
  emptyList: Buffer.from(']'),
  reduce: Buffer.from('R'),
  build: Buffer.from('b'),
  persistent: Buffer.from('Q'),
  setItem: Buffer.from('s'),
  setItems: Buffer.from('u'),
  appends: Buffer.from('e'),
  false: Buffer.from([0x89]),
  true: Buffer.from([0x88]),
  none: Buffer.from('N'),
  put: (index: number) => Buffer.from([0x71, index]),
  get: (index: number) => Buffer.from([0x68, index]),
};

export function pickle(...parts: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([0x80, 2]), ...parts, Buffer.from('.')]);
}

export const orderedDict = Buffer.concat([op.global('collections', 'OrderedDict'), op.emptyTuple, op.reduce]);

export interface TensorSpec {
  key: string;
  dims: readonly number[];
  strides?: readonly number[];
  offset?: number;
  /** Elements of the storage; by default as many as the tensor has. */
  count?: number;
  /** Of the module torch. */
  type?: `${string}Storage`;
  /** Wrapped, as torchvision's own files are. */
  parameter?: boolean;
  /** As torch.save writes it since 1.6; the older format adds a view. */
  legacy?: boolean;
}

/** What pushes one tensor. */
export function tensor(spec: TensorSpec): Buffer {
  const { key, dims, offset = 0, type = 'FloatStorage' } = spec;
  const size = dims.reduce((product, dim) => product * dim, 1);
  const strides =
    spec.strides ?? dims.map((_, i) => dims.slice(i + 1).reduce((product, dim) => product * dim, 1));
  const id = [
    op.text('storage'),
    op.global('torch', type),
    op.text(key),
    op.text('cpu'),
    op.int(spec.count ?? size),
  ];
  const values = op.tuple(
    op.tuple(...id, ...(spec.legacy ? [op.none] : [])),
    op.persistent,
    op.int(offset),
    op.tuple(...dims.map(op.int)),
    op.tuple(...strides.map(op.int)),
    op.false,
    orderedDict,
  );
  const plain = Buffer.concat([op.global('torch._utils', '_rebuild_tensor_v2'), values, op.reduce]);
  if (!spec.parameter) return plain;
  const made = op.tuple(plain, op.true, orderedDict);
  return Buffer.concat([op.global('torch._utils', '_rebuild_parameter'), made, op.reduce]);
}

export function stateDict(tensors: Record<string, Buffer>): Buffer {
  return pickle(dict(tensors));
}

/** What pushes an ordered dict of what is pushed. */
export function dict(values: Record<string, Buffer>): Buffer {
  const entries = Object.entries(values).flatMap(([name, pushed]) => [op.text(name), pushed]);
  return Buffer.concat([orderedDict, op.mark, ...entries, op.setItems]);
}

export function floats(values: Iterable<number>): Buffer {
  return Buffer.from(Float32Array.from(values).buffer);
}

/** A zip archive of stored entries. `method` and `crc` can be told wrongly. */
export function zip(entries: Record<string, Buffer>, wrong: { method?: number; crc?: number } = {}): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let at = 0;
  for (const [name, content] of Object.entries(entries)) {
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(wrong.method ?? 0, 4);
    shared.writeUInt32LE(wrong.crc ?? crc32(content), 10);
    shared.writeUInt32LE(content.length, 14);
    shared.writeUInt32LE(content.length, 18);
    shared.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), shared, Buffer.from(name), content]);
    const header = Buffer.alloc(46 - 4 - 2 - 26);
    header.writeUInt32LE(at, header.length - 4);
    central.push(Buffer.concat([Buffer.from('PK\x01\x02\0\0'), shared, header, Buffer.from(name)]));
    locals.push(local);
    at += local.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(central.length, 4);
  end.writeUInt16LE(central.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...locals, directory, Buffer.from('PK\x05\x06'), end]);
}

/** A .pth as the newer torch.save writes it. */
export function pth(data: Buffer, storages: Record<string, Buffer> = {}): Buffer {
  const entries = Object.entries(storages).map(([key, content]) => [`archive/data/${key}`, content] as const);
  return zip({
    'archive/data.pkl': data,
    ...Object.fromEntries(entries),
    'archive/version': Buffer.from('3\n'),
  });
}

const magic = Buffer.from([0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]);

/** A .pth as torch.save wrote it before 1.6. */
export function legacyPth(
  data: Buffer,
  storages: Record<string, Buffer>,
  counts?: Record<string, number>,
): Buffer {
  const system = pickle(op.emptyDict, op.text('little_endian'), op.true, op.setItem);
  const keys = pickle(op.emptyList, op.mark, ...Object.keys(storages).map(op.text), op.appends);
  const values = Object.entries(storages).flatMap(([key, content]) => {
    const count = Buffer.alloc(8);
    count.writeBigInt64LE(BigInt(counts?.[key] ?? content.length / 4));
    return [count, content];
  });
  return Buffer.concat([pickle(magic), pickle(op.int(1001)), system, data, keys, ...values]);
}

/** The state dict of a SqueezeNet (1.1 by default) with made-up weights, of 5 MB with 1000 classes. */
export function squeezeNetPth(classes = 1000, layout?: SqueezeNetLayout): Buffer {
  const tensors: Record<string, Buffer> = {};
  const storages: Record<string, Buffer> = {};
  let [key, state] = [0, 1];
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32 - 0.5;
  for (const layer of convolutions(classes, layout)) {
    for (const [part, dims] of [
      ['weight', weightDims(layer)],
      ['bias', [layer.outputs]],
    ] as const) {
      const size = dims.reduce((product, dim) => product * dim, 1);
      const reach = Math.sqrt(size / layer.outputs);
      storages[`${key}`] = floats({
        *[Symbol.iterator]() {
          for (let i = 0; i < size; i++) yield random() / reach;
        },
      });
      tensors[`${layer.name}.${part}`] = tensor({ key: `${key}`, dims, parameter: true });
      key++;
    }
  }
  return pth(stateDict(tensors), storages);
}
