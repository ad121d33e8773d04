/** What `demo` without a directory adds: it draws the pictures, chooses a model that knows them, and shows them. */
import { join } from 'node:path';
import * as compose from '../../compose.ts';
import { VisionscaleError } from '../../lib/base/errors.ts';
import { Progress } from '../../lib/base/report/progress.ts';
import type { DemoResult } from '../../lib/local/demo/demo.ts';
import {
  demoParts,
  type DrawnParts,
  drawDemoParts,
  type Judged,
  knowsParts,
} from '../../lib/local/demo/parts.ts';
import { writeGallery } from '../../lib/local/demo/shown.ts';
import { withBundledModel } from '../shared/on-this-machine.ts';
import type { Context } from '../shared/run.ts';

/** The same context with a model that knows the parts: the one that the settings name, else the bundled one. */
export async function withPartsModel(context: Context): Promise<Context> {
  if (context.config.model !== undefined) {
    const chosen = await compose.loadModel(context.config);
    if (knowsParts(chosen)) return context;
    const { name } = chosen.info;
    context.say(`${name} has no names for parts on a belt: taking the model that comes with visionscale`);
  }
  return withBundledModel(context);
}

export async function draw({ config, interactive, say, signal }: Context): Promise<DrawnParts> {
  const { count } = demoParts;
  say(`no directory is given: drawing ${count} pictures of parts on a belt`);
  using progress = new Progress({ label: 'draw', unit: 'pictures', interactive, line: say });
  progress.expect(count);
  const drawn = await drawDemoParts(config.dataDir, { signal, onPicture: () => progress.advance(1) });
  if (!signal.aborted) return drawn;
  throw new VisionscaleError('interrupted', { code: 'interrupted', hint: 'Run it again.' });
}

/** Returns the path of the page. */
export async function showParts(
  { config }: Context,
  result: DemoResult,
  judged: readonly Judged[],
): Promise<string> {
  const file = join(config.dataDir, `${demoParts.prefix}.html`);
  const { right = 0, images, accuracy = 0, imagesPerSecond } = result;
  await writeGallery(file, {
    title: `${right} of ${images} parts named right`,
    summary:
      `${(100 * accuracy).toFixed(1)} % by ${result.model}, engine ${result.engine}, ` +
      `${imagesPerSecond.toFixed(0)} images/s through upload, topic, consumers and database.`,
    judged,
  });
  return file;
}

/** What the model's manifest says that it is limited to. */
export async function knownTo(context: Context): Promise<string | undefined> {
  return (await compose.loadModel(context.config)).manifest?.knows;
}
