/** Turns a state dict of references into tensors of float32 values. */
import { malformed } from './refuse.ts';
import {
  isKind,
  type StorageReference,
  type StorageType,
  type TensorReference,
  type Value,
} from './values.ts';

/** Row-major values. */
export interface Tensor {
  dims: number[];
  data: Float32Array;
}

/** In all tensors together: 128 MiB of values. SqueezeNet 1.1 has 1.2 million. */
const maxElements = 2 ** 25;

export const bytesPerElement: Record<StorageType, number> = { float32: 4, float16: 2 };

/** `storageBytes` must return exactly the bytes of the storage, little-endian. */
export function tensorsOf(
  root: Value,
  storageBytes: (storage: StorageReference) => Uint8Array,
): Map<string, Tensor> {
  if (!isKind(root, 'dict')) throw malformed('it is not a state dict');
  const tensors = new Map<string, Tensor>();
  let elements = 0;
  for (const [name, value] of root.entries) {
    if (!isKind(value, 'tensor')) throw malformed(`its entry ${name} is not a tensor`);
    elements += value.dims.reduce((product, dim) => product * dim, 1);
    if (elements > maxElements) throw malformed(`its tensors have more than ${maxElements} values`);
    tensors.set(name, { dims: [...value.dims], data: gather(value, storageBytes(value.storage)) });
  }
  if (tensors.size === 0) throw malformed('it holds no tensors');
  return tensors;
}

function gather({ storage, offset, dims, strides }: TensorReference, bytes: Uint8Array): Float32Array {
  const size = bytesPerElement[storage.type];
  if (bytes.length !== storage.count * size) {
    throw malformed(`a storage has ${bytes.length} bytes, but ${storage.count} values are announced`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = new Float32Array(dims.reduce((product, dim) => product * dim, 1));
  const index = dims.map(() => 0);
  for (let i = 0, from = offset; i < data.length; i++) {
    data[i] = size === 4 ? view.getFloat32(4 * from, true) : halfToFloat(view.getUint16(2 * from, true));
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
