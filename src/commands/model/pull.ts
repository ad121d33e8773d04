/** What `model pull` does: gets the ImageNet model and, where none is active, makes it the active one. */
import { UsageError } from '../../lib/base/errors.ts';
import { ask, canAsk } from '../../lib/base/report/ask.ts';
import { pullShown, type ShownPull } from '../../lib/models/pull/pull-shown.ts';
import { entryLabel } from '../../lib/models/store/entry.ts';
import { openModelStore, type ModelStore } from '../../lib/models/store/store.ts';
import type { Context } from '../shared/run.ts';

export interface PullFlags {
  from?: string;
  sha256?: string;
  yes?: boolean;
}

export default async function (context: Context, model: string, flags: PullFlags): Promise<void> {
  if (model !== 'imagenet') {
    throw new UsageError(
      `there is no model ${JSON.stringify(model)} to pull, only imagenet`,
      'A model of your own is added from its file: visionscale model add <file.onnx>',
    );
  }
  const store = openModelStore(context.config.models);
  const pulled = await pullShown(context, store, { from: flags.from, sha256: flags.sha256 });
  const active = pulled.active || (await activate(context, store, pulled, flags.yes === true));
  const { entry, sha256, verified } = pulled;
  if (!verified) context.say(`sha256 of the file: ${sha256} (not verified: no --sha256 was given)`);
  const { name, version, digest, path } = entry;
  context.print({ name, version, digest, path, sha256, verified, active }, () =>
    active
      ? `installed ${entryLabel(entry)}; it is the active model`
      : `installed ${entryLabel(entry)}; use it: visionscale model use ${entryLabel(entry)}`,
  );
}

/** Another model is active: the person decides. */
async function activate(
  context: Context,
  store: ModelStore,
  { entry }: ShownPull,
  yes: boolean,
): Promise<boolean> {
  const current = (await store.active())!;
  const question = `Make ${entryLabel(entry)} the active model instead of ${entryLabel(current)}?`;
  if (!yes && !(canAsk(context) && (await ask(question, false, context.signal)))) return false;
  await store.use(entry);
  return true;
}
