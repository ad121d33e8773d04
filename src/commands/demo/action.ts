/** What `demo` does: sets everything up, runs it once, and prints the report. */
import { join } from 'node:path';
import * as compose from '../../compose.ts';
import { VisionscaleError } from '../../lib/base/errors.ts';
import { passedOverLine } from '../../lib/base/files/image-names.ts';
import { requireWritableFile } from '../../lib/base/files/make-directory.ts';
import { checkPaths } from '../../lib/base/files/walk.ts';
import { PartitionBars, Progress } from '../../lib/base/report/progress.ts';
import { counted } from '../../lib/base/report/table.ts';
import { demo, type DemoEvent, type DemoResult } from '../../lib/local/demo/demo.ts';
import {
  demoParts,
  drawDemoParts,
  type DrawnParts,
  type Judged,
  knowsParts,
} from '../../lib/local/demo/parts.ts';
import { demoReport, writeGallery } from '../../lib/local/demo/shown.ts';
import { openImagesApart } from '../../lib/models/images/apart.ts';
import { ensureModel } from '../../lib/models/pull/offer.ts';
import { init } from '../../lib/pipeline/init.ts';
import { upload } from '../../lib/pipeline/upload/upload.ts';
import { dataDirFlag, embeddedServerEnded, withBundledModel } from '../shared/on-this-machine.ts';
import { openers } from '../shared/opening.ts';
import type { Context } from '../shared/run.ts';
import { uploader } from '../shared/uploader.ts';

export default async function (context: Context, dir: string | undefined): Promise<void> {
  try {
    await runDemo(context, dir ?? context.config.imageDir);
  } finally {
    await embeddedServerEnded(context);
  }
}

async function runDemo(given: Context, dir: string | undefined): Promise<void> {
  // Before anything is started: a demo without a usable model ends here, with what to do.
  if (dir !== undefined) await checkPaths([dir]);
  else await requireWritableFile(pageOf(given));
  const context = dir === undefined ? await withPartsModel(given) : given;
  const { config, signal, say } = context;
  await ensureModel(context);
  // One inference, so that a model that does not work fails here and not in three processes.
  await (
    await compose.openClassifier({ ...context, config: { ...config, workers: 1 } })
  )[Symbol.asyncDispose]();
  const drawn = dir === undefined ? await draw(context) : undefined;
  await init(config, openers(context));
  await using database = await compose.openDatabase(context);
  await using topic = await compose.openTopic(context, database);
  await using store = await compose.openStore(context);
  await using looking = openImagesApart(config.limits, context.onNotice);
  using bars = new PartitionBars(context.interactive, say);
  const paths = [dir ?? drawn!.directory];
  const prefix = drawn === undefined ? {} : { prefix: demoParts.prefix };
  let judged: Judged[] = [];
  const report = demoLog(context, bars);
  const result = await demo(
    {
      database,
      topic,
      env: context.env,
      upload: async (onKey) =>
        upload(uploader(context, database, store, looking, onKey), {
          paths,
          ...prefix,
          maxBytes: config.limits.maxBytes,
        }),
      ...(drawn !== undefined && { truth: drawn.truth }),
      report(event) {
        if (event.kind === 'judged') judged = event.judged;
        report(event);
      },
    },
    { pipeline: config.pipeline, signal },
  );
  bars[Symbol.dispose]();
  const page = drawn === undefined ? undefined : await showParts(context, result, judged);
  const knows = await knownTo(context);
  context.print(page === undefined ? result : { ...result, page }, () =>
    demoReport(result, {
      database: database.kind === 'embedded' ? `embedded PostgreSQL in ${config.dataDir}` : database.describe,
      topic: `${topic.name} (${topic.kind === 'kafka' ? 'Kafka' : 'in that database'})`,
      store: store.url,
      knows,
      ...(drawn !== undefined && { parts: { truth: drawn.truth, page: page! } }),
      flags: dataDirFlag(context).trimStart(),
    }),
  );
}

function demoLog({ say }: Context, bars: PartitionBars): (event: DemoEvent) => void {
  const waiting = new Map<number, string>();
  return (event) => {
    switch (event.kind) {
      case 'consumers':
        say(`started ${counted(event.partitions, 'consumer')}, one a partition`);
        break;
      case 'uploaded': {
        const { uploaded, skipped, rejected } = event.result;
        say(
          `uploaded ${counted(uploaded, 'image')}, ${skipped} were there already, ${counted(rejected.length, 'file')} rejected`,
        );
        if (event.result.passedOver > 0) say(passedOverLine(event.result));
        break;
      }
      case 'produced':
        say(`produced ${counted(event.produced, 'key')}`);
        break;
      case 'progress':
        bars.update(event.partition, event.done, event.total);
        break;
      case 'waiting':
        if (waiting.get(event.partition) !== event.reason)
          say(`partition ${event.partition} waits: ${event.reason}`);
        waiting.set(event.partition, event.reason);
        break;
      case 'judged':
        break;
    }
  };
}

// Without a directory: draws the pictures, chooses a model that knows them, and shows them.

/** The same context with a model that knows the parts: the one that the settings name, else the bundled one. */
async function withPartsModel(context: Context): Promise<Context> {
  if (context.config.model !== undefined) {
    const chosen = await compose.loadModel(context.config);
    if (knowsParts(chosen)) return context;
    const { name } = chosen.info;
    context.say(`${name} has no names for parts on a belt: taking the model that comes with visionscale`);
  }
  return withBundledModel(context);
}

async function draw({ config, interactive, say, signal }: Context): Promise<DrawnParts> {
  const { count } = demoParts;
  say(`no directory is given: drawing ${count} pictures of parts on a belt`);
  using progress = new Progress({ label: 'draw', unit: 'pictures', interactive, line: say });
  progress.expect(count);
  const drawn = await drawDemoParts(config.dataDir, { signal, onPicture: () => progress.advance(1) });
  if (!signal.aborted) return drawn;
  throw new VisionscaleError('interrupted', { code: 'interrupted', hint: 'Run it again.' });
}

/** Returns the path of the page. */
async function showParts(context: Context, result: DemoResult, judged: readonly Judged[]): Promise<string> {
  const file = pageOf(context);
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

function pageOf({ config }: Context): string {
  return join(config.dataDir, `${demoParts.prefix}.html`);
}

/** What the model's manifest says that it is limited to. */
async function knownTo(context: Context): Promise<string | undefined> {
  return (await compose.loadModel(context.config)).manifest?.knows;
}
