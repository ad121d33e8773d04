/** Stages `decode` and `preprocess`: encoded bytes to pixels to the network's input, one image at a time. */
import { decodeImage } from '../../../models/images/decode.ts';
import { openPrepare } from '../../../models/images/prepare.ts';
import { openPreprocess } from '../../../models/images/preprocess.ts';
import { measure } from '../measure.ts';
import type { Stage, Figure } from '../stage.ts';

export const decodeStage: Stage = async ({ images, limits, autoOrient, seconds, signal }) => {
  const { all } = images;
  const measured = await measure(
    (turn) => decodeImage(all[turn % all.length]!.bytes, { limits, autoOrient }),
    { seconds, signal },
  );
  return { figures: [{ stage: 'decode', name: 'decode', unit: 'images', ...measured }] };
};

/** Decoded images are large: this many are kept. */
const kept = 32;

/** Stage `preprocess`: pixels to the network's input, alone and with decoding, exact and fast; one image at a time. */
export const preprocessStage: Stage = async (input) => {
  const { images, model, limits, autoOrient, seconds, signal } = input;
  const { preprocessing } = model;
  const { all } = images;
  const pixels = await Promise.all(
    all.slice(0, kept).map(({ bytes }) => decodeImage(bytes, { limits, autoOrient })),
  );
  const preprocess = openPreprocess(preprocessing);
  const figures: Figure[] = [];
  const add = async (name: string, work: (turn: number) => unknown) => {
    const measured = await measure(work, { seconds, signal });
    figures.push({ stage: 'preprocess', name, unit: 'images', ...measured });
  };
  await add('resize and normalize, exact', (turn) => preprocess(pixels[turn % pixels.length]!));
  for (const mode of ['exact', 'fast'] as const) {
    const prepare = openPrepare({ preprocessing, mode, limits, autoOrient });
    await add(`decode to input, ${mode}`, (turn) => prepare(all[turn % all.length]!.bytes));
  }
  return { figures };
};
