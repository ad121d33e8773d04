/** The graph that is quantised: the model's own, simplified by the runtime. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OnnxModel } from '../onnx/graph.ts';
import { parseOnnx } from '../onnx/onnx.ts';

/**
 * The same function in fewer nodes, of standard operators: what is constant is computed; batch normalisation, padding and
 * sums with constants are folded into the convolutions and products before or behind them.
 */
export async function foldGraph(weights: Uint8Array): Promise<OnnxModel> {
  const { InferenceSession } = await import('onnxruntime-node');
  const directory = await mkdtemp(join(tmpdir(), 'visionscale-quantize-'));
  try {
    const file = join(directory, 'folded.onnx');
    const session = await InferenceSession.create(weights.slice(), {
      graphOptimizationLevel: 'basic',
      optimizedModelFilePath: file,
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 4,
    });
    await session.release();
    const folded = parseOnnx(await readFile(file));
    // The runtime names every set of operators that it knows.
    const used = new Set(['', ...folded.graph.node.map(({ domain = '' }) => domain)]);
    return { ...folded, opsetImport: folded.opsetImport.filter(({ domain = '' }) => used.has(domain)) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
