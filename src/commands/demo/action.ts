/** What `demo` does: sets everything up, runs it once, and prints the report. */
import * as compose from '../../compose.ts';
import { checkPaths } from '../../lib/base/files/walk.ts';
import { PartitionBars } from '../../lib/base/report/progress.ts';
import { demo, type DemoEvent } from '../../lib/local/demo/demo.ts';
import { type Judged, demoParts } from '../../lib/local/demo/parts.ts';
import { demoReport } from '../../lib/local/demo/shown.ts';
import { openImagesApart } from '../../lib/models/images/apart.ts';
import { ensureModel } from '../../lib/models/pull/offer.ts';
import { init } from '../../lib/pipeline/init.ts';
import { upload } from '../../lib/pipeline/upload/upload.ts';
import { dataDirFlag, embeddedServerEnded } from '../shared/on-this-machine.ts';
import { openers } from '../shared/openers.ts';
import type { Context } from '../shared/run.ts';
import { uploader } from '../shared/uploader.ts';
import * as parts from './parts.ts';

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
  const context = dir === undefined ? await parts.withPartsModel(given) : given;
  const { config, signal, say } = context;
  await ensureModel(context);
  // One inference, so that a model that does not work fails here and not in three processes.
  await (
    await compose.openClassifier({ ...context, config: { ...config, workers: 1 } })
  )[Symbol.asyncDispose]();
  const drawn = dir === undefined ? await parts.draw(context) : undefined;
  await init(config, openers(context));
  await using database = await compose.openDatabase(context);
  await using topic = await compose.openTopic(context, database);
  await using store = await compose.openStore(context);
  await using looking = openImagesApart(config.limits, context.onNotice);
  using bars = new PartitionBars(context.interactive, say);
  const paths = [dir ?? drawn!.directory];
  const prefix = drawn === undefined ? {} : { prefix: demoParts.prefix };
  let judged: Judged[] = [];
  const report = reporter(context, bars);
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
  const page = drawn === undefined ? undefined : await parts.showParts(context, result, judged);
  const knows = await parts.knownTo(context);
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

function reporter({ say }: Context, bars: PartitionBars): (event: DemoEvent) => void {
  const waiting = new Map<number, string>();
  return (event) => {
    switch (event.kind) {
      case 'consumers':
        say(`started ${event.partitions} consumers, one a partition`);
        break;
      case 'uploaded': {
        const { uploaded, skipped, rejected } = event.result;
        say(`uploaded ${uploaded} images, ${skipped} were there already, ${rejected.length} files rejected`);
        break;
      }
      case 'produced':
        say(`produced ${event.produced} keys`);
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
