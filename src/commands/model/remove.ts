/** What `model remove` does: removes one version of a model from the store. */
import { UsageError, VisionscaleError } from '../../lib/base/errors.ts';
import { entryLabel } from '../../lib/models/store/entry.ts';
import { openModelStore } from '../../lib/models/store/store.ts';
import { confirmed, nothingChanged } from '../shared/confirm.ts';
import type { Context } from '../shared/run.ts';

export default async function (
  context: Context,
  reference: string,
  options: { force?: boolean },
): Promise<number> {
  const store = openModelStore(context.config.models);
  const entry = await store.find(reference);
  const versions = (await store.list()).filter(({ name, bundled }) => name === reference && !bundled);
  if (versions.length > 1) {
    throw new UsageError(
      `${reference} has ${versions.length} versions`,
      `Name one: ${versions.map(entryLabel).join(', ')}`,
    );
  }
  const active = await store.active().catch(() => undefined);
  if (active?.path === entry.path && options.force !== true) {
    throw new VisionscaleError(`${entryLabel(entry)} is the active model`, {
      code: 'model_active',
      hint: 'Choose another first (visionscale model use <name>), or remove it anyway with --force.',
    });
  }
  const what = `model remove deletes ${entryLabel(entry)} from ${store.directory}`;
  const asked = options.force ? { ...context, yes: true } : context;
  if (!(await confirmed(asked, what, `Delete ${entryLabel(entry)} from ${store.directory}?`))) {
    context.say(nothingChanged);
    return 1;
  }
  await store.remove(entry);
  const { name, version, digest } = entry;
  context.print({ name, version, digest, removed: true }, () => `removed ${entryLabel(entry)}`);
  return 0;
}
