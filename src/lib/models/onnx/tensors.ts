/** Tensors of ONNX files and the numbers in them. */
import protobuf from 'protobufjs/light.js';
import { invalidOnnx, tensorType, type OnnxGraph, type OnnxTensor } from './graph.ts';

/** The elements as float32 (converted from float16 where the file has those). Throws `model_invalid`. */
export function tensorToFloats(tensor: OnnxTensor): Float32Array {
  const size = elementCount(tensor);
  const floats = readFloats(tensor);
  if (floats.length !== size) {
    throw invalidOnnx(
      `the tensor ${tensor.name ?? ''} has ${floats.length} values, not the ${size} of its shape ${tensor.dims.join('×')}`,
    );
  }
  return floats;
}

/** `data` is copied. */
export function floatTensor(name: string, dims: readonly number[], data: Float32Array): OnnxTensor {
  return rawTensor(name, dims, tensorType.float32, data);
}

/** A tensor of any of the types that typed arrays hold; `data` is copied. */
export function rawTensor(
  name: string,
  dims: readonly number[],
  dataType: number,
  data: Float32Array | Int32Array | Int8Array | Uint8Array,
): OnnxTensor {
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  return { dims: [...dims], dataType, name, rawData, floatData: [], int32Data: [], externalData: [] };
}

/** One dimension of int64, as shapes and axes are given. */
export function integerTensor(name: string, values: readonly number[]): OnnxTensor {
  const data = new BigInt64Array(values.map(BigInt));
  return rawTensor(name, [values.length], tensorType.int64, new Uint8Array(data.buffer));
}

export function initializer(graph: OnnxGraph, name: string): OnnxTensor | undefined {
  return graph.initializer.find((tensor) => tensor.name === name);
}

function elementCount({ name, dims }: OnnxTensor): number {
  const size = dims.reduce((product, dim) => product * dim, 1);
  if (dims.some((dim) => dim < 0) || !Number.isSafeInteger(size)) {
    throw invalidOnnx(`the tensor ${name ?? ''} has the shape ${dims.join('×')}`);
  }
  return size;
}

function readFloats(tensor: OnnxTensor): Float32Array {
  const { name = '', dataType, rawData, floatData, int32Data } = tensor;
  if (tensor.dataLocation === 1 || tensor.externalData.length > 0) {
    throw invalidOnnx(`the tensor ${name} lies in another file`, {
      hint: 'Export the model with its weights in the one .onnx file.',
    });
  }
  if (dataType === tensorType.float32) return float32(rawData ?? concatenate(floatData));
  if (dataType === tensorType.float16) return float16(rawData ? uint16(rawData) : varints(int32Data));
  throw invalidOnnx(`the tensor ${name} has data type ${dataType ?? 'undefined'}, not float32 or float16`, {
    hint: 'Export the model with float32 weights.',
  });
}

// ONNX is little-endian, and so are the platforms that this runs on. Copied: the bytes need not lie on a multiple of four.
function float32(bytes: Uint8Array): Float32Array {
  return new Float32Array(new Uint8Array(bytes).buffer, 0, bytes.length >> 2);
}

function uint16(bytes: Uint8Array): Uint16Array {
  return new Uint16Array(new Uint8Array(bytes).buffer, 0, bytes.length >> 1);
}

function concatenate(chunks: Uint8Array[]): Uint8Array {
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

function varints(chunks: Uint8Array[]): number[] {
  const reader = protobuf.Reader.create(concatenate(chunks));
  const values: number[] = [];
  try {
    while (reader.pos < reader.len) values.push(reader.uint32());
  } catch (cause) {
    throw invalidOnnx('a tensor’s int32_data is cut short', { cause });
  }
  return values;
}

function float16(halves: ArrayLike<number>): Float32Array {
  return Float32Array.from(halves, (bits) => {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
}
