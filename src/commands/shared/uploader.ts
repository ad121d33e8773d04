/** What the verb `upload` is handed by the commands that upload. */
import { errorMessage } from '../../lib/base/errors.ts';
import type { UploadDeps } from '../../lib/pipeline/upload/upload.ts';
import type { Database } from '../../lib/systems/database/open.ts';
import { imageTable } from '../../lib/systems/database/tables/images.ts';
import type { ObjectStore } from '../../lib/systems/objects/store.ts';
import type { Context } from './run.ts';
import { Waiting } from './service-log.ts';

/** `onKey` hears each key that is in the store. */
export function uploader(
  { log, signal }: Context,
  database: Database,
  store: ObjectStore,
  check: UploadDeps['check'],
  onKey: (key: string) => void = () => undefined,
): UploadDeps {
  const waiting = new Waiting(log);
  return {
    store,
    images: imageTable(database.pool),
    check,
    signal,
    report(event) {
      if (event.kind === 'uploaded' || event.kind === 'skipped') onKey(event.key);
      if (event.kind === 'waiting') waiting.for(errorMessage(event.error));
      else if (event.kind === 'uploaded' || event.kind === 'skipped') waiting.over();
    },
  };
}
