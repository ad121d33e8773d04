/** Products of dense matrices, in blocks that WebAssembly multiplies two values at a time (product.wat). */
import { loadWasm } from '../../../models/images/kernels.ts';
import { productWasm } from './product-wasm.ts';

interface Exports {
  memory: { buffer: ArrayBuffer; grow(pages: number): number };
  product: (a: number, b: number, out: number, m: number, p: number, n: number) => void;
}

/** Rows of either side in a block: both stay in a core's cache. */
const block = 64;
const pageBytes = 65_536;
let exports: Exports | undefined;

/** `out[m×p] += a[m×n] · b[p×n]ᵀ`, all row by row: every value is the product of two rows, which are contiguous. */
export function addProduct(
  a: Float64Array,
  b: Float64Array,
  out: Float64Array,
  [m, p, n]: readonly [number, number, number],
): void {
  const { memory, product } = (exports ??= loadWasm<Exports>(productWasm));
  const even = n + (n % 2);
  const [left, right, result] = [0, block * even, 2 * block * even];
  const missing = 8 * (result + block * block) - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / pageBytes));
  const values = new Float64Array(memory.buffer);

  /** What a block lacks to a full one is left as it is: its products are not read. */
  const put = (from: Float64Array, first: number, rows: number, to: number) => {
    if (n === even) values.set(from.subarray(first * n, (first + rows) * n), to);
    else {
      for (let row = 0; row < rows; row++) {
        values.set(from.subarray((first + row) * n, (first + row + 1) * n), to + row * even);
        values[to + row * even + n] = 0;
      }
    }
  };
  for (let i = 0; i < m; i += block) {
    const rows = Math.min(block, m - i);
    put(a, i, rows, left);
    for (let k = 0; k < p; k += block) {
      const columns = Math.min(block, p - k);
      put(b, k, columns, right);
      const width = 4 * Math.ceil(columns / 4);
      product(8 * left, 8 * right, 8 * result, rows + (rows % 2), width, even);
      for (let row = 0; row < rows; row++) {
        const to = (i + row) * p + k;
        for (let column = 0; column < columns; column++) {
          out[to + column]! += values[result + row * width + column]!;
        }
      }
    }
  }
}

/** `matrix[rows×columns]ᵀ`. */
export function transposed(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) out[j * rows + i] = matrix[i * columns + j]!;
  }
  return out;
}
