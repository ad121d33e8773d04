/** A worker thread that turns encoded images into features: one session, one image at a time, all of its views. */
import { workerData } from 'node:worker_threads';
import { VisionscaleError } from '../../errors.ts';
import { decodeImage } from '../../images/decode.ts';
import type { Session } from '../../classifier/engines/engine.ts';
import { engines } from '../../classifier/engines/engines.ts';
import { toPlainError } from '../../classifier/protocol.ts';
import { featureCount } from './network.ts';
import type { FeatureReply, FeatureSetup, FeatureTask } from './protocol.ts';
import { openViews } from './views.ts';

const { weights, engine, device, lock, preprocessing, limits, autoOrient } = workerData as FeatureSetup;
const side = preprocessing.crop;
const viewsOf = openViews(preprocessing);
let opening: Promise<Session> | undefined;

/** Answers one task. An error that is not expected ends it with that error. */
export default async function answer(task: FeatureTask): Promise<FeatureReply> {
  try {
    const session = await (opening ??= engines[engine].open(weights, { side, device, lock }));
    if (task.kind === 'warm-up') {
      await session.run(new Float32Array(3 * side * side), 1);
      return { kind: 'ready' };
    }
    const image = await decodeImage(task.image, { limits, autoOrient });
    const features = new Float32Array(task.views * featureCount);
    let row = 0;
    for (const input of viewsOf(image, task.views)) {
      features.set(await session.run(input, 1), featureCount * row++);
    }
    if (!features.every(Number.isFinite)) {
      throw new VisionscaleError('the parent model gives features that are not numbers', {
        code: 'model_invalid',
        hint: 'Its weights are damaged: visionscale model verify',
      });
    }
    return { kind: 'features', features };
  } catch (error) {
    if (error instanceof VisionscaleError) return { kind: 'failed', error: toPlainError(error) };
    throw error;
  }
}
