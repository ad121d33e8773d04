/** The engines there are, by name. */
import type { EngineName } from '../classifier.ts';
import type { Engine } from './engine.ts';
import { onnxEngine, wasmEngine } from './onnx-runtime.ts';
import { tfjsEngine } from './tfjs.ts';

export const engines: Record<EngineName, Engine> = { onnx: onnxEngine, tfjs: tfjsEngine, wasm: wasmEngine };
