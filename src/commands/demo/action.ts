/** What `demo` does: sets everything up, runs it once, and prints the report. */
import { join } from 'node:path';
import * as compose from '../../compose.ts';
import { VisionscaleError } from '../../lib/base/errors.ts';
import { passedOverLine } from '../../lib/base/files/image-names.ts';
import { requireWritableFile } from '../../lib/base/files/make-directory.ts';
import { checkPaths } from '../../lib/base/files/walk.ts';
import { pause } from '../../lib/base/flow/waiting.ts';
import { PartitionBars, Progress } from '../../lib/base/report/progress.ts';
import { counted } from '../../lib/base/report/table.ts';
import { loadConfig } from '../../lib/config/load.ts';
import { demo, type DemoEvent, type DemoResult } from '../../lib/local/demo/demo.ts';
import { demoParts, drawDemoParts, type DrawnParts, knowsParts } from '../../lib/local/demo/parts.ts';
import { demoReport, timeLines } from '../../lib/local/demo/shown.ts';
import { type PicturePage, pictureSide, writePicturePage } from '../../lib/local/page.ts';
import { findDemo, findUp, takeDemoPlace } from '../../lib/local/up/place.ts';
import { openImagesApart } from '../../lib/models/images/apart.ts';
import { ensureModel } from '../../lib/models/pull/offer.ts';
import { init } from '../../lib/pipeline/init.ts';
import { upload } from '../../lib/pipeline/upload/upload.ts';
import {
  dataDirFlag,
  embeddedServerEnded,
  modelFlag,
  serverAddress,
  withBundledModel,
} from '../shared/on-this-machine.ts';
import { openers } from '../shared/opening.ts';
import type { Context } from '../shared/run.ts';
import { uploader } from '../shared/uploader.ts';

export default async function (given: Context, dir: string | undefined): Promise<void> {
  const { context, place } = await placeOfItsOwn(given);
  try {
    await runDemo(context, dir ?? context.config.imageDir);
  } finally {
    await embeddedServerEnded(context);
    await place[Symbol.asyncDispose]();
  }
}

/** Demos at a time on a machine. */
const mostDemos = 20;

/**
 * The data directory, where neither another demo nor `up` runs in it, else one below it: database, topic and images of two
 * runs would mix, and each report what the other did. Throws a VisionscaleError `demo_running` where the settings name servers
 * that they would share.
 */
async function placeOfItsOwn(given: Context): Promise<{ context: Context; place: AsyncDisposable }> {
  const { config, env, say } = given;
  const { dataDir } = config;
  const up = await findUp(dataDir);
  const place = up === null ? await takeDemoPlace(dataDir) : null;
  if (place !== null) return { context: given, place };
  const what = up === null ? `another demo (process ${await findDemo(dataDir)})` : `up (process ${up.pid})`;
  const shared =
    config.database.kind !== 'embedded' || config.topic.kind !== 'embedded' || env['VISIONSCALE_STORE'];
  for (let n = 2; !shared && n <= mostDemos; n++) {
    const own = join(dataDir, `demo-${n}`);
    const taken = await takeDemoPlace(own);
    if (taken === null) continue;
    say(`${what} is running in ${dataDir}: this one uses ${own}`);
    const moved = { ...env, VISIONSCALE_DATA_DIR: own };
    return { context: { ...given, env: moved, config: loadConfig(moved) }, place: taken };
  }
  throw new VisionscaleError(`${what} is running in ${dataDir}`, {
    code: 'demo_running',
    retryable: true,
    hint: 'Wait until it ends, or give this one a database, topic, store and --data-dir of its own.',
  });
}

async function runDemo(given: Context, dir: string | undefined): Promise<void> {
  const { signal, say } = given;
  // Before anything is started: a demo without a usable model ends here, with what to do.
  if (dir !== undefined) await checkPaths([dir]);
  const page = join(given.config.dataDir, dir === undefined ? `${demoParts.prefix}.html` : 'demo.html');
  await requireWritableFile(page);
  if (dir === undefined) say(`no directory given: drawing ${demoParts.count} pictures of parts on a belt`);
  await using parts = dir === undefined ? drawDemoParts(given.config.dataDir, { signal }) : undefined;
  const context = parts === undefined ? given : await withPartsModel(given);
  const { config } = context;
  await ensureModel(context);
  // One inference, so that a model that does not work fails here and not in three processes.
  await (
    await compose.openClassifier({ ...context, config: { ...config, workers: 1 } })
  )[Symbol.asyncDispose]();
  await init(config, openers(context));
  await using database = await compose.openDatabase(context);
  await using topic = await compose.openTopic(context, database);
  await using store = await compose.openStore(context);
  await using looking = openImagesApart(config.limits, context.onNotice);
  using bars = new PartitionBars(context.interactive, say);
  const paths = [parts?.directory ?? dir!];
  const prefix = parts === undefined ? {} : { prefix: demoParts.prefix };
  const { maxBytes } = config.limits;
  let answers: Answers = [];
  const report = demoLog(context, bars);
  const result = await demo(
    {
      database,
      topic,
      env: context.env,
      upload: async (onKey) => {
        if (parts !== undefined) await allDrawn(context, parts);
        const check = (bytes: Buffer) => looking.check(bytes);
        return upload(uploader(context, database, store, check, onKey), { paths, ...prefix, maxBytes });
      },
      ...(parts !== undefined && { truth: parts.truth }),
      report(event) {
        if (event.kind === 'answered') answers = event.answers;
        report(event);
      },
    },
    { pipeline: config.pipeline, signal },
  );
  bars[Symbol.dispose]();
  await writePicturePage(page, pageContent(result, answers), async ({ name }) => {
    const image = await store.get(name, { maxBytes });
    // What was drawn here is small, and a JPEG.
    return parts === undefined ? looking.thumbnail(image, pictureSide) : image;
  });
  const knows = await knownTo(context);
  context.print({ ...result, page }, () =>
    demoReport(result, {
      database: database.kind === 'embedded' ? `embedded PostgreSQL in ${config.dataDir}` : database.describe,
      topic: `${topic.name} (${topic.kind === 'kafka' ? 'Kafka' : 'in that database'})`,
      store: store.url,
      knows,
      truth: parts?.truth,
      page,
      flags: dataDirFlag(context).trimStart(),
      // Without a directory the model is the bundled one, which `up` takes by itself.
      upFlags: `${dataDirFlag(context)}${dir === undefined ? '' : modelFlag(context)}`.trimStart(),
      server: config.http.port === 0 ? undefined : serverAddress(context),
    }),
  );
}

type Answers = Extract<DemoEvent, { kind: 'answered' }>['answers'];

function pageContent(result: DemoResult, answers: Answers): PicturePage {
  const { right, images, accuracy = 0, imagesPerSecond, predictions, model, engine } = result;
  const by = `by ${model}, engine ${engine}, ${imagesPerSecond.toFixed(0)} images/s through upload, topic, consumers and database.`;
  return {
    title:
      right === undefined
        ? `${predictions} of ${counted(images, 'image')} classified`
        : `${right} of ${images} parts classified correctly`,
    summary: [
      right === undefined ? by : `${(100 * accuracy).toFixed(1)} % ${by}`,
      `${timeLines(result).join('; ')}.`,
    ],
    pictures: answers.map(({ imageKey, ...answer }) => ({ name: imageKey, ...answer })),
  };
}

function demoLog({ say }: Context, bars: PartitionBars): (event: DemoEvent) => void {
  const waiting = new Map<number, string>();
  return (event) => {
    switch (event.kind) {
      case 'consumers':
        say(`started ${counted(event.partitions, 'consumer')}, one per partition`);
        break;
      case 'uploaded': {
        const { uploaded, skipped, rejected } = event.result;
        say(
          `uploaded ${counted(uploaded, 'image')}, ${skipped} already there, ${counted(rejected.length, 'file')} rejected`,
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
      case 'answered':
        break;
    }
  };
}

// Without a directory: chooses a model that knows the pictures, and waits for them.

/** How often it is shown how many pictures are drawn, in milliseconds. */
const drawnMs = 100;

/** The same context with a model that knows the parts: the one that the settings name, else the bundled one. */
async function withPartsModel(context: Context): Promise<Context> {
  if (context.config.model !== undefined) {
    const chosen = await compose.loadModel(context.config);
    if (knowsParts(chosen)) return context;
    const { name } = chosen.info;
    context.say(`${name} has no labels for parts on a belt: using the bundled model`);
  }
  return withBundledModel(context);
}

/** Drawing began long ago: what is left is shown. */
async function allDrawn({ interactive, say, signal }: Context, parts: DrawnParts): Promise<void> {
  if (parts.drawn() === demoParts.count) return parts.done;
  using progress = new Progress({ label: 'draw', unit: 'pictures', interactive, line: say });
  progress.expect(demoParts.count);
  const over = new AbortController();
  const done = parts.done.finally(() => over.abort());
  let told = 0;
  const tell = () => {
    progress.advance(parts.drawn() - told);
    told = parts.drawn();
  };
  for (; !over.signal.aborted; await pause(drawnMs, over.signal)) tell();
  tell();
  await done;
  if (signal.aborted)
    throw new VisionscaleError('interrupted', { code: 'interrupted', hint: 'Run it again.' });
}

/** What the model's manifest says that it is limited to. */
async function knownTo(context: Context): Promise<string | undefined> {
  return (await compose.loadModel(context.config)).manifest?.knows;
}
