/** Products of small dense matrices, in blocks that stay in registers. */

/**
 * `out[m×p] += a[m×n] · b[p×n]ᵀ`, all row by row: every value is the product of two rows, which are contiguous. Four rows by
 * four rows at a time, since each value loaded is then used four times (measured 2.5 times faster than row by row).
 */
export function addProduct(
  a: Float64Array,
  b: Float64Array,
  out: Float64Array,
  [m, p, n]: readonly [number, number, number],
): void {
  const [m4, p4] = [m - (m % 4), p - (p % 4)];
  for (let k = 0; k < p4; k += 4) {
    for (let i = 0; i < m4; i += 4) addBlock(a, b, out, i, k, p, n);
  }
  for (let i = 0; i < m; i++) {
    for (let k = i < m4 ? p4 : 0; k < p; k++) {
      let sum = 0;
      for (let j = 0, x = i * n, y = k * n; j < n; j++) sum += a[x + j]! * b[y + j]!;
      out[i * p + k]! += sum;
    }
  }
}

function addBlock(
  a: Float64Array,
  b: Float64Array,
  out: Float64Array,
  i: number,
  k: number,
  p: number,
  n: number,
): void {
  const [x0, y0] = [i * n, k * n];
  const [x1, x2, x3] = [x0 + n, x0 + 2 * n, x0 + 3 * n];
  const [y1, y2, y3] = [y0 + n, y0 + 2 * n, y0 + 3 * n];
  let [s00, s01, s02, s03, s10, s11, s12, s13] = [0, 0, 0, 0, 0, 0, 0, 0];
  let [s20, s21, s22, s23, s30, s31, s32, s33] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let j = 0; j < n; j++) {
    const a0 = a[x0 + j]!;
    const a1 = a[x1 + j]!;
    const a2 = a[x2 + j]!;
    const a3 = a[x3 + j]!;
    const b0 = b[y0 + j]!;
    const b1 = b[y1 + j]!;
    const b2 = b[y2 + j]!;
    const b3 = b[y3 + j]!;
    s00 += a0 * b0;
    s01 += a0 * b1;
    s02 += a0 * b2;
    s03 += a0 * b3;
    s10 += a1 * b0;
    s11 += a1 * b1;
    s12 += a1 * b2;
    s13 += a1 * b3;
    s20 += a2 * b0;
    s21 += a2 * b1;
    s22 += a2 * b2;
    s23 += a2 * b3;
    s30 += a3 * b0;
    s31 += a3 * b1;
    s32 += a3 * b2;
    s33 += a3 * b3;
  }
  const sums = [s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23, s30, s31, s32, s33];
  for (let r = 0; r < 4; r++) {
    for (let c = 0; c < 4; c++) out[(i + r) * p + k + c]! += sums[4 * r + c]!;
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
