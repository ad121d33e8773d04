/** Groups of like images, by whatever describes them: rows of features, or small pictures. */

export type Row = Float32Array | Float64Array | Uint8Array;

/** Rows that are compared each with each; those beyond join the group that they are nearest to. */
const mostCompared = 500;

/**
 * At most `most` groups, of the indexes of rows: average linkage, so that what lies close together stays together and what
 * stands apart is a group of its own, however small. (k-means makes groups of like size, which cuts through the middle of
 * a series.) Equal rows are always in one group.
 */
export function likenessGroups(rows: readonly Row[], most: number): number[][] {
  const step = Math.max(1, rows.length / mostCompared);
  const compared = Array.from({ length: Math.ceil(rows.length / step) }, (_, i) => Math.floor(i * step));
  const groups = linked(
    compared.map((i) => rows[i]!),
    most,
  ).map((group) => group.map((i) => compared[i]!));
  if (compared.length < rows.length) {
    const centres = groups.map((group) => meanOf(group.map((i) => rows[i]!)));
    const known = new Set(compared);
    for (const [i, row] of rows.entries()) if (!known.has(i)) groups[nearest(row, centres)]!.push(i);
  }
  return groups;
}

/** Joins the two groups that are nearest to each other in the mean of all pairs, until few enough are left. */
function linked(rows: readonly Row[], most: number): number[][] {
  const count = rows.length;
  const apart = new Float64Array(count * count);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < i; j++) {
      apart[i * count + j] = apart[j * count + i] = Math.sqrt(distance(rows[i]!, rows[j]!));
    }
  }
  const groups = rows.map((_, i) => [i]);
  let alive = rows.map((_, i) => i);
  while (alive.length > 1) {
    const { a, b, least } = closest(alive, apart, count);
    if (alive.length <= most && least > 0) break;
    const [m, n] = [groups[a]!.length, groups[b]!.length];
    for (const other of alive) {
      const mean = (m * apart[a * count + other]! + n * apart[b * count + other]!) / (m + n);
      apart[a * count + other] = apart[other * count + a] = mean;
    }
    groups[a]!.push(...groups[b]!);
    alive = alive.filter((i) => i !== b);
  }
  return alive.map((i) => groups[i]!);
}

function closest(alive: readonly number[], apart: Float64Array, count: number) {
  let [a, b, least] = [alive[0]!, alive[1]!, Infinity];
  for (let x = 1; x < alive.length; x++) {
    for (let y = 0; y < x; y++) {
      const between = apart[alive[x]! * count + alive[y]!]!;
      if (between < least) [a, b, least] = [alive[y]!, alive[x]!, between];
    }
  }
  return { a, b, least };
}

function nearest(row: Row, centres: readonly Row[]): number {
  let [best, least] = [0, Infinity];
  for (const [i, centre] of centres.entries()) {
    const between = distance(row, centre);
    if (between < least) [best, least] = [i, between];
  }
  return best;
}

function distance(a: Row, b: Row): number {
  let sum = 0;
  for (let j = 0; j < a.length; j++) sum += (a[j]! - b[j]!) ** 2;
  return sum;
}

export function meanOf(rows: readonly Row[]): Float64Array {
  const mean = new Float64Array(rows[0]!.length);
  for (const row of rows) for (let j = 0; j < mean.length; j++) mean[j]! += row[j]! / rows.length;
  return mean;
}
