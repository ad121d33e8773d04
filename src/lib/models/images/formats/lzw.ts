/** LZW as GIF and TIFF pack pixels with it: into a buffer of the size that the header promises, never beyond. */

export interface LzwForm {
  /** Bits of a literal. Two codes follow the literals: "clear" and "end". */
  literalBits: number;
  /** TIFF puts the first code into the high bits of a byte, GIF into the low ones. */
  highBitsFirst: boolean;
  /** TIFF widens its codes one code earlier than it would need to. */
  early: 0 | 1;
}

/** `short`: the data end, or say that they do, before the buffer is full. `broken`: a code that has no meaning yet. */
export type LzwOutcome = 'full' | 'short' | 'broken';

const MOST_CODES = 4096;
const MOST_BITS = 12;

/** Fills `out` from `source`. What follows the last byte wanted is not looked at. */
export function unpackLzw(source: Uint8Array, out: Uint8Array, form: LzwForm): LzwOutcome {
  const { literalBits, highBitsFirst, early } = form;
  const clear = 1 << literalBits;
  const end = clear + 1;
  // An entry is what an earlier one stands for, and one byte more: found again in `out`, where it was written.
  const starts = new Uint32Array(MOST_CODES);
  const lengths = new Uint32Array(MOST_CODES);
  let next = end + 1;
  let width = literalBits + 1;
  let at = 0;
  let buffer = 0;
  let held = 0;
  let to = 0;
  let lastStart = 0;
  let lastLength = 0;
  while (to < out.length) {
    while (held < width) {
      if (at === source.length) return 'short';
      const byte = source[at++]!;
      buffer = highBitsFirst ? ((buffer << 8) | byte) & 0xffffff : buffer | (byte << held);
      held += 8;
    }
    let code: number;
    held -= width;
    if (highBitsFirst) {
      code = (buffer >> held) & ((1 << width) - 1);
    } else {
      code = buffer & ((1 << width) - 1);
      buffer >>= width;
    }
    if (code === clear) {
      next = end + 1;
      width = literalBits + 1;
      lastLength = 0;
      continue;
    }
    if (code === end) return 'short';
    const start = to;
    if (lastLength > 0 && next < MOST_CODES) {
      // The last code and the first byte of this one lie beside each other in `out`: that is the new entry.
      starts[next] = lastStart;
      lengths[next] = lastLength + 1;
      next++;
    }
    if (code < clear) {
      out[to++] = code;
      lastLength = 1;
    } else {
      if (lastLength === 0 || code >= next) return 'broken';
      let from = starts[code]!;
      const length = lengths[code]!;
      const stop = Math.min(to + length, out.length);
      while (to < stop) out[to++] = out[from++]!;
      lastLength = length;
    }
    lastStart = start;
    if (next >= (1 << width) - early && width < MOST_BITS) width++;
  }
  return 'full';
}
