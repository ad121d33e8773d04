/** The engines there are, fastest first. */
import type { EngineName } from '../classifier.ts';
import type { Engine } from './engine.ts';
import { onnxEngine } from './onnx.ts';
import { wasmEngine } from './wasm.ts';

export const engines: Record<EngineName, Engine> = { onnx: onnxEngine, wasm: wasmEngine };

/** The order in which `auto` tries them. */
export const fastestFirst: readonly EngineName[] = ['onnx', 'wasm'];
