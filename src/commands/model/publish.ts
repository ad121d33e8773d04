/** What `model publish` does: puts a model into the object store for the consumers of other hosts. */
import { openDatabase } from '../../compose.ts';
import { loadModel } from '../../lib/models/format/model.ts';
import { publishModel, weightsKey } from '../../lib/models/store/pipeline-model.ts';
import { openModelStore } from '../../lib/models/store/store.ts';
import { openReadyStore } from '../shared/opening.ts';
import type { Context } from '../shared/run.ts';

export default async function (context: Context, reference: string): Promise<void> {
  const { path } = await openModelStore(context.config.models).resolve(reference);
  const model = await loadModel(path);
  await using database = await openDatabase(context);
  await using store = await openReadyStore(context);
  const { name, version, digest, bytes } = await publishModel({ pool: database.pool, store }, model);
  context.print({ name, version, digest, bytes, store: store.url, key: weightsKey(digest) }, () =>
    [
      `published ${name} ${version} (${digest}) in ${store.url}`,
      `to switch every consumer to it: visionscale model use ${name}@${version}`,
    ].join('\n'),
  );
}
