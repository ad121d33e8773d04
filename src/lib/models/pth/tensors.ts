/** Turns a state dict of references into tensors of float32 values. */
import { malformed } from './refuse.ts';
import type { StorageReference, StorageType, TensorReference } from './values.ts';

/** Row-major values. */
export interface Tensor {
  dims: number[];
  data: Float32Array;
}

/** In all tensors together: 128 MiB of values. SqueezeNet 1.1 has 1.2 million. */
const maxElements = 2 ** 25;

export const bytesPerElement: Record<StorageType, number> = {
  float32: 4,
  float16: 2,
  bfloat16: 2,
  float64: 8,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
  other: NaN,
};

/** How the value at a byte is read; weights are no integers. */
const readers: Partial<Record<StorageType, (view: DataView, at: number) => number>> = {
  float32: (view, at) => view.getFloat32(at, true),
  float16: (view, at) => halfToFloat(view.getUint16(at, true)),
  bfloat16: (view, at) => upperHalf(view.getUint16(at, true)),
  float64: (view, at) => view.getFloat64(at, true),
};

/** `storageBytes` must return exactly the bytes of the storage, little-endian. */
export function tensorsOf(
  weights: ReadonlyMap<string, TensorReference>,
  storageBytes: (storage: StorageReference) => Uint8Array,
): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  let elements = 0;
  for (const [name, value] of weights) {
    elements += value.dims.reduce((product, dim) => product * dim, 1);
    if (elements > maxElements) throw malformed(`its tensors have more than ${maxElements} values`);
    const { type } = value.storage;
    const read = readers[type];
    if (read === undefined) {
      throw malformed(
        `its tensor ${name} holds no fractions (${type === 'other' ? 'complex or quantised' : type})`,
        'Weights are floats: save those of the network before it was quantised.',
      );
    }
    tensors.set(name, { dims: [...value.dims], data: gather(value, storageBytes(value.storage), read) });
  }
  return tensors;
}

function gather(
  { storage, offset, dims, strides }: TensorReference,
  bytes: Uint8Array,
  read: (view: DataView, at: number) => number,
): Float32Array {
  const size = bytesPerElement[storage.type];
  if (bytes.length !== storage.count * size) {
    throw malformed(`a storage has ${bytes.length} bytes, but ${storage.count} values are announced`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = new Float32Array(dims.reduce((product, dim) => product * dim, 1));
  const index = dims.map(() => 0);
  for (let i = 0, from = offset; i < data.length; i++) {
    data[i] = read(view, size * from);
    // Like an odometer: the last dimension turns fastest.
    for (let d = dims.length - 1; d >= 0; d--) {
      from += strides[d]!;
      if (++index[d]! < dims[d]!) break;
      from -= strides[d]! * dims[d]!;
      index[d] = 0;
    }
  }
  return data;
}

/** IEEE 754 binary16. */
function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(half >> 10) & 0x1f, half & 0x3ff];
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const scratch = new DataView(new ArrayBuffer(4));

/** bfloat16: a float32 without its lower half. */
function upperHalf(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}
