/** A worker process that turns encoded images into features: one session, one image at a time, all of its views. */
import { VisionscaleError } from '../../../base/errors.ts';
import type { OpenWork } from '../../../base/sandbox/protocol.ts';
import { engines } from '../../../models/classifier/engines/engines.ts';
import { decodeImage } from '../../../models/images/decode.ts';
import type { FeatureReply, FeatureSetup, FeatureTask } from './extractor.ts';
import { openViews } from './network.ts';

const open: OpenWork<FeatureSetup, FeatureTask, FeatureReply> = async (setup) => {
  const { network, engine, device, preprocessing, limits, autoOrient } = setup;
  const side = preprocessing.crop;
  const viewsOf = openViews(preprocessing);
  const session = await engines[engine].open(network.weights, { side, device });
  await session.run(new Float32Array(3 * side * side), 1);
  return async ({ views }, bytes) => {
    const image = await decodeImage(bytes, { limits, autoOrient });
    const features = new Float32Array(views * network.features);
    let row = 0;
    for (const input of viewsOf(image, views)) {
      features.set((await session.run(input, 1)).scores, network.features * row++);
    }
    if (!features.every(Number.isFinite)) {
      throw new VisionscaleError('the parent model gives features that are not numbers', {
        code: 'model_invalid',
        hint: 'Its weights are damaged: visionscale model verify',
      });
    }
    return features;
  };
};
export default open;
