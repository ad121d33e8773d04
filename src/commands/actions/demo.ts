/** What `demo` does: sets everything up, runs it once, and prints the report. */
import * as compose from '../../compose.ts';
import { stopped } from '../../lib/database/embedded/enter.ts';
import { demo, type DemoEvent } from '../../lib/demo.ts';
import { demoReport } from '../../lib/demo/report.ts';
import { UsageError } from '../../lib/errors.ts';
import { init } from '../../lib/init.ts';
import { PartitionBars } from '../../lib/report/partition-bars.ts';
import { ensureModel } from '../../lib/models/offer.ts';
import { checkPaths } from '../../lib/files/check-paths.ts';
import { upload } from '../../lib/upload.ts';
import type { Context } from '../run.ts';
import { uploader } from './uploader.ts';

/** Longest wait for the embedded server to end after its last user; another terminal may be using it still. */
const serverEndMs = 5000;

export default async function (context: Context, dir: string | undefined): Promise<void> {
  const { config } = context;
  try {
    await runDemo(context, dir ?? config.imageDir);
  } finally {
    // Whoever looks after the command has ended finds no process of it.
    if (config.database.kind === 'embedded') await stopped(config.dataDir, serverEndMs);
  }
}

async function runDemo(context: Context, dir: string | undefined): Promise<void> {
  const { config, signal, say } = context;
  if (dir === undefined) {
    throw new UsageError(
      'demo needs a directory of images',
      'visionscale demo <dir> --model <file.onnx>, or set IMG_DIR',
    );
  }
  // Before anything is started: a demo without a usable model ends here, with what to do.
  await checkPaths([dir]);
  await ensureModel(context);
  // One inference, so that a model that does not work fails here and not in three processes.
  await (
    await compose.openClassifier({ ...context, config: { ...config, workers: 1 } })
  )[Symbol.asyncDispose]();
  await init(config, {
    openDatabase: () => compose.openDatabase(context, 'any'),
    openTopic: (opened) => compose.openTopic(context, opened),
    openStore: () => compose.openStore(context),
  });
  await using database = await compose.openDatabase(context);
  await using topic = await compose.openTopic(context, database);
  await using store = await compose.openStore(context);
  using bars = new PartitionBars(context.interactive, say);
  const result = await demo(
    {
      database,
      topic,
      env: context.env,
      upload: async (onKey) =>
        upload(uploader(context, database, store, onKey), { paths: [dir], maxBytes: config.limits.maxBytes }),
      report: reporter(context, bars),
    },
    { pipeline: config.pipeline, signal },
  );
  bars[Symbol.dispose]();
  context.print(result, () =>
    demoReport(result, {
      database: database.kind === 'embedded' ? `embedded PostgreSQL in ${config.dataDir}` : database.describe,
      topic: `${topic.name} (${topic.kind === 'kafka' ? 'Kafka' : 'in that database'})`,
      store: store.url,
      flags: context.env['VISIONSCALE_DATA_DIR'] ? `--data-dir ${quoted(config.dataDir)}` : '',
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
    }
  };
}

/** As a shell takes it. */
function quoted(path: string): string {
  return /^[\w./~-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
