/** The loops over pixels in WebAssembly (kernels.wat), where four values are worked on at a time. */
import { kernelsWasm } from './kernels-wasm.ts';

/** What of it is used here: it is no part of TypeScript's own types without a browser's. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: unknown };
};

/** All numbers but means and deviations are addresses, bytes and counts; see kernels.wat. */
interface Kernels {
  memory: { buffer: ArrayBuffer; grow(pages: number): number };
  across(
    from: number,
    rowBytes: number,
    rows: number,
    ...to: [starts: number, counts: number, values: number, stride: number, width: number, to: number]
  ): void;
  down(
    from: number,
    rowBytes: number,
    rows: number,
    ...to: [starts: number, counts: number, values: number, stride: number, to: number]
  ): void;
  normalize(
    from: number,
    pixels: number,
    to: number,
    ...meansAndDeviations: [number, number, number, number, number, number]
  ): void;
}

const pageBytes = 65_536;
/** A memory cannot shrink: one that a huge image made larger is not kept. */
const mostKeptBytes = 16 * 2 ** 20;
let opened: Kernels | undefined;

/** Places in a memory, one behind the other, each followed by the 16 bytes that the kernels may read and overwrite. */
export class Layout {
  bytes = 0;

  take(bytes: number): number {
    const at = this.bytes;
    this.bytes += Math.ceil((bytes + 16) / 16) * 16;
    return at;
  }
}

/** Calls `use` with the kernels and the memory of `layout`, which is another's afterwards. */
export function withKernels<T>({ bytes }: Layout, use: (kernels: Kernels, memory: ArrayBuffer) => T): T {
  const kernels = (opened ??= loadWasm<Kernels>(kernelsWasm));
  const { memory } = kernels;
  const missing = bytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / pageBytes));
  try {
    return use(kernels, memory.buffer);
  } finally {
    if (memory.buffer.byteLength > mostKeptBytes) opened = undefined;
  }
}

/** What a module that imports nothing exports. */
export function loadWasm<T>(base64: string): T {
  return new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(base64, 'base64'))).exports as T;
}
