/** What `model verify` does: digest, files and a test inference of one model. */
import { chosenEntry } from '../../lib/models/store/chosen.ts';
import { openModelStore } from '../../lib/models/store/store.ts';
import { verifyModel } from '../../lib/models/store/verify.ts';
import type { Context } from '../shared/run.ts';

export default async function (context: Context, reference: string | undefined): Promise<void> {
  const store = openModelStore(context.config.models);
  const { path } = await chosenEntry(store, reference);
  const verified = await verifyModel(path);
  const { name, version, digest, classes, engine, milliseconds } = verified;
  if (verified.warning !== undefined) context.say(verified.warning);
  context.print(
    { ok: true, ...verified },
    () =>
      `${name}@${version} is whole (${digest}) and answers with ${classes} classes, read as ${verified.output}\n` +
      `(engine ${engine}, one image in ${milliseconds.toFixed(1)} ms on one thread)`,
  );
}
