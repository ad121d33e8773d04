/** Stage `decode`: encoded bytes to pixels, one image at a time. */
import { decodeImage } from '../../../models/images/decode.ts';
import { measure } from '../measure.ts';
import type { Stage } from '../stage.ts';

export const decodeStage: Stage = async ({ images, limits, autoOrient, seconds, signal }) => {
  const { all } = images;
  const measured = await measure(
    (turn) => decodeImage(all[turn % all.length]!.bytes, { limits, autoOrient }),
    { seconds, signal },
  );
  return { figures: [{ stage: 'decode', name: 'decode', unit: 'images', ...measured }] };
};
