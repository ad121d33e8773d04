/** Two published models on the latest images of a pipeline, those that people have labelled first: what `serve` compares. */
import { createHash } from 'node:crypto';
import type { Pool } from 'pg';
import { VisionscaleError } from '../../base/errors.ts';
import { retry } from '../../base/flow/retry.ts';
import type { Classifier } from '../../models/classifier/classifier.ts';
import type { LoadedModel } from '../../models/format/model.ts';
import type { ImagesApart } from '../../models/images/apart.ts';
import type { ImageLimits } from '../../models/images/limits.ts';
import { fetchModel } from '../../models/store/pipeline-model.ts';
import type { CompareModels, ComparisonProgress, ComparisonResult } from '../../pipeline/serve/context.ts';
import { type KnownPicture, latestPictures } from '../../systems/database/tables/pictures.ts';
import type { ObjectStore } from '../../systems/objects/store.ts';
import { comparisonResult, type Fault, nameOf, type Picture } from './comparison-result.ts';
import { answerInTurn } from './comparison.ts';
import { fingerprint } from './duplicates.ts';
import { imageFault } from './judge.ts';

export interface PublishedDeps {
  pool: Pool;
  store: ObjectStore;
  looking: Pick<ImagesApart, 'smallPixels'>;
  /** With one worker, behind everything else on this machine. */
  open: (model: LoadedModel) => Promise<Classifier>;
  pipeline: string;
  limits: ImageLimits;
}

/** At an image while the store is away. */
const attempts = 3;

/**
 * Throws `model_not_published`, `model_invalid` and what else opening a model throws, `no_images`, ObjectError, DatabaseError, or
 * the signal's reason.
 */
export async function comparePublished(
  deps: PublishedDeps,
  { digests, belt, images: most }: Parameters<CompareModels>[0],
  { signal, onProgress }: Parameters<CompareModels>[1],
): Promise<ComparisonResult> {
  const { pool, store, open } = deps;
  const tell = (stage: ComparisonProgress['stage'], of: number) => (done: number) =>
    onProgress({ stage, done, of });
  const loaded = tell('models', digests.length);
  const models: LoadedModel[] = [];
  for (const digest of digests) {
    models.push(await fetchModel({ pool, store }, digest, signal));
    loaded(models.length);
  }
  const wanted = await latestPictures(pool, { pipeline: deps.pipeline, belt, limit: 2 * most });
  const others = new Set(models[1]!.info.labels.map(nameOf));
  const labels = models[0]!.info.labels.filter((label) => others.has(nameOf(label)));
  const looked = tell('images', Math.min(most, wanted.length));
  const { pictures, faults } = await readable(deps, { wanted, most, labels }, signal, looked);
  if (pictures.length === 0) throw noImages(wanted.length, belt);
  const read = latestOnly((key) => getImage(deps, key, signal));
  const answered = await answerInTurn(
    { models, open, signal, read: ({ path }: Picture) => read(path) },
    pictures,
    tell('comparing', pictures.length),
  );
  if (answered.images.length === 0) throw noImages(wanted.length, belt);
  faults.push(...answered.unreadable.map(({ path, reason }) => ({ imageKey: path, reason })));
  return comparisonResult(labels, answered, faults);
}

function noImages(looked: number, belt: string | null): VisionscaleError {
  const whose = belt === null ? 'this pipeline' : `belt ${belt}`;
  return looked === 0
    ? new VisionscaleError(`there are no results of ${whose} yet`, {
        code: 'no_images',
        hint: 'Models are compared on images that the pipeline has classified.',
      })
    : new VisionscaleError(`none of the latest ${looked} images of ${whose} can be read from the store`, {
        code: 'no_images',
        hint: 'Images that came inside messages are not kept, and `prune` deletes old ones.',
      });
}

async function getImage({ store, limits }: PublishedDeps, key: string, signal: AbortSignal): Promise<Buffer> {
  const get = () => store.get(key, { maxBytes: limits.maxBytes, signal });
  return retry(get, { signal, attempts });
}

/** The models get the same image one after the other: each a copy, which it may take over. */
function latestOnly(get: (key: string) => Promise<Uint8Array>): (key: string) => Promise<Uint8Array> {
  let last: { key: string; bytes: Uint8Array } | undefined;
  return async (key) => {
    if (last?.key !== key) last = { key, bytes: await get(key) };
    return Uint8Array.from(last.bytes);
  };
}

interface Candidates {
  wanted: readonly KnownPicture[];
  most: number;
  /** That both models have. */
  labels: readonly string[];
}

/** As many as are wanted of those that are still in the store, as they were labelled, and can be decoded. */
async function readable(
  deps: PublishedDeps,
  { wanted, most, labels }: Candidates,
  signal: AbortSignal,
  onProgress: (done: number) => void,
): Promise<{ pictures: Picture[]; faults: Fault[] }> {
  const index = new Map(labels.map((label, i) => [nameOf(label), i]));
  const pictures: Picture[] = [];
  const faults: Fault[] = [];
  for (const { imageKey, label, sha256: corrected } of wanted) {
    if (pictures.length === most) break;
    signal.throwIfAborted();
    try {
      const bytes = await getImage(deps, imageKey, signal);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const isReplaced = corrected !== null && corrected !== sha256;
      const truth = isReplaced ? null : label;
      const known = truth === null ? undefined : index.get(nameOf(truth));
      pictures.push({
        path: imageKey,
        below: imageKey.slice(imageKey.lastIndexOf('/') + 1),
        label: known ?? -1,
        sha256,
        truth,
        print: await fingerprint(deps.looking, bytes),
      });
      onProgress(pictures.length);
    } catch (error) {
      faults.push({ imageKey, reason: imageFault(error) });
    }
  }
  return { pictures, faults };
}
