/** Images, as a network sees them, to try a model on: the same every time. */

export interface TestInput {
  values: Float32Array;
  /** Far beyond what an image can be: what stays within bounds on it is bounded. */
  stress: boolean;
}

/** `two`: grey and noise, the least that tells whether a model works. Made one by one, for each may take megabytes. */
export function* testInputs(side: number, which: 'two' | 'all'): Generator<TestInput> {
  const plane = side * side;
  const fill = (value: (i: number) => number, stress = false) => ({
    values: Float32Array.from({ length: 3 * plane }, (_, i) => value(i)),
    stress,
  });
  yield fill(() => 0);
  yield fill(noise(1));
  if (which === 'two') return;
  yield fill(noise(2));
  yield fill(() => 2.5); // white, normalised
  yield fill(() => -2);
  // Blue to red from left to right.
  yield fill((i) => (((i % side) / side) * 4 - 2) * (1 - Math.floor(i / plane)));
  const loud = noise(3);
  yield fill(() => 50 * loud(), true);
  yield fill(() => 1000, true);
}

/** About what normalised photographs hold. */
function noise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 4 - 2;
  };
}
